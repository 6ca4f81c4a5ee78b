"""``cdc connectors slots``: what keeps WAL at the sources, whose it is, and how far it has been read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cdc import config
from cdc.cli.completion import sources
from cdc.cli.connectors.cluster import cluster_options
from cdc.cli.output import Answer, Foot, Sheet, output_option, write
from cdc.errors import ConfigError

if TYPE_CHECKING:
    from connectors.binary_log import BinaryLog
    from connectors.definition import Definition
    from connectors.slots import Slot

Line = dict[str, Any]
_COLUMNS = ("slot", "source", "active", "wal", "restart", "confirmed", "kept", "behind", "safe", "since", "problem")
_MEMBERS = (
    "server", "kind", "name", "source", "database", "plugin", "logical", "active", "wal_status", "restart_lsn",
    "confirmed_flush_lsn", "retained", "unconfirmed", "safe_bytes", "invalidation_reason", "inactive_since", "xmin_age",
    "catalog_xmin_age", "gtid", "expire_s", "files", "problem",
)  # fmt: skip


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=sources)
@output_option
@cluster_options
def slots(names: tuple[str, ...], output: str, path: Path | None, context: str | None) -> None:
    """Show the replication slots of the sources' servers (all, or those of the sources named), those of others too.

    Of MariaDB, which has none, the binary log: what is kept of it, when it expires, and how far the connector is.
    Sizes are bytes, ages transactions.
    """
    settings = config.load(path, context)
    chosen = [settings.source(name) for name in names] or list(settings.sources.values())
    lines = list(_lines(settings, chosen))
    write(_answer(lines), output)


def _lines(settings: config.Config, chosen: Sequence[config.SourceConfig]) -> Iterator[Line]:
    from connectors.binary_log import binary_log
    from connectors.definition import load
    from connectors.slots import slots as slots_of

    definitions = {name: load(source.definition) for name, source in settings.sources.items()}
    seen: set[str] = set()
    for source in chosen:
        dsn = source.dsn or source.admin_dsn
        if dsn is None:
            raise ConfigError(f"{source.declared}: [sources.{source.name}] has no dsn", hint="dsn = …")
        server = _server(dsn)
        if definitions[source.name].kind == "mariadb":
            yield _of_maria(server, source.name, binary_log(dsn, source.name), _read_by(settings, source.name))
        elif server not in seen:
            seen.add(server)
            for slot in slots_of(dsn, source.name):
                yield _of_postgres(server, slot, _owner(settings, definitions, server, slot))


def _server(dsn: str) -> str:
    """Host and port, nothing else of the DSN."""
    import psycopg2

    if dsn.startswith("mariadb://"):
        from urllib.parse import urlsplit

        parts = urlsplit(dsn)
        return f"{parts.hostname}:{parts.port or 3306}"
    found = psycopg2.extensions.parse_dsn(dsn)
    return f"{found.get('host', 'localhost')}:{found.get('port', 5432)}"


def _owner(settings: config.Config, definitions: dict[str, Definition], server: str, slot: Slot) -> str | None:
    """The source whose connector reads it."""
    for name, definition in definitions.items():
        dsn = settings.sources[name].dsn or settings.sources[name].admin_dsn
        mine = (definition.kind, definition.slot, definition.database.name)
        if mine == ("postgres", slot.name, slot.database) and dsn is not None and _server(dsn) == server:
            return name
    return None


def _of_postgres(server: str, slot: Slot, owner: str | None) -> Line:
    line = {"server": server, "kind": "postgres", "source": owner, **asdict(slot), "problem": slot.problem}
    return {member: line.get(member) for member in _MEMBERS}


def _read_by(settings: config.Config, name: str) -> tuple[str, int] | None:
    """Where the connector is in its server's binary log; None when Connect does not know, or does not answer."""
    from cdc.connect_client import opened
    from connectors.errors import ConnectorError
    from connectors.offsets import stored

    try:
        with opened(settings) as client:
            places = [each.binary_log for each in stored(client, name)]
    except ConnectorError:
        return None
    return next((place for place in places if place is not None), None)


def _of_maria(server: str, name: str, log: BinaryLog, read: tuple[str, int] | None) -> Line:
    behind = None if read is None else log.behind(*read)
    lost = read is not None and behind is None
    line = {
        "server": server,
        "kind": "mariadb",
        "name": "binary log",
        "source": name,
        "wal_status": "lost" if lost else "kept",
        "restart_lsn": f"{log.file} {log.position}",
        "confirmed_flush_lsn": None if read is None else "{} {}".format(*read),
        "retained": log.bytes,
        "unconfirmed": behind,
        "gtid": log.gtid,
        "expire_s": log.expire_s,
        "files": len(log.files),
        "problem": "lost: the file that the connector reads next is purged" if lost else None,
    }
    return {member: line.get(member) for member in _MEMBERS}


def _answer(lines: Sequence[Line]) -> Answer[Line]:
    foot = [("problem", f"{line['name']} at {line['server']}: {line['problem']}") for line in lines if line["problem"]]
    foot += [
        ("expires", f"files of {line['source']}'s binary log after {line['expire_s']:,} s" if line["expire_s"] else
         f"no file of {line['source']}'s binary log by its age")
        for line in lines if line["kind"] == "mariadb"
    ]  # fmt: skip
    return Answer(
        title="what keeps the sources' logs of changes",
        head={"question": "slots"},
        name="slots",
        items=lines,
        document=lambda line: line,
        table=Sheet(_COLUMNS, lambda line: [_cells(line)]),
        csv=Sheet(_MEMBERS, lambda line: [[None if value is None else str(value) for value in line.values()]]),
        foot=lambda: Foot({}, foot),
    )


def _cells(line: Line) -> list[str | None]:
    def size(value: int | None) -> str | None:
        return None if value is None else f"{value:,}"

    problem = line["problem"]
    return [
        line["name"],
        line["source"] or "(another's)",
        None if line["active"] is None else "yes" if line["active"] else "no",
        line["wal_status"],
        line["restart_lsn"],
        line["confirmed_flush_lsn"],
        size(line["retained"]),
        size(line["unconfirmed"]),
        size(line["safe_bytes"]),
        None if line["inactive_since"] is None else str(line["inactive_since"])[:19],
        None if problem is None else problem.partition(":")[0],
    ]

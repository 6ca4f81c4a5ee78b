"""Where a source's incremental snapshots are asked for, and what must hold before they are."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field

from cdc.cli.connectors.recording import doer
from cdc.config import Config, SourceConfig
from cdc.entry import split_qualified_name
from cdc.errors import ConfigError, Conflict
from cdc.notification import Snapshot
from cdc.signals import PREFIX, Begun, last_begun
from cdc.snapshots import Tell, following
from cdc.topic import Topic, describe
from connectors.client import ConnectClient
from connectors.definition import Definition, load
from connectors.offsets import InFlight, in_flight, stored
from connectors.signal_table import SignalTable
from governance.suggest import Table

OWN = frozenset({"cdc.heartbeat", "cdc.signal"})
CHUNK = "incremental.snapshot.chunk.size"
_NAMED = re.compile(r"""[^\s."'`\[\]]+""")
"""What Debezium reads back as a part of a name; a table of another name it leaves out of a snapshot, silently."""
_CHUNK = 1024
"""Debezium's default of that setting: rows that it reads at a time."""


@dataclass(frozen=True, slots=True)
class Place:
    """A source, its connector's definition, its topic, and the DSN that signals are written through."""

    settings: Config
    source: SourceConfig
    definition: Definition
    dsn: str = field(repr=False)
    topic: Topic

    @property
    def name(self) -> str:
        """Of the source, its log and its connector."""
        return self.source.name


def place_of(settings: Config, name: str) -> Place:
    """The place of a configured source.

    Raises:
        NotFound, ConfigError, DefinitionError, Unreachable: there is none, it has no DSN, or no topic.
    """
    source = settings.source(name)
    definition = load(source.definition)
    dsn = source.dsn or source.admin_dsn
    if dsn is None:
        raise ConfigError(
            f"{source.declared}: [sources.{name}] has no dsn, through which the connector is asked",
            hint="dsn = …, of the connector's role",
        )
    return Place(settings, source, definition, dsn, describe(settings.kafka, source.topic))


def demand_running(client: ConnectClient, name: str) -> None:
    """A signal that is written while nobody reads would be acted on at some later time.

    Raises:
        Conflict: the connector does not run.
    """
    if not client.status(name).running:
        raise Conflict(f"connector {name} does not run; nothing was asked of it", hint=f"cdc connectors apply {name}")


def under_way(client: ConnectClient, name: str) -> InFlight | None:
    """The incremental snapshot that Connect's stored position says is under way."""
    return in_flight(stored(client, name))


def chunk_rows(client: ConnectClient, name: str) -> int:
    """Rows that the connector reads at a time."""
    text = client.config(name).get(CHUNK, "")
    return int(text) if text.isdecimal() and int(text) else _CHUNK


def captured(place: Place, wanted: Sequence[str]) -> list[Table]:
    """The tables that are named; without names, all that can be read in chunks.

    Raises:
        NotFound: one is not captured.
        Conflict: one has no key, by which it could be read in chunks, or a name that Debezium does not read.
    """
    from cdc.audit.tables import Table as Named
    from cdc.audit.tables import resolve
    from cdc.cli.policy_tables import captured_tables

    found = {
        table.title: table for table in captured_tables(place.source, place.dsn, insist=True) if table.title not in OWN
    }
    if not wanted:
        return [table for table in found.values() if _obstacle(table) is None]
    known = [Named(place.name, title) for title in found]
    chosen = [found[title] for title in sorted({resolve(name, known).name for name in wanted})]
    for table in chosen:
        obstacle = _obstacle(table)
        if obstacle is not None:
            raise Conflict(
                f"{table.title} {obstacle}, so it cannot be read in chunks",
                hint=f"cdc stream rebaseline {place.name} '{table.title}' --reason '…'   (reads it in one piece)",
            )
    return chosen


def _obstacle(table: Table) -> str | None:
    """Why Debezium would not read it in an incremental snapshot."""
    if not table.key:
        return "has no primary key"
    if not all(_NAMED.fullmatch(part) for part in (table.schema, table.name)):
        return "has a blank, a dot or a quote in its name, which Debezium does not read in a signal"
    return None


def demand_fit(place: Place) -> None:
    """See that what the connector reads is whole: a table missing in the publication would lose what changes meanwhile.

    Raises:
        SourceUnfit: it is not; says which SQL mends it.
    """
    from connectors.check import demand_fit as fit

    if place.source.dsn is not None:
        fit(place.definition, place.source.dsn)


def demand_clear(place: Place, table: Table, where: str) -> None:
    """The signal stands in clear in the log for ever, and so does the condition: it may speak of clear columns alone.

    Raises:
        Conflict: it names another column, or reads another table.
    """
    from governance.policy import load as load_policy

    words = where.casefold()
    if ";" in words or "select" in words or "u&" in words:
        raise Conflict("a condition is an expression on the table's own columns", hint="--where 'status = 4'")
    rule = load_policy(place.source.policy).tables.get(table.title)
    clear = {name for name, column in rule.columns.items() if column.protect == "clear"} if rule else set()
    names = {column.name.casefold(): column.name for column in table.columns if column.name not in clear}
    named = [name for folded, name in names.items() if folded in words]
    if named or table.name.casefold() in words:
        raise Conflict(
            f"the condition names {named[0] if named else table.name}, which the policy protects: a signal stands in"
            " clear in the log, with what the condition says of it",
            hint=f"conditions may name clear columns alone: cdc policy explain {place.name} '{table.title}'",
        )


def debezium_name(table: Table) -> str:
    """As notifications name it."""
    return ".".join(split_qualified_name(table.title))


def newest(table: SignalTable) -> Begun | None:
    """The snapshot that was asked for last through here."""
    return last_begun(table.ids(PREFIX))


def look(place: Place, begun: Begun, tell: Tell, patience_s: float | None = None) -> Snapshot:
    """What the topic holds of a snapshot; read up to the topic's end, or for ``patience_s`` at most."""
    with following(place.settings.kafka, place.topic, place.name, begun) as follow:
        return follow.to_end(tell, patience_s)


def record(place: Place, name: str, detail: dict[str, str]) -> int:
    """Into the log ``operations``, before it is done: who asks the connector for what, and why. Returns the entry."""
    from cdc.warehouse import lease

    with (
        closing(lease.connect(place.settings.warehouse_dsn, f"cdc snapshot {place.name}")) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        said = {"log": place.name, **doer(place.settings), **detail}
        cursor.execute("SELECT audit.append_operation(%s, %s)", (name, json.dumps(said)))
        (seq,) = cursor.fetchone() or (-1,)
    return int(seq)

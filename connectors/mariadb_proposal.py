"""A definition for a MariaDB database that nobody has described yet, and the SQL that prepares its server."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from connectors.definition import HEARTBEAT
from connectors.errors import SourceUnfit
from connectors.finding import Finding
from connectors.mariadb_inventory import Inventory, Relation, obstacles
from connectors.proposal import Address, Exclusion, Proposal, literal, printable, scalar

_OWN = ("cdc", "cdc_local")
_SIGNAL = "cdc.`signal`"
_HEAD = """\
-- Prepares a MariaDB server to be captured as {name}. Run as root: mariadb < {name}.sql
-- In the server's option file, under [mariadbd]: log-bin, binlog-format = ROW, binlog-row-image = FULL, a server-id of
-- its own, and binlog_expire_logs_seconds longer than the longest outage.
-- It may hold a password's hash: keep the file to yourself."""
_TABLES = (
    "CREATE DATABASE IF NOT EXISTS cdc CHARACTER SET utf8mb4;",
    f"""\
-- Updated on every heartbeat: the stream itself says which server and GTID domain it comes from.
CREATE TABLE IF NOT EXISTS {HEARTBEAT} (
    id                 int PRIMARY KEY,
    beat_at            timestamp(6) NOT NULL DEFAULT current_timestamp(6),
    system_identifier  varchar(36) NOT NULL,
    timeline           varchar(32) NOT NULL
);""",
    f"""\
INSERT IGNORE INTO {HEARTBEAT} (id, beat_at, system_identifier, timeline)
VALUES (1, now(6), uuid(), concat(@@gtid_domain_id, '-', @@server_id));""",
    f"""\
-- Debezium's signalling table (its documentation, "Sending signals to a Debezium connector").
CREATE TABLE IF NOT EXISTS {_SIGNAL} (
    id    varchar(42) PRIMARY KEY,
    type  varchar(32) NOT NULL,
    data  varchar(2048)
);""",
)
_GRANT = """\
-- Reading all tables, the binary log (as a replica does), and one global read lock for the moment a snapshot begins.
GRANT SELECT, RELOAD, SHOW DATABASES, LOCK TABLES, REPLICATION SLAVE, BINLOG MONITOR ON *.*"""
_STORE = "a Java trust store, made of the DSN's; a path on Connect's workers"
_HASH = re.compile(r"'\*[0-9A-F]{40}'")


def propose(inventory: Inventory, schemas: Sequence[str]) -> Proposal:
    """Capture every table of these databases (all, if none is named) that can be captured.

    Raises:
        SourceUnfit: no such database, or none of its tables can be captured.
    """
    wanted = [r for r in inventory.relations if r.schema not in _OWN and (not schemas or r.schema in schemas)]
    for schema in schemas:
        if not any(relation.schema == schema for relation in wanted):
            raise SourceUnfit(f"database {schema} has no table, or the account may not see it", hint="SHOW DATABASES")
    left = [(relation, finding.problem) for relation in wanted for finding in _first(relation)]
    out = {relation.title for relation, _ in left}
    kept = [relation for relation in wanted if relation.title not in out]
    if not kept:
        raise SourceUnfit("no table can be captured:" + "".join(f"\n  {reason}" for _, reason in left))
    # A view has no changes: it needs no pattern. What is a table to the binary log does.
    exclude = tuple(Exclusion(literal(r.title), reason) for r, reason in left if r.kind != "VIEW")
    reasons = tuple(reason for _, reason in left)
    titles = tuple(relation.title for relation in kept)
    for pattern in (item.pattern for item in exclude):
        for title in titles:
            if re.fullmatch(pattern, title, re.IGNORECASE):
                raise SourceUnfit(
                    f"{title}: Debezium, which ignores capitals, cannot tell it from a table that stays out",
                    hint="rename it, or capture some databases only (--schema)",
                )
    return Proposal(tuple(dict.fromkeys(r.schema for r in kept)), titles, exclude, reasons)


def _first(relation: Relation) -> list[Finding]:
    return list(obstacles(relation))[:1]


def text(proposal: Proposal, name: str, address: Address, server_id: int) -> str:
    """The definition's YAML. ``address.sslrootcert`` is a Java trust store."""
    database = address.database
    lines = [
        f"# What is captured of MariaDB's {printable(database)}. `cdc connectors init {name}` wrote it, and will not",
        "# change it: it is yours.",
        f"name: {name}",
        "kind: mariadb",
        f"topic: {name}",
        f"server_id: {server_id}   # the connector's, as a replica of the server: nobody else may have it",
        "database:",
        *(f"  {key}: ${{secret:{name}/{key}}}" for key in ("host", "port")),
        f"  name: {scalar(database)}",
        *(f"  {key}: ${{secret:{name}/{key}}}" for key in ("user", "password")),
        f"  sslmode: {address.sslmode}",
        *([] if address.sslrootcert is None else [f"  sslrootcert: {scalar(address.sslrootcert)}   # {_STORE}"]),
        f"schemas: [{', '.join(map(scalar, proposal.schemas))}]   # MariaDB's databases: every table, tomorrow's too",
        "schema_history:",
        f"  bootstrap_servers: ${{secret:{name}/bootstrap_servers}}   # the broker, as Connect's workers reach it",
    ]
    if proposal.exclude:
        lines.append("exclude:")
        lines += [f"  - {scalar(item.pattern)}   # {printable(item.reason)}" for item in proposal.exclude]
    return "\n".join(lines) + "\n"


def preparation(name: str, user: str, password: str | None) -> str:
    """The SQL for root, as often as one likes. ``password``: to set; None where the account has its own.

    What it makes is what ``sql/source/mariadb/capture.sql`` makes, with this account.
    """
    account = f"{_quoted(user)}@'%'"
    paragraphs = [_HEAD.format(name=name), *_TABLES]
    if password is not None:
        paragraphs += [
            f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY PASSWORD '{hashed(password)}';",
            f"ALTER USER {account} IDENTIFIED BY PASSWORD '{hashed(password)}';",
        ]
    paragraphs += [
        f"{_GRANT}\n    TO {account};",
        f"GRANT UPDATE ON {HEARTBEAT} TO {account};",
        f"GRANT INSERT ON {_SIGNAL} TO {account};",
    ]
    return "\n\n".join(paragraphs) + "\n"


def hashed(password: str) -> str:
    """What MariaDB keeps of a password (``mysql_native_password``, its documentation): ``*``, SHA-1 of its SHA-1."""
    twice = hashlib.sha1(hashlib.sha1(password.encode(), usedforsecurity=False).digest(), usedforsecurity=False)
    return "*" + twice.hexdigest().upper()


def masked(text: str) -> str:
    """The text without that, for a terminal."""
    return _HASH.sub("'*…'", text)


def _quoted(name: str) -> str:
    return "'" + name.replace("\\", "\\\\").replace("'", "''") + "'"

"""A source's definition: ten lines of YAML that say what to capture and where, and nothing about how.

::

    name: trading                    # the connector; its slot is cdc_trading
    kind: postgres                   # or mariadb, mysql, sqlserver, mongodb
    topic: trading                   # one topic with one partition holds everything the connector emits
    database:
      host: ${secret:trading/host}
      port: ${secret:trading/port}
      name: trading                  # its publication is cdc_trading
      user: ${secret:trading/user}
      password: ${secret:trading/password}
    schemas: [public]                # or tables: [public.orders, …]

Optional: ``extends`` (:mod:`connectors.overlay`), ``publication`` (``cdc_<database>``), ``exclude`` (Java regular
expressions on ``schema.table``; partitions of a captured table belong here), ``replication_factor`` (1),
``heartbeat_interval_ms`` (10000), ``poll_interval_ms`` (50), ``database.sslmode`` (prefer), ``database.sslrootcert`` (a
path on the workers; PEM for PostgreSQL, a Java trust store for MariaDB and MySQL), and ``settings``: raw settings of
Debezium or Connect, in place of the profile's or beside them.
``cdc connectors init`` writes a definition for a database.

The other kinds (:mod:`connectors.kinds`) have no publication and no slot. ``schemas`` are what they call databases
(MariaDB, MySQL, MongoDB) or schemas (SQL Server). Of their own they have::

    server_id: 7301                                        # MariaDB, MySQL: of the connector, as a replica
    schema_history:                                        # MariaDB, MySQL, SQL Server
      bootstrap_servers: ${secret:portfolio/bootstrap_servers}   # the broker, as Connect's workers reach it
    replica_set: rs0                                       # MongoDB, optional

What is accepted here, ``definition.schema.json`` accepts too, and the other way round (:mod:`connectors.schema`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from connectors import invariants, overlay, secrets
from connectors.kinds import HEARTBEAT, KINDS, MARIADB_SSL_MODES, SIGNAL, SSL_MODES, Kind
from connectors.yaml_fields import Fields

__all__ = ["HEARTBEAT", "MARIADB_SSL_MODES", "SIGNAL", "SSL_MODES", "Database", "Definition", "load", "parse"]

SHARED = (
    "name", "kind", "topic", "database", "schemas", "tables", "exclude", "replication_factor", "heartbeat_interval_ms",
    "poll_interval_ms", "settings",
)  # fmt: skip
"""The fields of every kind."""
DATABASE = ("host", "port", "name", "user", "password", "sslmode", "sslrootcert")
"""The fields of ``database``; the last two are optional."""
BOUNDS = {
    "replication_factor": (1, 9),
    "heartbeat_interval_ms": (100, 600_000),
    "poll_interval_ms": (1, 5_000),
    "server_id": (1, 4_294_967_295),
    "port": (1, 65_535),
}
"""Of whole numbers, both ends included."""
DEFAULTS = {"replication_factor": 1, "heartbeat_interval_ms": 10_000, "poll_interval_ms": 50}
NAME = r"[a-z][a-z0-9_]{0,54}"
TOPIC = r"[A-Za-z0-9][A-Za-z0-9._-]{0,248}"
IDENTIFIER = r"""[^\x00-\x1f,."'\\]{1,63}"""
PUBLICATION = r"[a-z_][a-z0-9_$-]{0,62}"
"""What PostgreSQL reads back unchanged from ``publication_names``, where Debezium writes no quotes. Of any other name
PostgreSQL 18 says in its log "skipped loading publication", and the stream goes on without a single row."""
PEM = r"[\s\S]*\.(?:pem|crt|cer)"
"""How the names of PEM files end."""
_KEYTOOL = "keytool -importcert -noprompt -alias ca -storetype JKS -file ca.pem -keystore ca.jks"
REPLICA_SET = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}"
SETTING = r"[A-Za-z][A-Za-z0-9_.$-]{0,248}"
SETTING_VALUE = r"[^\x00-\x1f]+"


@dataclass(frozen=True, slots=True)
class Database:
    """Where the source is. Every member may be a reference; the password always is."""

    host: str
    port: str
    name: str
    user: str
    password: str = field(repr=False)
    sslmode: str = "prefer"
    sslrootcert: str | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """What one connector captures. Times are milliseconds. ``settings``: name and value of each raw setting.

    MariaDB's and MySQL's only: ``server_id``, which the connector has as a replica. Theirs and SQL Server's:
    ``schema_history``, the broker that keeps the history of their tables' definitions, as Connect's workers reach it.
    MongoDB's: ``replica_set``, empty where it has none (a sharded cluster).
    """

    path: Path
    name: str
    kind: str
    topic: str
    database: Database
    schemas: tuple[str, ...]
    tables: tuple[str, ...]
    exclude: tuple[str, ...]
    replication_factor: int
    heartbeat_interval_ms: int
    poll_interval_ms: int
    named_publication: str | None = None
    server_id: int = 0
    schema_history: str = ""
    replica_set: str = ""
    settings: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def slot(self) -> str:
        """Its replication slot. One connector, one slot: two readers of a slot would each lose what the other took."""
        return f"cdc_{self.name}"

    @property
    def publication(self) -> str:
        """The publication it reads, which the database's owner makes."""
        return self.named_publication or f"cdc_{self.database.name}"


def load(path: Path) -> Definition:
    """Read and check a definition, with all that it extends.

    Raises:
        DefinitionError: the message names the file, the line and the field, and the hint what to write.
    """
    return _checked(path, overlay.load(path))


def parse(text: str, path: Path) -> Definition:
    """The same for a text that is not written yet; ``path`` is where it will be.

    Raises:
        DefinitionError: as :func:`load`.
    """
    return _checked(path, overlay.loads(text, path))


def _checked(path: Path, fields: Fields) -> Definition:
    kind = KINDS.get(fields.text("kind"))
    if kind is None:
        raise fields.wrong("kind", "unknown kind of database", hint="kind: " + "   or   kind: ".join(KINDS))
    fields.only(*SHARED, *kind.fields)
    name = _matching(
        fields, "name", NAME, "small letters, digits and _, at most 55 (a replication slot is named after it)"
    )
    if fields.has("schemas") == fields.has("tables"):
        raise fields.wrong(
            "schemas", "either schemas or tables is needed", hint="schemas: [public]   or   tables: [public.orders]"
        )
    database = _database(fields.fields("database"), kind)
    set_rule = "a replica set's name has letters, digits and _.- only"
    return Definition(
        path=path,
        name=name,
        kind=kind.name,
        topic=_matching(fields, "topic", TOPIC, "a topic's name has letters, digits and ._- only"),
        database=database,
        schemas=_schemas(fields, kind) if fields.has("schemas") else (),
        tables=_tables(fields, kind) if fields.has("tables") else (),
        exclude=_patterns(fields) if fields.has("exclude") else (),
        replication_factor=_number(fields, "replication_factor"),
        heartbeat_interval_ms=_number(fields, "heartbeat_interval_ms"),
        poll_interval_ms=_number(fields, "poll_interval_ms"),
        named_publication=_publication(fields, name, database.name) if "publication" in kind.fields else None,
        server_id=fields.integer("server_id", *BOUNDS["server_id"]) if "server_id" in kind.fields else 0,
        schema_history=_schema_history(fields.fields("schema_history")) if "schema_history" in kind.fields else "",
        replica_set=_matching(fields, "replica_set", REPLICA_SET, set_rule) if fields.has("replica_set") else "",
        settings=_settings(fields.fields("settings")) if fields.has("settings") else (),
    )


def _number(fields: Fields, key: str) -> int:
    return fields.integer(key, *BOUNDS[key]) if fields.has(key) else DEFAULTS[key]


def _schema_history(fields: Fields) -> str:
    fields.only("bootstrap_servers")
    return _referring(fields, "bootstrap_servers")


def _publication(fields: Fields, name: str, database: str) -> str | None:
    rule = "small letters, digits, _, $ and - only: PostgreSQL folds the rest and then skips the publication"
    if fields.has("publication"):
        return _matching(fields, "publication", PUBLICATION, rule)
    if re.fullmatch(PUBLICATION, f"cdc_{database}") is None:
        raise fields.wrong("publication", f"cdc_{database} will not do: {rule}", hint=f"publication: cdc_{name}")
    return None


def _database(fields: Fields, kind: Kind) -> Database:
    fields.only(*DATABASE)
    password = fields.text("password")
    if not secrets.is_reference(password):
        raise fields.wrong(
            "password", "a reference is needed, never the password itself", hint="password: ${secret:<source>/password}"
        )
    name = _matching(
        fields, "name", IDENTIFIER, "the database's name itself is needed (the publication is named after it)"
    )
    sslmode = fields.text("sslmode") if fields.has("sslmode") else kind.sslmode
    if sslmode not in kind.sslmodes:
        raise fields.wrong("sslmode", "unknown mode", hint=f"one of {', '.join(kind.sslmodes)}")
    if kind.root_certificate != "PEM" and fields.has("sslrootcert"):
        _demand_store(fields, kind)
    return Database(
        host=_referring(fields, "host"),
        port=_port(fields),
        name=name,
        user=_referring(fields, "user"),
        password=password,
        sslmode=sslmode,
        sslrootcert=_referring(fields, "sslrootcert") if fields.has("sslrootcert") else None,
    )


def _demand_store(fields: Fields, kind: Kind) -> None:
    """A PEM file would do for Debezium's queries, and stop its reader of the binary log after the snapshot."""
    if not kind.root_certificate or re.fullmatch(PEM, fields.text("sslrootcert")):
        wants = f"Debezium's connector for {kind.title} wants a Java trust store"
        raise fields.wrong("sslrootcert", wants, hint=_KEYTOOL if kind.root_certificate else "settings: …")


def _port(fields: Fields) -> str:
    port = fields.text_or_integer("port", *BOUNDS["port"])
    if re.fullmatch(r"[0-9]+", port) is None and not secrets.is_reference(port):
        raise fields.wrong("port", "a number or a reference is needed")
    return port


def _settings(fields: Fields) -> tuple[tuple[str, str], ...]:
    found = []
    for name in fields.names():
        if re.fullmatch(SETTING, name) is None:
            raise fields.wrong(name, "no setting's name", hint="settings:\n    max.batch.size: 8192")
        value = fields.setting(name)
        why = invariants.refusal(name, value)
        if why is not None:
            raise fields.wrong(name, f"it cannot be overridden: {why.problem}", hint=why.instead)
        if secrets.in_plain(name, value):
            raise fields.wrong(name, "a reference is needed, never the secret itself", hint=secrets.FORMS)
        if secrets.malformed(value):
            raise fields.wrong(name, "a ${…} that is no reference", hint=secrets.FORMS)
        if re.fullmatch(SETTING_VALUE, value) is None:
            raise fields.wrong(name, "a value on one line is needed")
        found.append((name, value))
    return tuple(found)


def _referring(fields: Fields, key: str) -> str:
    text = fields.text(key)
    if secrets.malformed(text):
        raise fields.wrong(key, "a ${…} that is no reference", hint=secrets.FORMS)
    return text


def _matching(fields: Fields, key: str, pattern: str, rule: str) -> str:
    text = fields.text(key)
    if re.fullmatch(pattern, text) is None or "${" in text:
        raise fields.wrong(key, rule)
    return text


def _schemas(fields: Fields, kind: Kind) -> tuple[str, ...]:
    schemas = fields.texts("schemas")
    for schema in schemas:
        if re.fullmatch(IDENTIFIER, schema) is None:
            raise fields.wrong("schemas", f"{schema!r} is no schema's name")
        if schema in kind.own_schemas:
            raise fields.wrong("schemas", f"{schema} is captured always: leave it out")
    return schemas


def _tables(fields: Fields, kind: Kind) -> tuple[str, ...]:
    tables = fields.texts("tables")
    for table in tables:
        parts = table.split(".")
        if len(parts) != 2 or not all(re.fullmatch(IDENTIFIER, part) for part in parts):
            raise fields.wrong("tables", f"{table!r} is not of the form schema.table")
        if parts[0] in kind.own_schemas:
            raise fields.wrong("tables", f"{parts[0]}'s tables are captured always: leave them out")
    return tables


def _patterns(fields: Fields) -> tuple[str, ...]:
    patterns = fields.texts("exclude")
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error:
            raise fields.wrong("exclude", "not a regular expression") from None
        if "," in pattern:
            raise fields.wrong("exclude", "a comma would end the pattern in Debezium's list", hint="write two patterns")
    return patterns

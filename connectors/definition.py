"""A source's definition: ten lines of YAML that say what to capture and where, and nothing about how.

::

    name: trading                    # the connector; its slot is cdc_trading
    kind: postgres
    topic: trading                   # one topic with one partition holds everything the connector emits
    database:
      host: ${secret:trading/host}
      port: ${secret:trading/port}
      name: trading                  # its publication is cdc_trading
      user: ${secret:trading/user}
      password: ${secret:trading/password}
    schemas: [public]                # or tables: [public.orders, …]

Optional: ``publication`` (``cdc_<database>``), ``exclude`` (Java regular expressions on ``schema.table``; partitions of
a captured table belong here), ``replication_factor`` (1), ``heartbeat_interval_ms`` (10000), ``poll_interval_ms`` (20),
``database.sslmode`` (prefer) and ``database.sslrootcert`` (a path on the workers). ``cdc connectors init`` writes a
definition for a database.

``kind: mariadb`` has no publication and no slot; ``schemas`` are MariaDB's databases, and it needs besides::

    server_id: 7301                                        # of the connector, as a replica of the server
    schema_history:
      bootstrap_servers: ${secret:portfolio/bootstrap_servers}   # the broker, as Connect's workers reach it
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from connectors import secrets, yaml_fields
from connectors.yaml_fields import Fields

HEARTBEAT = "cdc.heartbeat"
"""The table that every heartbeat updates. It stands in each source database (``sql/source``)."""
SIGNAL = "cdc.signal"
"""Debezium's signalling table."""

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
MARIADB_SSL_MODES = ("disable", "trust", "verify-ca", "verify-full")
"""What Debezium's MariaDB connector knows; ``trust`` encrypts without asking who answers."""
KINDS = ("postgres", "mariadb")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,54}")
_TOPIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,248}")
_IDENTIFIER = re.compile(r"[^\x00-\x1f,.\"'\\]{1,63}")
_PUBLICATION = re.compile(r"[a-z_][a-z0-9_$-]{0,62}")
"""What PostgreSQL reads back unchanged from ``publication_names``, where Debezium writes no quotes. Of any other name
PostgreSQL 18 says in its log "skipped loading publication", and the stream goes on without a single row."""


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
    """What one connector captures. Times are milliseconds.

    MariaDB's only: ``server_id``, which the connector has as a replica, and ``schema_history``, the broker that keeps
    the history of its tables' definitions, as Connect's workers reach it.
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

    @property
    def slot(self) -> str:
        """Its replication slot. One connector, one slot: two readers of a slot would each lose what the other took."""
        return f"cdc_{self.name}"

    @property
    def publication(self) -> str:
        """The publication it reads, which the database's owner makes."""
        return self.named_publication or f"cdc_{self.database.name}"


def load(path: Path) -> Definition:
    """Read and check a definition.

    Raises:
        DefinitionError: the message names the file, the line and the field, and the hint what to write.
    """
    return _checked(path, yaml_fields.read(path))


def parse(text: str, path: Path) -> Definition:
    """The same for a text that is not written yet; ``path`` is where it will be.

    Raises:
        DefinitionError: as :func:`load`.
    """
    return _checked(path, yaml_fields.parse(text, path))


def _checked(path: Path, fields: Fields) -> Definition:
    kind = fields.text("kind")
    if kind not in KINDS:
        raise fields.wrong("kind", "unknown kind of database", hint="kind: postgres   or   kind: mariadb")
    own = ("server_id", "schema_history") if kind == "mariadb" else ("publication",)
    fields.only("name", "kind", "topic", *own, "database", "schemas", "tables", "exclude",
                "replication_factor", "heartbeat_interval_ms", "poll_interval_ms")  # fmt: skip
    name = _matching(
        fields, "name", _NAME, "small letters, digits and _, at most 55 (a replication slot is named after it)"
    )
    if fields.has("schemas") == fields.has("tables"):
        raise fields.wrong(
            "schemas", "either schemas or tables is needed", hint="schemas: [public]   or   tables: [public.orders]"
        )
    database = _database(fields.fields("database"), kind)
    return Definition(
        path=path,
        name=name,
        kind=kind,
        topic=_matching(fields, "topic", _TOPIC, "a topic's name has letters, digits and ._- only"),
        database=database,
        schemas=_schemas(fields) if fields.has("schemas") else (),
        tables=_tables(fields) if fields.has("tables") else (),
        exclude=_patterns(fields) if fields.has("exclude") else (),
        replication_factor=fields.integer("replication_factor", 1, 9) if fields.has("replication_factor") else 1,
        heartbeat_interval_ms=fields.integer("heartbeat_interval_ms", 100, 600_000)
        if fields.has("heartbeat_interval_ms")
        else 10_000,
        poll_interval_ms=fields.integer("poll_interval_ms", 1, 5_000) if fields.has("poll_interval_ms") else 20,
        named_publication=_publication(fields, name, database.name) if kind == "postgres" else None,
        server_id=fields.integer("server_id", 1, 4_294_967_295) if kind == "mariadb" else 0,
        schema_history=_schema_history(fields.fields("schema_history")) if kind == "mariadb" else "",
    )


def _schema_history(fields: Fields) -> str:
    fields.only("bootstrap_servers")
    return _referring(fields, "bootstrap_servers")


def _publication(fields: Fields, name: str, database: str) -> str | None:
    rule = "small letters, digits, _, $ and - only: PostgreSQL folds the rest and then skips the publication"
    if fields.has("publication"):
        return _matching(fields, "publication", _PUBLICATION, rule)
    if _PUBLICATION.fullmatch(f"cdc_{database}") is None:
        raise fields.wrong("publication", f"cdc_{database} will not do: {rule}", hint=f"publication: cdc_{name}")
    return None


def _database(fields: Fields, kind: str) -> Database:
    fields.only("host", "port", "name", "user", "password", "sslmode", "sslrootcert")
    password = fields.text("password")
    if not secrets.is_reference(password):
        raise fields.wrong(
            "password", "a reference is needed, never the password itself", hint="password: ${secret:<source>/password}"
        )
    name = _matching(
        fields, "name", _IDENTIFIER, "the database's name itself is needed (the publication is named after it)"
    )
    modes, usual = (SSL_MODES, "prefer") if kind == "postgres" else (MARIADB_SSL_MODES, "verify-full")
    sslmode = fields.text("sslmode") if fields.has("sslmode") else usual
    if sslmode not in modes:
        raise fields.wrong("sslmode", "unknown mode", hint=f"one of {', '.join(modes)}")
    return Database(
        host=_referring(fields, "host"),
        port=_port(fields),
        name=name,
        user=_referring(fields, "user"),
        password=password,
        sslmode=sslmode,
        sslrootcert=_referring(fields, "sslrootcert") if fields.has("sslrootcert") else None,
    )


def _port(fields: Fields) -> str:
    port = fields.text_or_integer("port", 1, 65_535)
    if not port.isdigit() and not secrets.is_reference(port):
        raise fields.wrong("port", "a number or a reference is needed")
    return port


def _referring(fields: Fields, key: str) -> str:
    text = fields.text(key)
    if secrets.malformed(text):
        raise fields.wrong(
            key,
            "a ${…} that is no reference",
            hint="${secret:bundle/key}, ${env:NAME}, ${file:path:key} or ${directory:path:file}",
        )
    return text


def _matching(fields: Fields, key: str, pattern: re.Pattern[str], rule: str) -> str:
    text = fields.text(key)
    if pattern.fullmatch(text) is None or "${" in text:
        raise fields.wrong(key, rule)
    return text


def _schemas(fields: Fields) -> tuple[str, ...]:
    schemas = fields.texts("schemas")
    for schema in schemas:
        if _IDENTIFIER.fullmatch(schema) is None:
            raise fields.wrong("schemas", f"{schema!r} is no schema's name")
        if schema == "cdc":
            raise fields.wrong("schemas", "cdc is captured always: leave it out")
    return schemas


def _tables(fields: Fields) -> tuple[str, ...]:
    tables = fields.texts("tables")
    for table in tables:
        parts = table.split(".")
        if len(parts) != 2 or not all(_IDENTIFIER.fullmatch(part) for part in parts):
            raise fields.wrong("tables", f"{table!r} is not of the form schema.table")
        if parts[0] == "cdc":
            raise fields.wrong("tables", "cdc's tables are captured always: leave them out")
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

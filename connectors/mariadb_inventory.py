"""Everything in a MariaDB server's catalog that a definition, its preparation, its policy and its checks are made from.

What MariaDB calls a database is a schema here. Reads ``information_schema``, no row of a table of anybody's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import pymysql

from connectors.definition import Definition
from connectors.errors import ConnectorError, SourceUnfit
from connectors.finding import Finding
from connectors.inventory import Column, ForeignKey
from connectors.setting import include_patterns

Cursor: TypeAlias = pymysql.cursors.Cursor

SYSTEM = ("information_schema", "mysql", "performance_schema", "sys")
_COLUMNS = f"""
SELECT t.table_schema, t.table_name, t.table_type, coalesce(t.engine, ''), c.column_name, c.column_type, c.data_type,
       c.is_nullable = 'NO', c.extra
  FROM information_schema.tables t JOIN information_schema.columns c USING (table_schema, table_name)
 WHERE t.table_schema NOT IN {SYSTEM!r} ORDER BY t.table_schema, t.table_name, c.ordinal_position"""
_NAME = "`((?:[^`]|``)+)`"
_NAMES = r"\((`(?:[^`]|``)+`(?:, ?`(?:[^`]|``)+`)*)\)"
_FOREIGN = re.compile(
    rf"CONSTRAINT {_NAME} FOREIGN KEY {_NAMES} REFERENCES (?:{_NAME}\.)?{_NAME} {_NAMES}"
    r"((?: ON (?:DELETE|UPDATE) [A-Z ]+)*)"
)
_UNIQUE = re.compile(r"^  (?:PRIMARY KEY|UNIQUE KEY `(?:[^`]|``)+`) \((.*)\)", re.MULTILINE)
"""As ``SHOW CREATE TABLE`` writes them. ``information_schema`` hides foreign keys from an account that may only read,
and has not the order of the keys, of which Debezium takes the first."""

_WRONG = {
    "uuid": "Debezium 3.5 moves the bytes of a uuid that ends in a zero byte, when it reads the binary log",
    "inet4": "Debezium 3.5 cannot read the definition of such a table, and the task stops",
    "inet6": "Debezium 3.5 cannot read the definition of such a table, and the task stops",
}
"""Types of which the connector makes something else (read off a real one): tables with them are refused."""
_OTHER = {
    "VIEW": "is a view: its rows are those of the tables it reads",
    "SYSTEM VIEW": "is a view of the server's",
    "SEQUENCE": "is a sequence: no binary log has what it counts",
    "SYSTEM VERSIONED": "keeps its own history, whose rows the connector cannot tell from those of now",
}
_TRANSACTIONAL = frozenset({"InnoDB", "ROCKSDB"})
_PLAIN = frozenset({"Aria", "MyISAM", "MRG_MyISAM", "MEMORY", "CSV", "ARCHIVE", "BLACKHOLE"})
"""Engines without transactions. Any other shows rows of another place."""
_BASES = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "year"), "int8"),
    **dict.fromkeys(("decimal", "float", "double"), "numeric"),
    "date": "date", "time": "time", "datetime": "timestamp", "timestamp": "timestamptz",
}  # fmt: skip
"""Type → the kind of value that a policy's suggestion asks for (``governance.suggest``); all else is text."""


@dataclass(frozen=True, slots=True)
class Server:
    """The server and what the account that looks sees of it."""

    version: str
    log_bin: bool
    server_id: int
    users: frozenset[str]


@dataclass(frozen=True, slots=True)
class Relation:
    """A table. ``key``: its primary key, else its first unique index whose columns are never null."""

    schema: str
    name: str
    kind: str
    engine: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    foreign_keys: tuple[ForeignKey, ...]
    cascades: tuple[str, ...] = ()
    """Names of foreign keys by which InnoDB changes this table's rows by itself."""
    virtual: tuple[str, ...] = field(default=())

    @property
    def title(self) -> str:
        """As Debezium names it."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Inventory:
    """A server as its catalog shows it."""

    server: Server
    relations: tuple[Relation, ...]


def read(cursor: Cursor) -> Inventory:
    """Read the catalog.

    Raises:
        ConnectorError: it cannot be read.
    """
    try:
        return Inventory(_server(cursor), tuple(relations(cursor)))
    except pymysql.err.MySQLError as error:
        raise ConnectorError(f"the catalog cannot be read: MariaDB error {error.args[0]}") from None


def relations(cursor: Cursor) -> Iterator[Relation]:
    """Every table, view and sequence that is not the server's own, by name."""
    cursor.execute(_COLUMNS)
    rows = cursor.fetchall()
    tables: dict[tuple[str, str], list[tuple[str, ...]]] = {}
    for row in rows:
        tables.setdefault((row[0], row[1]), []).append(row)
    for place, mine in tables.items():
        never_null = {row[4] for row in mine if row[7]}
        definition = _definition(cursor, *place) if mine[0][2] == "BASE TABLE" else ""
        foreign = dict(_foreign(definition, place[0]))
        unique = [names for names in map(_names, _UNIQUE.findall(definition)) if set(names) <= never_null]
        yield Relation(
            schema=place[0],
            name=place[1],
            kind=mine[0][2],
            engine=mine[0][3],
            columns=tuple(_column(row[4], row[5], row[6], row[8]) for row in mine),
            key=unique[0] if unique else (),
            foreign_keys=tuple(key for key, _ in foreign.values()),
            cascades=tuple(name for name, (_, moves) in foreign.items() if moves),
            virtual=tuple(row[4] for row in mine if "VIRTUAL GENERATED" in row[8]),
        )


def _server(cursor: Cursor) -> Server:
    cursor.execute("SELECT @@version, @@log_bin, @@server_id")
    ((version, log_bin, server_id),) = cursor.fetchall()
    try:
        cursor.execute("SELECT DISTINCT user FROM mysql.user")
        users = frozenset(row[0] for row in cursor.fetchall())
    except pymysql.err.MySQLError:  # an account that may not look; the preparation is not its to run either
        users = frozenset()
    return Server(version.partition("-")[0], bool(log_bin), int(server_id), users)


def _column(name: str, declared: str, kind: str, extra: str) -> Column:
    base = "bool" if declared == "bit(1)" else _BASES.get(kind, "text")
    automatic = "auto_increment" in extra
    return Column(name, declared, base, enum=kind == "enum", array=False, automatic=automatic, own="", bottom="")


def _definition(cursor: Cursor, schema: str, table: str) -> str:
    """As bytes: the default of a binary column stands in it as it is, which need not be UTF-8."""
    cursor.connection.use_unicode = False
    try:
        cursor.execute(f"SHOW CREATE TABLE {quoted(schema)}.{quoted(table)}")
        return b"\n".join(row[1] for row in cursor.fetchall()).decode(errors="replace")
    finally:
        cursor.connection.use_unicode = True


def _foreign(definition: str, schema: str) -> Iterator[tuple[str, tuple[ForeignKey, bool]]]:
    """Name → the foreign key, and whether InnoDB changes rows of this table by it."""
    for name, columns, there, referred, references, actions in _FOREIGN.findall(definition):
        key = ForeignKey(_names(columns), _plain(there) or schema, _plain(referred), _names(references))
        yield _plain(name), (key, "CASCADE" in actions or "SET " in actions)


def quoted(name: str) -> str:
    """A name as MariaDB reads it."""
    return "`" + name.replace("`", "``") + "`"


def _plain(name: str) -> str:
    return name.replace("``", "`")


def _names(listed: str) -> tuple[str, ...]:
    return tuple(_plain(name) for name in re.findall(_NAME, listed))


ROLLED_BACK = (
    "once a transaction has changed one, what it rolls back to a savepoint stands in the binary log all the same, and"
    " arrives as if it had been committed"
)
"""Read off MariaDB 10.11's binary log: the rows, then a statement ROLLBACK TO, which Debezium passes over."""


def without_transactions(relation: Relation) -> bool:
    """Whether it is a table whose changes cannot be rolled back."""
    return relation.kind == "BASE TABLE" and relation.engine in _PLAIN


def obstacles(relation: Relation) -> Iterator[Finding]:
    """What keeps a table from being captured, whatever a definition says."""
    name = relation.title
    if relation.kind != "BASE TABLE":
        yield Finding("not_a_table", f"{name} {_OTHER.get(relation.kind, f'is no table ({relation.kind.lower()})')}")
        return
    if without_transactions(relation):
        problem = f"{name} is of the engine {relation.engine}, which has no transactions: {ROLLED_BACK}"
        fix = f"ALTER TABLE {quoted(relation.schema)}.{quoted(relation.name)} ENGINE = InnoDB;"
        yield Finding("engine", problem, fix, place=name)
    elif relation.engine not in _TRANSACTIONAL:
        problem = f"{name} is of the engine {relation.engine}: its rows are not this server's"
        yield Finding("engine", problem, place=name)
    for key in relation.cascades:
        problem = f"{name}: InnoDB changes its rows by the foreign key {key}, and no binary log has such changes"
        command = f"a foreign key {key} with ON DELETE RESTRICT ON UPDATE RESTRICT, or leave the table out"
        yield Finding("cascade", problem, place=name, command=command)
    for column in relation.columns:
        kind = column.type.partition("(")[0].split()[0]
        if column.enum and "\\" in column.type:
            problem = f"{name}.{column.name}: a label has a backslash, which cannot be told from one that Debezium adds"
            yield Finding("type_changed", f"{problem}; leave the table out, or keep it as text", place=name)
        if kind in _WRONG:
            problem = f"{name}.{column.name} is {kind}: {_WRONG[kind]}; leave the table out, or keep it as text"
            yield Finding("type_changed", problem, place=name)


def captured(found: Sequence[Relation], definition: Definition) -> tuple[Relation, ...]:
    """What a definition's patterns match, as Debezium matches (whole, regardless of case), without cdc's own."""
    patterns = [re.compile(pattern, re.IGNORECASE) for pattern in include_patterns(definition)]
    return tuple(
        relation
        for relation in found
        if relation.schema != "cdc" and any(pattern.fullmatch(relation.title) for pattern in patterns)
    )


def demand_captured(found: Sequence[Relation], definition: Definition) -> tuple[Relation, ...]:
    """The same, of what can be captured.

    Raises:
        SourceUnfit: none.
    """
    tables = tuple(relation for relation in captured(found, definition) if not any(obstacles(relation)))
    if not tables:
        raise SourceUnfit(f"{definition.path}: it captures no table that the server has", hint="see `schemas` there")
    return tables

"""Everything in a source's catalog that its definition, its preparation and its policy are written from.

:mod:`connectors.catalog` says what a connector needs to know of the tables it reads; this adds owners, columns' types,
foreign keys and the server, of all tables that are not PostgreSQL's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from connectors.catalog import Table, tables
from connectors.errors import AddressError, ConnectorError, SourceUnfit, Unreachable

LEAST_SERVER = 13
"""Older servers have neither ``publish_via_partition_root`` nor support of any Debezium that we accept."""

_SERVER = """
SELECT current_setting('server_version_num')::int / 10000, current_setting('server_version'),
       current_setting('wal_level'), pg_is_in_recovery(), current_database(), current_user,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
       ARRAY(SELECT rolname::text FROM pg_roles)"""

_RELATIONS = """
WITH RECURSIVE step AS (
    SELECT oid, oid AS at, false AS in_array, -1 AS modifier FROM pg_type
    UNION ALL
    SELECT s.oid, CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.typelem END, s.in_array OR t.typtype <> 'd',
           CASE WHEN t.typtype = 'd' AND t.typtypmod >= 0 THEN t.typtypmod ELSE s.modifier END
      FROM step s JOIN pg_type t ON t.oid = s.at
     WHERE t.typtype = 'd' OR (t.typcategory = 'A' AND t.typelem <> 0)
), base AS (
    SELECT s.oid, s.at, t.typname, t.typtype, s.in_array, s.modifier FROM step s JOIN pg_type t ON t.oid = s.at
     WHERE t.typtype <> 'd' AND NOT (t.typcategory = 'A' AND t.typelem <> 0)
)
SELECT format('%I.%I', n.nspname, c.relname), n.nspname, c.relname, pg_get_userbyid(c.relowner), c.relrowsecurity,
       (SELECT e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
         WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e' LIMIT 1),
       (SELECT coalesce(json_agg(json_build_array(
                   a.attname, format_type(a.atttypid, a.atttypmod), b.typname, b.typtype = 'e', b.in_array,
                   a.attidentity <> '' OR coalesce(pg_get_expr(f.adbin, f.adrelid) LIKE 'nextval(%', false),
                   o.typname, format_type(b.at, CASE WHEN a.atttypmod >= 0 THEN a.atttypmod ELSE b.modifier END))
               ORDER BY a.attnum), '[]')
          FROM pg_attribute a JOIN base b ON b.oid = a.atttypid JOIN pg_type o ON o.oid = a.atttypid
               LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
       (SELECT coalesce(json_agg(json_build_array(
                   (SELECT json_agg(a.attname ORDER BY u.n) FROM unnest(k.conkey) WITH ORDINALITY AS u (attnum, n)
                      JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum),
                   tn.nspname, t.relname,
                   (SELECT json_agg(a.attname ORDER BY u.n) FROM unnest(k.confkey) WITH ORDINALITY AS u (attnum, n)
                      JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum))
               ORDER BY k.conname), '[]')
          FROM pg_constraint k JOIN pg_class t ON t.oid = k.confrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
         WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.conparentid = 0)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p')"""


_OTHERS = """
SELECT n.nspname, c.relname, CASE WHEN c.relpersistence = 't' THEN 't' ELSE c.relkind::text END
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE (c.relkind IN ('v', 'm', 'f') OR (c.relkind IN ('r', 'p') AND c.relpersistence = 't'))
   AND n.nspname NOT IN ('pg_catalog', 'information_schema')
   AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY 1, 2"""

_KINDS = {
    "v": "a view: its rows are those of the tables it reads",
    "m": "a materialised view: the server derives it, and no log has its changes",
    "f": "a foreign table: its rows are in another server",
    "t": "a temporary table: its changes are in no log",
}


@dataclass(frozen=True, slots=True)
class Server:
    """The server and the role that looks. ``version`` is the major one."""

    version: int
    version_text: str
    wal_level: str
    standby: bool
    database: str
    role: str
    superuser: bool
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class Column:
    """A column; ``base`` is the type at the bottom of domains and arrays, ``bottom`` the same with its modifiers as SQL
    spells it, ``own`` PostgreSQL's name of the column's own type. ``automatic``: identity or a sequence.
    """

    name: str
    type: str
    base: str
    enum: bool
    array: bool
    automatic: bool
    own: str
    bottom: str


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """``columns`` refer to ``references`` of ``schema.table``, one to one."""

    columns: tuple[str, ...]
    schema: str
    table: str
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """A table with what its definition, preparation and policy need. ``extension``: whose table it is, if any's."""

    schema: str
    name: str
    owner: str
    row_security: bool
    extension: str | None
    columns: tuple[Column, ...]
    foreign_keys: tuple[ForeignKey, ...]
    table: Table


@dataclass(frozen=True, slots=True)
class Other:
    """What holds rows and cannot be captured, whatever a definition says; ``reason`` is a sentence."""

    schema: str
    reason: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """A database as its catalog shows it. ``others``: what is no table, or a temporary one."""

    server: Server
    relations: tuple[Relation, ...]
    others: tuple[Other, ...] = ()


@contextmanager
def opened(dsn: str, what: str) -> Iterator[Connection]:
    """A connection to a source; ``what`` names it in messages. No message repeats a part of a DSN that may be a secret.

    Raises:
        AddressError: the DSN is none.
        Unreachable: the database does not answer or refuses the role.
    """
    demand_address(dsn)
    try:
        connection = psycopg2.connect(dsn, connect_timeout=10, application_name="cdc")
    except psycopg2.OperationalError as error:
        said = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise Unreachable(
            f"{what} refuses: {said}", hint="is it running and PostgreSQL, are host, port, user and password right?"
        ) from None
    try:
        yield connection
    finally:
        connection.close()


def demand_address(dsn: str) -> None:
    """See that a DSN is one, before its parts reach any message.

    Raises:
        AddressError: it is not, or a password with ``@`` or ``/`` has spilled into its other parts.
    """
    try:
        parts = psycopg2.extensions.parse_dsn(dsn)
    except psycopg2.ProgrammingError:
        raise AddressError(
            "the DSN is not a libpq connection string", hint="postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        ) from None
    plain = re.fullmatch(r"[^@]*", parts.get("host", "") + parts.get("dbname", "") + parts.get("user", ""))
    if plain is None or re.fullmatch(r"[0-9,]*", parts.get("port", "")) is None:
        raise AddressError(
            "the DSN cannot be taken apart: its port is no number, or a part of it holds @",
            hint="in a URL write @ : / ? # of a password as %40 %3A %2F %3F %23",
        )


def read(connection: Connection) -> Inventory:
    """Read the catalog, in one read-only transaction.

    Raises:
        SourceUnfit: older than PostgreSQL 13.
        ConnectorError: the catalog cannot be read.
    """
    if connection.server_version < LEAST_SERVER * 10_000:
        raise SourceUnfit(
            f"the server is PostgreSQL {connection.server_version // 10_000}: {LEAST_SERVER} or later is needed",
            hint="upgrade the server",
        )
    try:
        connection.set_session(readonly=True, isolation_level="REPEATABLE READ")
        with connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '30s'")
            server = _server(cursor)
            return Inventory(server, _relations(cursor), _others(cursor))
    except psycopg2.Error as error:
        raise ConnectorError(
            f"the catalog cannot be read: SQLSTATE {error.pgcode}", hint="the server's log has the statement"
        ) from None
    finally:
        if not connection.closed:
            connection.set_session(readonly=False, isolation_level="DEFAULT")


def _server(cursor: Cursor) -> Server:
    cursor.execute(_SERVER)
    row = cursor.fetchone()
    assert row is not None  # a query without FROM
    version, version_text, wal_level, standby, database, role, superuser, roles = row
    return Server(version, version_text, wal_level, standby, database, role, superuser, frozenset(roles))


def _others(cursor: Cursor) -> tuple[Other, ...]:
    cursor.execute(_OTHERS)
    return tuple(Other(schema, f"{schema}.{name} is {_KINDS[kind]}") for schema, name, kind in cursor.fetchall())


def _relations(cursor: Cursor) -> tuple[Relation, ...]:
    shapes = {table.quoted: table for table in tables(cursor, (r"(?s:.*)",))}
    cursor.execute(_RELATIONS)
    found = [
        Relation(
            schema=row[1],
            name=row[2],
            owner=row[3],
            row_security=row[4],
            extension=row[5],
            columns=tuple(Column(*column) for column in row[6]),
            foreign_keys=tuple(ForeignKey(tuple(here), s, t, tuple(there)) for here, s, t, there in row[7]),
            table=shapes[row[0]],
        )
        for row in cursor.fetchall()
        if row[0] in shapes
    ]
    return tuple(sorted(found, key=lambda relation: (relation.schema, relation.name)))

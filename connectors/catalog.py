"""What a source's catalog says about the tables and the publication that a connector will read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from psycopg2.extensions import cursor as Cursor  # noqa: N812

_TABLES = """
SELECT n.nspname || '.' || c.relname, format('%I.%I', n.nspname, c.relname), quote_ident(n.nspname),
       (SELECT rn.nspname || '.' || r.relname FROM pg_class r JOIN pg_namespace rn ON rn.oid = r.relnamespace
         WHERE c.relispartition AND r.oid = pg_partition_root(c.oid)),
       c.relreplident::text, c.relpersistence = 'u', row_security_active(c.oid),
       EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = c.oid AND c.relkind = 'r'),
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'),
       (SELECT coalesce(json_agg(json_build_array(a.attname, a.attgenerated, a.attndims, format_type(b.oid, NULL),
                                               format_type(t.oid, NULL))
                               ORDER BY a.attnum), '[]')
          FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
               JOIN pg_type b ON b.oid = coalesce(nullif(t.typelem, 0), nullif(t.typbasetype, 0), t.oid)
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
       (SELECT json_build_array(
                   x.relname, i.indisprimary,
                   NOT i.indisprimary AND (i.indpred IS NOT NULL OR NOT i.indisvalid
                       OR (bool_or(NOT a.attnotnull AND k.n <= i.indnkeyatts)
                           AND NOT coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false))),
                   json_agg(a.attname ORDER BY k.n))
          FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
               CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
               JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
         WHERE i.indrelid = c.oid AND i.indisunique AND i.indexprs IS NULL
         GROUP BY i.*, i.indexrelid, i.indisprimary, i.indpred, i.indisvalid, i.indisclustered, x.relname
         ORDER BY i.indisprimary DESC, i.indisclustered DESC, x.relname LIMIT 1),
       ARRAY(SELECT a.attname::text FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
               JOIN pg_type b ON b.oid = coalesce(nullif(t.typelem, 0), t.oid)
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                AND (t.typcategory = 'A' OR (t.typname = 'numeric' AND a.atttypmod < 0))
                AND b.typnamespace = 'pg_catalog'::regnamespace
                AND EXISTS (SELECT FROM pg_type o WHERE o.typnamespace = c.relnamespace AND o.typname = b.typname))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
 ORDER BY 1"""

_PUBLICATION = """
SELECT p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, p.pubviaroot, to_jsonb(p) ->> 'pubgencols'
  FROM pg_publication p WHERE p.pubname = %s"""

_PUBLISHED = """
SELECT t.schemaname || '.' || t.tablename, t.attnames::text[], t.rowfilter IS NOT NULL
  FROM pg_publication_tables t WHERE t.pubname = %s"""

_PUBLISHED_WHOLE = """
SELECT t.schemaname || '.' || t.tablename, array_agg(a.attname::text), false
  FROM pg_publication_tables t JOIN pg_namespace n ON n.nspname = t.schemaname
       JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE t.pubname = %s GROUP BY 1"""
"""Before PostgreSQL 15 a publication has neither column lists nor row filters."""


@dataclass(frozen=True, slots=True)
class Key:
    """What Debezium takes for a table's key: the primary key, else the columns of the first unique index by name.

    ``shared``: that index lets several rows have the same key (nulls, or a condition), so it is no key at all.
    """

    index: str
    primary: bool
    shared: bool
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table that the connector reads, or a partition of one; ``name`` as Debezium writes it, ``quoted`` as SQL.

    ``included``: the definition's patterns match it. ``root``: the partitioned table on top, of a partition.
    ``has_heirs``: other tables INHERIT it, so that reading it gives their rows too.
    ``types``: column → type, an array's or a domain's being that of what it is made of; ``declared``: column → its own
    type. ``key``: None without any. ``shadowed``: columns whose type has the name of a
    table or type in the table's schema.
    """

    name: str
    quoted: str
    quoted_schema: str
    root: str | None
    replica_identity: str
    unlogged: bool
    row_security: bool
    has_heirs: bool
    readable: bool
    included: bool
    stored_columns: tuple[str, ...]
    generated_columns: tuple[str, ...]
    virtual_columns: tuple[str, ...]
    nested_arrays: tuple[str, ...]
    types: Mapping[str, str]
    key: Key | None
    declared: Mapping[str, str] = field(default_factory=dict)
    shadowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Publication:
    """A publication and what it publishes. ``lacks`` names operations; ``columns`` is by table.

    ``knows_generated``: the server can publish generated columns (PostgreSQL 18); ``generated``: this one does.
    """

    lacks: tuple[str, ...]
    via_root: bool
    knows_generated: bool
    generated: bool
    columns: Mapping[str, frozenset[str]]
    filtered: frozenset[str]


def tables(cursor: Cursor, patterns: Sequence[str]) -> tuple[Table, ...]:
    """The tables that match, as Debezium matches (whole, regardless of case), and the partitions of those."""
    cursor.execute(_TABLES)
    rows = cursor.fetchall()
    compiled = [re.compile(pattern, re.IGNORECASE) for pattern in patterns]
    included = {row[0] for row in rows if any(pattern.fullmatch(row[0]) for pattern in compiled)}
    return tuple(
        Table(
            name=row[0],
            quoted=row[1],
            quoted_schema=row[2],
            root=row[3],
            replica_identity=row[4],
            unlogged=row[5],
            row_security=row[6],
            has_heirs=row[7],
            readable=row[8],
            included=row[0] in included,
            stored_columns=tuple(name for name, generated, *_ in row[9] if generated == ""),
            generated_columns=tuple(name for name, generated, *_ in row[9] if generated == "s"),
            virtual_columns=tuple(name for name, generated, *_ in row[9] if generated == "v"),
            nested_arrays=tuple(name for name, _, dimensions, *_ in row[9] if dimensions > 1),
            types={name: kind for name, _, _, kind, _ in row[9]},
            key=_key(*row[10]) if row[10] else None,
            declared={name: declared for name, *_, declared in row[9]},
            shadowed=tuple(row[11]),
        )
        for row in rows
        if row[0] in included or row[3] in included
    )


def _key(index: str, primary: bool, shared: bool, columns: list[str]) -> Key:
    return Key(index, primary, shared, tuple(columns))


def publication(cursor: Cursor, name: str) -> Publication | None:
    """The publication of that name, if there is one."""
    cursor.execute(_PUBLICATION, (name,))
    row = cursor.fetchone()
    if row is None:
        return None
    operations = zip(("INSERT", "UPDATE", "DELETE", "TRUNCATE"), row[:4], strict=True)
    cursor.execute(_PUBLISHED if cursor.connection.server_version >= 150_000 else _PUBLISHED_WHOLE, (name,))
    published = cursor.fetchall()
    return Publication(
        lacks=tuple(operation for operation, has in operations if not has),
        via_root=row[4],
        knows_generated=row[5] is not None,
        generated=row[5] == "s",
        columns={table: frozenset(columns) for table, columns, _ in published},
        filtered=frozenset(table for table, _, filtered in published if filtered),
    )

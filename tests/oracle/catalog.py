"""What there is to compare: a source's own catalog, with the policy file read as data.

The two rules of protection that no policy file spells out are written here once more, from the documentation: a column
that is not listed is sealed, and a column of the key that is not clear is tokenised. So is Debezium's of keys: without a
primary key it takes the first unique index, by name, that has no expression.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import yaml

_TABLES = """
WITH RECURSIVE step AS (
    SELECT oid, oid AS at FROM pg_type
    UNION ALL
    SELECT s.oid, t.typbasetype FROM step AS s JOIN pg_type AS t ON t.oid = s.at WHERE t.typtype = 'd'
), base AS (
    SELECT s.oid, CASE WHEN t.typcategory = 'A' THEN 'array' ELSE t.typname::text END AS name
      FROM step AS s JOIN pg_type AS t ON t.oid = s.at WHERE t.typtype <> 'd'
)
SELECT n.nspname, c.relname,
       array_agg(a.attname::text ORDER BY a.attnum), array_agg(b.name ORDER BY a.attnum),
       coalesce((SELECT array_agg(k.attname::text ORDER BY place.n)
                   FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid
                  CROSS JOIN unnest(i.indkey::int[]) WITH ORDINALITY AS place (attnum, n)
                   JOIN pg_attribute AS k ON k.attrelid = c.oid AND k.attnum = place.attnum
                  WHERE i.indrelid = c.oid AND i.indisunique AND i.indexprs IS NULL
                  GROUP BY i.indexrelid, i.indisprimary, x.relname
                  ORDER BY i.indisprimary DESC, x.relname LIMIT 1), '{}')
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN base AS b ON b.oid = a.atttypid
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
 GROUP BY n.nspname, c.relname, c.oid ORDER BY n.nspname, c.relname
"""
_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")
_OURS = re.compile(r"_(key|version|seq|committed_at|deleted|copies)_*")
MOVING = {("cdc.heartbeat", "beat_at")}
"""Changes every few seconds by itself: never equal while the connector runs."""


@dataclass(frozen=True, slots=True)
class SourceTable:
    """One table: ``types`` maps each column to its ``pg_type.typname`` (of a domain its base, of arrays ``array``), ``protect`` to ``clear``, ``seal``, ``token`` or ``drop``."""

    schema: str
    name: str
    types: dict[str, str]
    key: tuple[str, ...]
    protect: dict[str, str]
    domains: dict[str, str]
    """Of the tokenised columns."""

    @property
    def title(self) -> str:
        """``schema.table``, as policies and entries name it (docs/formats.md §3)."""
        return ".".join(
            part if _PLAIN.fullmatch(part) else '"' + part.replace('"', '""') + '"' for part in (self.schema, self.name)
        )

    @property
    def view(self) -> str:
        """Its name within the warehouse's schemas; the title, with quotes, where a dot would be ambiguous."""
        if "." in self.schema + self.name:
            name = self.title
        else:
            name = self.name if self.schema == "public" else f"{self.schema}.{self.name}"
        if len(name.encode()) <= 63:
            return name
        return name.encode()[:52].decode(errors="ignore") + "~" + hashlib.sha256(name.encode()).hexdigest()[:10]

    @staticmethod
    def ours(column: str) -> str:
        """The column's name in the warehouse: with one more ``_`` where state tables have, or could have, one of that name."""
        if len(column.encode()) > 63:  # of MariaDB's, whose names have up to 64 characters
            return column.encode()[:52].decode(errors="ignore") + "~" + hashlib.sha256(column.encode()).hexdigest()[:10]
        return column + "_" if _OURS.fullmatch(column) else column

    @property
    def arrays(self) -> frozenset[str]:
        """Columns that are arrays."""
        return frozenset(column for column, name in self.types.items() if name == "array")

    @property
    def amounts(self) -> frozenset[str]:
        """Columns of type money, which the warehouse has as numbers."""
        return frozenset(column for column, name in self.types.items() if name == "money")

    @property
    def clear(self) -> tuple[str, ...]:
        """Columns that are the same text on both sides."""
        return tuple(c for c in self.types if self.protect[c] == "clear" and (self.title, c) not in MOVING)

    @property
    def protected(self) -> tuple[str, ...]:
        """Columns that the warehouse holds as cells or tokens."""
        return tuple(c for c in self.types if self.protect[c] in {"seal", "token"})


def source_tables(
    source_dsn: str, source_name: str, policy_path: Path | str, without: Collection[str] = ()
) -> list[SourceTable]:
    """Every table that the source's catalog has now, under the rules of the policy file.

    ``without``: titles of those that are not to be captured.
    """
    policy = yaml.safe_load(Path(policy_path).read_text(encoding="utf-8"))["tables"]
    connection = psycopg2.connect(source_dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(_TABLES)
            rows = cursor.fetchall()
    finally:
        connection.close()
    found = [
        _described(source_name, schema, name, dict(zip(columns, types, strict=True)), tuple(key), policy)
        for schema, name, columns, types, key in rows
    ]
    return [table for table in found if table.title not in without]


def _described(
    source: str, schema: str, name: str, types: dict[str, str], key: tuple[str, ...], policy: dict
) -> SourceTable:
    title = SourceTable(schema, name, {}, (), {}, {}).title
    rules = (policy.get(title) or {"columns": {}})["columns"]
    protect, domains = {}, {}
    for column in types:
        rule = rules.get(column, "seal")
        protect[column] = rule if isinstance(rule, str) else rule["protect"]
        if column in key and protect[column] in {"seal", "drop"}:
            protect[column] = "token"
        if protect[column] == "token":
            given = rule.get("domain") if isinstance(rule, dict) else None
            domains[column] = given or f"{source}.{title}.{column}"
    return SourceTable(schema, name, types, key, protect, domains)

"""The same for a source on MariaDB: its rows and the warehouse's, each column as text made in SQL, every protected value opened.

Imports nothing of the project it judges. What a type's text is on either side, and on the wire, is in ``RULES``.
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
import pymysql
import yaml
from psycopg2 import sql

from tests.independent.cells import Cells
from tests.independent.siv import DoesNotOpen
from tests.oracle.catalog import SourceTable, _described
from tests.oracle.comparison import OpenedComparison

_SHORT = "CASE WHEN instr({c}, '.') THEN trim(trailing '.' from trim(trailing '0' from {c})) ELSE {c} END"
_DURATION = re.compile(r"P0Y0M0DT(-?)(\d+)H-?(\d+)M-?(\d+)(?:\.(\d+))?S")


@dataclass(frozen=True, slots=True)
class Rule:
    """A value's text at the source, in a clear column of the warehouse, and from what a cell or a token holds."""

    here: str = "cast({c} AS char)"
    there: str = "{c}::text"
    opened: Callable[[Any], str] = str
    alike: Callable[[str], str] = str
    """Takes away what is notation only."""


def _time(wire: str) -> str:
    found = _DURATION.fullmatch(wire)
    assert found is not None
    sign, hours, minutes, seconds, fraction = found.groups()
    told = f"{sign}{int(hours):02d}:{int(minutes):02d}:{int(seconds):02d}"
    return f"{told}.{fraction.rstrip('0')}" if fraction else told


def _instant(wire: str) -> str:
    day, _, clock = wire.removesuffix("Z").partition("T")
    whole, _, fraction = clock.partition(".")
    return f"{day} {whole}.{fraction:0<6}"


_NUMBER = Rule(
    opened=lambda wire: f"{Decimal(wire):f}", alike=lambda text: f"{Decimal(text):f}"
)  # ZEROFILL's zeros are not kept
_SPATIAL = Rule(
    "replace(to_base64(st_aswkb({c})), '\n', '')", "{c}::json -> 'struct' ->> 'wkb'", lambda wire: wire["struct"]["wkb"]
)
_FLOAT = Rule(alike=lambda text: repr(float(text)))
_BYTES = Rule("lower(hex({c}))", "encode({c}, 'hex')", lambda wire: base64.b64decode(wire, validate=True).hex())
_INSTANT = Rule("date_format({c}, '%%Y-%%m-%%d %%H:%%i:%%s.%%f')", "to_char({c}, 'YYYY-MM-DD HH24:MI:SS.US')", _instant)
RULES: dict[str, Rule] = {
    "decimal": _NUMBER,
    "double": _FLOAT,
    "float": _FLOAT,
    "date": Rule(opened=lambda wire: wire.removesuffix("Z")),
    "datetime": _INSTANT,
    "timestamp": _INSTANT,
    "time": Rule(_SHORT, opened=_time),
    "bit": Rule("lpad(bin({c} + 0), {n}, '0')", "{c}"),
    "bit(1)": Rule("CASE {c} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END"),
    **dict.fromkeys(("geometry", "point", "linestring", "polygon"), _SPATIAL),
    **dict.fromkeys(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"), _BYTES),
}
"""What is not here is the same text everywhere."""
_KEYS = re.compile(r"^  (?:PRIMARY KEY|UNIQUE KEY `(?:[^`]|``)+`) \((.*)\)", re.MULTILINE)
_NAME = re.compile(r"`((?:[^`]|``)+)`")
"""Debezium takes the primary key, else the first unique key, in the server's order, that has no column with nulls."""
_TABLES = """
SELECT c.table_schema, c.table_name, c.column_name, c.data_type, c.column_type, coalesce(c.numeric_precision, 0),
       c.is_nullable
  FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
 WHERE t.table_type = 'BASE TABLE' AND c.table_schema IN %s ORDER BY 1, 2, c.ordinal_position"""


def compare_maria(
    source: pymysql.connections.Connection,
    warehouse_dsn: str,
    privacy_dsn: str,
    keyring: Path,
    name: str,
    policy: Path,
    schemas: Collection[str],
    without: Collection[str] = (),
) -> list[OpenedComparison]:
    """Every table of these databases (and ``cdc.signal``) against its copy, whole rows, in a multiset. The source stands still."""
    cells = Cells(keyring, privacy_dsn)
    rules = yaml.safe_load(policy.read_text(encoding="utf-8"))["tables"]
    with source.cursor() as cursor:
        cursor.execute("SET time_zone = '+00:00'")
        cursor.execute(_TABLES, (list(schemas),))
        columns = cursor.fetchall()
    found = []
    for schema, table in dict.fromkeys(row[:2] for row in columns):
        mine = [row for row in columns if row[:2] == (schema, table)]
        types = {row[2]: f"{row[3]} {row[5]}" if row[3] == "bit" else row[3] for row in mine}
        never_null = {row[2] for row in mine if row[6] == "NO"}
        source.use_unicode = False  # the default of a binary column need not be UTF-8
        with source.cursor() as cursor:
            cursor.execute(f"SHOW CREATE TABLE `{schema.replace('`', '``')}`.`{table.replace('`', '``')}`")
            text = cursor.fetchone()[1].decode(errors="replace")
        source.use_unicode = True
        keys = (tuple(c.replace("``", "`") for c in _NAME.findall(listed)) for listed in _KEYS.findall(text))
        key = next((names for names in keys if never_null.issuperset(names)), ())
        described = _described(name, schema, table, types, key, rules)
        if described.title not in without:
            found.append(_Opened(name, described, cells).compare(source, warehouse_dsn))
    return found


class _Differs(Exception):
    pass


class _Opened:
    def __init__(self, source: str, table: SourceTable, cells: Cells) -> None:
        self._source, self._table, self._cells, self._count = source, table, cells, 0
        self._columns = [column for column in table.types if table.protect[column] != "drop"]

    def compare(self, source: pymysql.connections.Connection, warehouse_dsn: str) -> OpenedComparison:
        title = self._table.title
        theirs = self._source_rows(source)
        try:
            ours = self._kept(warehouse_dsn)
        except _Differs as error:
            return OpenedComparison(title, theirs.total(), self._count, f"{title}: {error}")
        lost, extra = theirs - ours, ours - theirs
        said = None
        if lost or extra:
            said = f"{title}: {theirs.total()} rows in the source, {ours.total()} in the warehouse, {lost.total()} only there, {extra.total()} only here"
            if lost and extra:
                one, other = min(lost, key=str), min(extra, key=str)
                said += "; columns of the first: " + ", ".join(
                    c for c, a, b in zip(self._columns, one, other, strict=True) if a != b
                )
        return OpenedComparison(title, theirs.total(), self._count, said)

    def _rule(self, column: str) -> tuple[Rule, str]:
        kind, _, width = self._table.types[column].partition(" ")
        return RULES.get("bit(1)" if width == "1" else kind, Rule()), width

    def _source_rows(self, source: pymysql.connections.Connection) -> Counter:
        parts = []
        for column in self._columns:
            rule, width = self._rule(column)
            quoted = "`" + column.replace("`", "``").replace("%", "%%") + "`"
            parts.append("cast(" + rule.here.format(c=quoted, n=width) + " AS char CHARACTER SET utf8mb4)")
        name = ".".join(
            "`" + part.replace("`", "``").replace("%", "%%") + "`" for part in (self._table.schema, self._table.name)
        )
        with source.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(parts)} FROM {name}", ())
            return Counter(self._alike(row) for row in cursor.fetchall())

    def _kept(self, dsn: str) -> Counter:
        table = self._table
        connection = psycopg2.connect(dsn, options="-c timezone=UTC")
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT state_name, keyless, truncated_through, suspended_code FROM pipeline.state_table WHERE log = %s AND table_name = %s",
                    (self._source, table.title),
                )
                described = cursor.fetchone()
                if described is None:  # never a row
                    return Counter()
                name, keyless, truncated, suspended = described
                if suspended is not None:
                    raise _Differs(f"its state is suspended ({suspended})")
                if keyless == bool(table.key):
                    raise _Differs("one side has a key, the other has none")
                query = sql.SQL(
                    "SELECT _key, {copies}, {columns} FROM {state} WHERE {alive} AND _seq > {truncated}"
                ).format(
                    copies=sql.SQL("_copies" if keyless else "1"),
                    columns=sql.SQL(", ").join(self._there(column) for column in self._columns),
                    state=sql.Identifier(f"{self._source}_state", name),
                    alive=sql.SQL("_copies > 0" if keyless else "NOT _deleted"),
                    truncated=sql.Literal(truncated),
                )
                try:
                    cursor.execute(query)
                except psycopg2.errors.UndefinedColumn:
                    raise _Differs("the warehouse's state lacks a column") from None
                found: Counter = Counter()
                for key, copies, *row in cursor:
                    found[self._opened(key, row)] += copies
                return found
        finally:
            connection.close()

    def _there(self, column: str) -> sql.Composable:
        protect, (rule, _) = self._table.protect[column], self._rule(column)
        template = {"seal": "encode({c}, 'hex')", "token": "{c}"}.get(protect, rule.there)
        quoted = sql.Identifier(self._table.ours(column))
        return sql.SQL(template.replace("{c}", "{}")).format(*([quoted] * template.count("{c}")))

    def _opened(self, key: str, row: list) -> tuple:
        row_key = json.loads(key) if self._table.key else []
        opened = []
        for column, stored in zip(self._columns, row, strict=True):
            protect = self._table.protect[column]
            if stored is None or protect == "clear":
                opened.append(stored)
                continue
            self._count += 1
            try:
                if protect == "token":
                    domain, wire = self._cells.token(stored)
                    if domain != self._table.domains[column]:
                        raise _Differs(f"row {key}: the token of {column} is one of the domain {domain}")
                else:
                    wire = self._cells.open(bytes.fromhex(stored), self._source, self._table.title, column, row_key)
            except (DoesNotOpen, KeyError, IndexError, ValueError, AssertionError) as error:
                raise _Differs(f"row {key}: {column} does not open ({type(error).__name__})") from None
            opened.append(self._rule(column)[0].opened(wire))
        return self._alike(opened)

    def _alike(self, row: Iterable[str | None]) -> tuple:
        """Values in a notation that both sides share."""
        rules = (self._rule(column)[0].alike for column in self._columns)
        return tuple(text if text is None else alike(text) for alike, text in zip(rules, row, strict=True))

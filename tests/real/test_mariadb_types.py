"""MariaDB's types from the source to typed state, by snapshot and by binary log, compared as text in SQL."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from cdc.local.mariadb import Server
from cdc.local.stack import Stack
from connectors import mariadb_check
from connectors.definition import load
from tests.fix_mariadb import PASSWORD, MariaSource, maria_source

TRIMMED = "trim(trailing '.' from trim(trailing '0' from {c}))"
# column: (type, values, text at the source, type of the state column, text in the warehouse)
TYPES: dict[str, tuple[str, tuple[str, ...], str, str, str]] = {
    "t": ("tinyint", ("-128", "127"), "{c}", "smallint", "{c}::text"),
    "tu": ("tinyint unsigned", ("0", "255"), "{c}", "smallint", "{c}::text"),
    "su": ("smallint unsigned", ("65535",), "{c}", "integer", "{c}::text"),
    "mu": ("mediumint unsigned", ("16777215",), "{c}", "integer", "{c}::text"),
    "m": ("mediumint", ("-8388608",), "{c}", "integer", "{c}::text"),
    "iu": ("int unsigned", ("4294967295",), "{c}", "bigint", "{c}::text"),
    "b": ("bigint", ("-9223372036854775808", "9223372036854775807"), "{c}", "bigint", "{c}::text"),
    "bu": ("bigint unsigned", ("18446744073709551615", "9223372036854775808"), "{c}", "numeric", "{c}::text"),
    "o": ("boolean", ("true", "false"), "{c}", "smallint", "{c}::text"),
    "y": ("year", ("1901", "2155"), "{c}", "smallint", "{c}::text"),
    "d": (
        "decimal(65,30)",
        (
            "12345678901234567890123456789012345.123456789012345678901234567890",
            "-0.000000000000000000000000000001",
            "0",
        ),
        "{c}",
        "numeric",
        "{c}::text",
    ),
    "f": ("float", ("1.5", "-0.25", "3.4e38"), "{c}", "real", "replace({c}::text, 'e+', 'e')"),
    "g": (
        "double",
        ("1.7976931348623157e308", "5e-324", "0.1"),
        "{c}",
        "double precision",
        "replace({c}::text, 'e+', 'e')",
    ),
    "da": ("date", ("'9999-12-31'", "'1000-01-01'", "'1582-10-10'", "'2024-02-29'"), "{c}", "date", "{c}::text"),
    "dt": (
        "datetime",
        ("'9999-12-31 23:59:59'", "'1000-01-01 00:00:00'"),
        "{c}",
        "timestamp without time zone",
        "{c}::text",
    ),
    "dt6": (
        "datetime(6)",
        ("'2024-02-29 23:59:59.000001'", "'1000-01-01 00:00:00.12'"),
        TRIMMED,
        "timestamp without time zone",
        "{c}::text",
    ),
    "ts6": (
        "timestamp(6) NULL",
        ("'2038-01-19 03:14:07.999999'", "'1970-01-01 00:00:01'"),
        TRIMMED,
        "timestamp with time zone",
        "rtrim(rtrim(to_char({c}, 'YYYY-MM-DD HH24:MI:SS.US'), '0'), '.')",
    ),
    "ti": ("time", ("'838:59:59'", "'-838:59:59'", "'24:00:00'", "'-00:00:01'"), "{c}", "interval", "{c}::text"),
    "ti6": ("time(6)", ("'-838:59:58.999999'", "'00:00:00.000001'"), TRIMMED, "interval", "{c}::text"),
    "c": ("char(5)", ("'ab'", "''"), "{c}", "text", "{c}"),
    "v": ("varchar(40)", ("'h\u00e9llo \U0001f389'", "'tab\\t\\\\ \\'q\\' \\n'"), "{c}", "text", "{c}"),
    "vl": ("varchar(40) CHARACTER SET latin1", ("'caf\u00e9 \u20ac'",), "{c}", "text", "{c}"),
    "sj": ("varchar(40) CHARACTER SET sjis", ("'\u65e5\u672c'",), "{c}", "text", "{c}"),
    "u2": ("varchar(40) CHARACTER SET ucs2", ("'\u65e5\u672c\u00e9'",), "{c}", "text", "{c}"),
    "tx": ("longtext", ("'long'", "repeat('x', 70000)"), "{c}", "text", "{c}"),
    "bn": ("binary(4)", ("x'00ff'", "x'ffffffff'", "x'00000000'"), "lower(hex({c}))", "bytea", "encode({c}, 'hex')"),
    "vb": ("varbinary(9)", ("x'00ff00'", "x''"), "lower(hex({c}))", "bytea", "encode({c}, 'hex')"),
    "bl": ("blob", ("x'000102ff00'",), "lower(hex({c}))", "bytea", "encode({c}, 'hex')"),
    "b1": ("bit(1)", ("b'1'", "b'0'"), "CASE {c} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END", "boolean", "{c}::text"),
    "b9": ("bit(9)", ("b'101010101'", "b'0'"), "lpad(bin({c} + 0), 9, '0')", "text", "{c}"),
    "b64": ("bit(64)", ("18446744073709551615", "1"), "lpad(bin({c} + 0), 64, '0')", "text", "{c}"),
    "e": ("enum('a','b''c','d,e','\u00fc')", ("'d,e'", "'b''c'", "'\u00fc'"), "{c}", "text", "{c}"),
    "s": ("set('x','y','z z')", ("'x,z z'", "''"), "{c}", "text", "{c}"),
    "j": ("json", ('\'{"a": 1.10, "b": [null, "\u00e9"]}\'',), "{c}", "text", "{c}"),
    "p": (
        "geometry",
        ("st_geomfromtext('POINT(1 2)')", "st_geomfromtext('LINESTRING(0 0,1 1)')"),
        "to_base64(st_aswkb({c}))",
        "text",
        "{c}::json -> 'struct' ->> 'wkb'",
    ),
}


@pytest.fixture(scope="module")
def typed(stack: Stack, mariadb: Server) -> Iterator[MariaSource]:
    """Every value twice: once before the snapshot, once after it."""
    with maria_source(stack, mariadb) as source:
        columns = ", ".join(f"`{name}` {kind[0]}" for name, kind in TYPES.items())
        source.run(f"CREATE TABLE typed (id int PRIMARY KEY, {columns})")
        source.run(
            "SET sql_mode = ''",
            "CREATE TABLE zero (id int PRIMARY KEY, a date, b date NOT NULL, y year, g datetime(6))",
        )
        _insert(source, 0)
        listed = ", ".join(f"{name}: clear" for name in ("id", *TYPES))
        source.declare(
            f"source: {source.name}\ntables:\n"
            "  cdc.heartbeat: {columns: {id: clear, beat_at: clear, system_identifier: clear, timeline: clear}}\n"
            f"  {source.name}.typed: {{columns: {{{listed}}}}}\n"
            f"  {source.name}.zero: {{columns: {{id: clear, a: clear, b: clear, 'y': clear, g: clear}}}}\n".replace(
                " y:", " 'y':"
            )
        )
        source.apply()
        source.wait()
        _insert(source, 1000)
        source.run("UPDATE typed SET c = 'upd' WHERE id = 1001", "DELETE FROM typed WHERE id = 1002")
        source.wait()
        yield source


def _insert(source: MariaSource, base: int) -> None:
    most = max(len(kind[1]) for kind in TYPES.values())
    for row in range(most + 1):  # the last one has nothing but nulls
        values = [kind[1][row] if row < len(kind[1]) else "NULL" for kind in TYPES.values()]
        source.run(f"INSERT INTO typed VALUES ({base + row}, {', '.join(values)})")
    source.run(
        "SET sql_mode = ''", f"INSERT INTO zero VALUES ({base}, '0000-00-00', '0000-00-00', '0000', '1582-10-10')"
    )


@pytest.mark.parametrize("name", TYPES)
def test_the_state_is_the_source_as_text(typed: MariaSource, name: str) -> None:
    _, values, here, state, there = TYPES[name]
    expected = typed.run(f"SELECT id, cast({here.format(c=f'`{name}`')} AS char) FROM typed ORDER BY id")
    table = f'{typed.name}."{typed.name}.typed"'
    kind = typed.warehouse.query(f'SELECT DISTINCT pg_typeof("{name}")::text FROM {table}')
    found = typed.warehouse.query(
        f"SET timezone = 'UTC'; SELECT id, {there.format(c=f'{chr(34)}{name}{chr(34)}')} FROM {table} ORDER BY id"
    )
    assert kind == [(state,)]
    assert found == expected
    assert sum(text is not None for _, text in found) >= 2 * len(values) - 1


def test_history_views_type_as_state_does(typed: MariaSource) -> None:
    columns = ", ".join(f'"after_{name}"::text' for name in TYPES)
    state = ", ".join(f'"{name}"::text' for name in TYPES)
    shown = typed.warehouse.query(
        f'SELECT {columns} FROM {typed.name}_history."{typed.name}.typed" WHERE after_id = 0 ORDER BY _seq DESC LIMIT 1'
    )
    assert shown == typed.warehouse.query(f'SELECT {state} FROM {typed.name}."{typed.name}.typed" WHERE id = 0')


def test_policy_explain_says_which_state_column_each_column_gets(typed: MariaSource) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cdc", "policy", "explain", typed.name, "--output", "json", "--config", str(typed.warehouse.path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["from_catalog"]
    explained = {row["column"]: row["state"] for row in told["columns"] if row["table"] == f"{typed.name}.typed"}
    made = dict(
        typed.warehouse.query(
            "SELECT c ->> 'name', c ->> 'type' FROM pipeline.state_table, jsonb_array_elements(columns) c WHERE table_name = %s",
            (f"{typed.name}.typed",),
        )
    )
    assert explained == made


def test_what_debezium_makes_of_zero_dates(typed: MariaSource) -> None:
    """Limits, so that a version of Debezium that mends them is noticed."""
    rows = typed.warehouse.query(
        f'SELECT id, a::text, b::text, "y", g::date::text FROM {typed.name}."{typed.name}.zero" ORDER BY id'
    )
    assert rows == [
        (0, None, "1970-01-01", 2000, "1582-10-20"),
        (1000, None, "1970-01-01", 0, "1582-10-10"),
    ]


def test_what_cannot_be_captured_is_refused_and_what_is_doubtful_is_told(typed: MariaSource) -> None:
    definition = load(typed.warehouse.settings.source(typed.name).definition)
    dsn = f"mariadb://cdc_capture:{PASSWORD}@127.0.0.1:{typed.server.port}/{typed.name}"
    assert [(found.code, found.refuse) for found in mariadb_check.source(definition, dsn)] == [("zero_dates", False)]
    typed.run("CREATE TABLE refused (id int PRIMARY KEY, u uuid, e enum('a\\\\,b'))")
    try:
        found = [finding for finding in mariadb_check.source(definition, dsn) if finding.refuse]
        assert [finding.code for finding in found] == ["type_changed", "type_changed"]
        assert [finding.problem.split()[0].rstrip(":") for finding in found] == [
            f"{typed.name}.refused.u",
            f"{typed.name}.refused.e",
        ]
    finally:
        typed.run("DROP TABLE refused")

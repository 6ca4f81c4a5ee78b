"""What is done to the source, case by case. Plain SQL; nothing of the product is used here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """``steps`` run in order, each in its session (outside any transaction unless a step says BEGIN).

    ``until``: a notification (aggregate type and type) to wait for. ``beats``: heartbeats belong to the case.
    """

    file: str
    name: str
    steps: tuple[tuple[str, str], ...]
    until: str | None = None
    beats: bool = False


def one(file: str, name: str, *statements: str) -> Case:
    """Statements of one session, each its own transaction."""
    return Case(file, name, tuple(("a", statement) for statement in statements))


def together(file: str, name: str, *statements: str, end: str = "COMMIT") -> Case:
    """Statements of one session in one transaction."""
    return one(file, name, "BEGIN", *statements, end)


def woven(file: str, name: str, *steps: str) -> Case:
    """Steps of several sessions, each written ``session: statement``."""
    return Case(file, name, tuple((step[0], step[3:]) for step in steps))


_SAVED = "INSERT INTO golden.account VALUES (34, 'before', 0)"

CASES = (
    one("changes", "insert", "INSERT INTO golden.account VALUES (10, 'Ten', 1)"),
    one("changes", "update", "UPDATE golden.account SET owner = NULL, balance = balance + 0.0001 WHERE id = 10"),
    one("changes", "update_nothing_changed", "UPDATE golden.account SET owner = owner WHERE id = 10"),
    one("changes", "key_change", "UPDATE golden.account SET id = 11 WHERE id = 10"),
    one("changes", "delete", "DELETE FROM golden.account WHERE id = 11"),
    together(
        "changes",
        "delete_and_insert_again",
        "DELETE FROM golden.account WHERE id = 1",
        "INSERT INTO golden.account VALUES (1, 'Ada again', 0)",
    ),
    one(
        "changes",
        "rows_of_one_statement",
        "INSERT INTO golden.account SELECT n, 'o' || n, n FROM generate_series(20, 22) AS n",
    ),
    one("changes", "rows_of_one_copy", "COPY golden.keyless FROM STDIN"),
    together(
        "changes",
        "composite_key",
        "UPDATE golden.composite SET v = 'uno' WHERE region = 'EU'",
        "UPDATE golden.composite SET region = 'ES' WHERE region = 'EU'",
        "DELETE FROM golden.composite WHERE region = 'US'",
    ),
    together(
        "changes", "keyless", "UPDATE golden.keyless SET b = 'y' WHERE a = 5", "DELETE FROM golden.keyless WHERE a = 5"
    ),
    together(
        "changes",
        "unique_index_for_key",
        "INSERT INTO golden.unique_only VALUES (1, 'u')",
        "DELETE FROM golden.unique_only",
    ),
    one("changes", "quoted_names", """INSERT INTO golden."Mixed Case" VALUES (1, 'q')"""),
    one("changes", "large_value_untouched", "UPDATE golden.toasted SET small = 't' WHERE id = 1"),
    one(
        "changes",
        "placeholder_as_genuine_text",
        "INSERT INTO golden.account VALUES (30, '__debezium_unavailable_value', 0)",
    ),
    together(
        "changes",
        "partitions",
        "INSERT INTO golden.parted VALUES (2, '2025-06-02', 'v')",
        "UPDATE golden.parted SET at = '2026-06-02' WHERE id = 2",
    ),
    one("transactions", "truncate", "TRUNCATE golden.keyless"),
    together(
        "transactions",
        "truncate_among_rows",
        "INSERT INTO golden.keyless VALUES (8, '8')",
        "TRUNCATE golden.keyless, golden.empty",
        "INSERT INTO golden.keyless VALUES (9, '9')",
    ),
    together("transactions", "rolled_back", "INSERT INTO golden.account VALUES (99, 'x', 1)", end="ROLLBACK"),
    together(
        "transactions",
        "savepoint",
        _SAVED,
        "SAVEPOINT s",
        "INSERT INTO golden.account VALUES (35, 'undone', 0)",
        "ROLLBACK TO s",
        "INSERT INTO golden.account VALUES (36, 'after', 0)",
    ),
    one(
        "transactions",
        "empty",
        "SELECT txid_current()",
        "CREATE TABLE public.uncaptured (id int)",
        "INSERT INTO public.uncaptured VALUES (1)",
    ),
    woven(
        "transactions",
        "interleaved",
        "a: BEGIN",
        "b: BEGIN",
        "a: INSERT INTO golden.account VALUES (40, 'A1', 0)",
        "b: INSERT INTO golden.account VALUES (41, 'B1', 0)",
        "a: INSERT INTO golden.composite VALUES ('A', 40, 'A2')",
        "b: INSERT INTO golden.composite VALUES ('B', 41, 'B2')",
        "b: COMMIT",
        "a: INSERT INTO golden.account VALUES (42, 'A3', 0)",
        "a: COMMIT",
    ),
    together(
        "transactions",
        "column_added_in_the_middle",
        "INSERT INTO golden.composite VALUES ('X', 50, 'old')",
        "ALTER TABLE golden.composite ADD COLUMN rating text",
        "INSERT INTO golden.composite VALUES ('X', 51, 'new', 'AAA')",
        "UPDATE golden.composite SET rating = 'B' WHERE id = 50",
    ),
    one(
        "transactions",
        "table_created",
        "CREATE TABLE golden.later (id int PRIMARY KEY, v text)",
        "ALTER TABLE golden.later REPLICA IDENTITY FULL",
        "INSERT INTO golden.later VALUES (1, 'x')",
    ),
    together(
        "messages",
        "transactional",
        """SELECT pg_logical_emit_message(true, 'cdc.actor', '{"user":"é"}')""",
        "INSERT INTO golden.account VALUES (31, 'a', 0)",
        "SELECT pg_logical_emit_message(true, 'cdc.actor', 'second')",
    ),
    one("messages", "transactional_alone", "SELECT pg_logical_emit_message(true, 'only', 'm')"),
    one("messages", "transactional_bytes", r"SELECT pg_logical_emit_message(true, 'bytes', '\x00ff'::bytea)"),
    one("messages", "not_transactional", "SELECT pg_logical_emit_message(false, 'cdc.note', 'alone')"),
    together(
        "messages",
        "not_transactional_survives_rollback",
        "INSERT INTO golden.account VALUES (99, 'x', 1)",
        "SELECT pg_logical_emit_message(false, 'cdc.note', 'survives')",
        end="ROLLBACK",
    ),
    together(
        "messages",
        "not_transactional_inside",
        "INSERT INTO golden.account VALUES (32, 'a', 0)",
        "SELECT pg_logical_emit_message(false, 'cdc.note', 'inside')",
        "INSERT INTO golden.account VALUES (33, 'a', 0)",
    ),
    Case("heartbeats", "heartbeat", (), beats=True),
    Case(
        "signals",
        "incremental_snapshot",
        (
            (
                "a",
                """INSERT INTO cdc.signal VALUES ('golden-1', 'execute-snapshot',
          '{"type": "incremental", "data-collections": ["golden.composite", "golden.keyless"]}')""",
            ),
        ),
        until="Incremental Snapshot/COMPLETED",
    ),
    one(
        "types",
        "numbers",
        """INSERT INTO golden.numbers (id, c_smallint, c_bigint, c_numeric, c_scaled, c_whole, c_real, c_double, c_money, c_amount,
           c_boolean, c_oid) VALUES
           (1, -32768, -9223372036854775808, 12345678901234567890.1234567890123456789012345678900, 1.5, 9999999999, 3.4028235e38,
            1.7976931348623157e308, 12.34, 99.9, true, 26),
           (2, 32767, 9223372036854775807, 'NaN', 'NaN', 0, 'NaN', 'Infinity', -0.01, -0.01, false, 4294967295),
           (3, 0, 0, 'Infinity', -0.00000001, -1, '-Infinity', '-Infinity', NULL, NULL, NULL, NULL),
           (4, NULL, NULL, '-Infinity', 123456789012.12345678, NULL, 1e-45, '-0', NULL, NULL, NULL, NULL),
           (5, NULL, NULL, 1e-40, NULL, NULL, 0.1, 5e-324, NULL, NULL, NULL, NULL)""",
        "DELETE FROM golden.numbers WHERE id = 5",
    ),
    one(
        "types",
        "times",
        """INSERT INTO golden.times VALUES
           (1, '2025-06-02', '23:59:59.999999', '12:00:00.123', '12:34:56.789+05:30', '2025-06-02 12:34:56.789012',
            '2025-06-02 12:34:56.789', '2025-06-02 12:34:56.789012+02', '1 year 2 mons 3 days 04:05:06.789012'),
           (2, 'infinity', '00:00', '00:00', '00:00+00', 'infinity', 'infinity', 'infinity', '-1 mons +2 days -00:00:00.000001'),
           (3, '-infinity', '24:00', NULL, NULL, '-infinity', '-infinity', '-infinity', '00:00:00'),
           (4, '0044-03-15 BC', '12:00', NULL, NULL, '0044-03-15 BC', NULL, '4713-01-01 00:00+00 BC', '178000000 years'),
           (5, '5874897-12-31', '12:00:00.1', NULL, NULL, '294276-12-31 23:59:59.999999', NULL,
            '294276-12-31 23:59:59.999999+00', '-00:00:01'),
           (6, '1969-12-31', '12:00:00.000001', NULL, NULL, '1969-12-31 23:59:59.999999', NULL, '1969-12-31 23:59:59.9+00',
            '1 day -1 hour'),
           (7, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)""",
    ),
    one(
        "types",
        "texts",
        r"""INSERT INTO golden.texts VALUES
           (1, E'tab\t "q" \\ / \r\n \x01 é 😀 \u2028', 'v', 'ab', 'nm', 'A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11',
            '{"b": 1,  "a": [1,2]}', '{"b": 1, "a": 1.10}', '\x00ff10', B'101', B'1', B'1010101010', 'sell short', 'US0378331005'),
           (2, '', '', '', '', NULL, 'null', 'null', '\x', B'000', B'0', B'', 'buy', NULL),
           (3, NULL, NULL, NULL, NULL, NULL, NULL, '"s"', NULL, NULL, NULL, NULL, NULL, NULL)""",
    ),
    one(
        "types",
        "others",
        """INSERT INTO golden.others VALUES
           (1, '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03', '(1.5,2)', '[1,5)', '[2025-01-01,2025-02-01)',
            '[2025-01-01 00:00+00,)', '(1.1,2.20]', '{[1,3),[5,7)}', 'a fat cat', '16/B374D848', ROW(1, 'y')),
           (2, '::1', NULL, NULL, '(NaN,Infinity)', 'empty', '(,)', NULL, NULL, '{}', '', '0/0', ROW(NULL, NULL))""",
    ),
    one(
        "types",
        "arrays",
        r"""INSERT INTO golden.arrays VALUES
           (1, '{1,NULL,3}', '{a,"NULL",NULL,"x,y","q\"q"}', '{1.100,NULL}', '{t,f,NULL}',
            '{"2025-01-01 00:00:00.000001+00",infinity}', '{2025-01-01,NULL}', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}',
            '{buy,"sell short"}', '{"\\x00ff",NULL}', ARRAY['{"a":1}'::jsonb], '{1.5,NaN,Infinity,-Infinity,NULL}'),
           (2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')""",
        "INSERT INTO golden.arrays (id, c_ints) VALUES (3, '{{1,2},{3,4}}')",
    ),
)

COPIED = {"rows_of_one_copy": "5\tx\n5\tx\n5\tx\n"}
"""What a COPY step reads."""

"""What is done to the MariaDB source, case by case. Plain SQL; nothing of the product is used here."""

from __future__ import annotations

from tests.golden.cases import Case, one, together, woven

NUMBERS = """INSERT INTO numbers
   (id, c_tiny, c_utiny, c_usmall, c_medium, c_umedium, c_uint, c_zerofill, c_big, c_ubig, c_decimal, c_udecimal, c_float, c_double, c_boolean, c_bit1, c_bit9, c_bit64)
   VALUES
   ({0}, -128, 255, 65535, -8388608, 16777215, 4294967295, 42, -9223372036854775808, 18446744073709551615,
    12345678901234567890123456789012345.123456789012345678901234567890, 99999999.99, 3.4e38, 1.7976931348623157e308, true, b'1', b'101010101', 18446744073709551615),
   ({1}, 127, 0, 0, 8388607, 0, 0, 0, 9223372036854775807, 9223372036854775808, -0.000000000000000000000000000001, 0, -0.25, 5e-324, 2, b'0', b'0', 1),
   ({2}, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"""
TIMES = """INSERT INTO times VALUES
   ({0}, '9999-12-31', '2024-02-29', '9999-12-31 23:59:59', '2024-02-29 23:59:59.000001', '2038-01-19 03:14:07', '2038-01-19 03:14:07.999999', '838:59:59', '-838:59:58.999999', 2155),
   ({1}, '1000-01-01', '1582-10-10', '1000-01-01 00:00:00', '1582-10-10 00:00:00.12', '1970-01-01 00:00:01', '2025-06-02 10:00:00.12', '-00:00:01', '00:00:00.000001', 1901),
   ({2}, '0000-00-00', '0000-00-00', '0000-00-00 00:00:00', '0000-00-00 00:00:00', '0000-00-00 00:00:00', '0000-00-00 00:00:00', '24:00:00', '00:00:00', '0000'),
   ({3}, NULL, '2000-01-01', NULL, NULL, NULL, NULL, NULL, NULL, NULL)"""
TEXTS = r"""INSERT INTO texts VALUES
   ({0}, 'tab\t "q" \\ / \r\n é 😀', 'ab', 'café €', '日本é', 'long', 'd,e', 'x,z z', '{{"b": 1,  "a": [1.10, null, "é"]}}', x'00ff10', x'00ff00', x'000102ff00'),
   ({1}, '', '', '', '', '', 'b''c', '', 'null', x'00000000', x'', x''),
   ({2}, '__debezium_unavailable_value', NULL, NULL, NULL, NULL, 'ü', 'y', '"s"', NULL, NULL, NULL),
   ({3}, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"""
PLACES = """INSERT INTO places VALUES
   ({0}, st_geomfromtext('POINT(1.5 -2)'), st_geomfromtext('LINESTRING(0 0,1 1)')),
   ({1}, st_geomfromtext('POINT(0 0)', 4326), st_geomfromtext('POLYGON((0 0,0 1,1 1,0 0))')), ({2}, NULL, NULL)"""
TYPES = {"numbers": NUMBERS, "times": TIMES, "texts": TEXTS, "places": PLACES}
"""Each is played twice: before the snapshot with ids from 1, and in the stream with ids from 101."""


def typed(base: int) -> tuple[tuple[str, str], ...]:
    """Table and INSERT, ids from ``base`` on."""
    return tuple((table, statement.format(*range(base, base + 4))) for table, statement in TYPES.items())


CASES = (
    one("changes", "insert", "INSERT INTO account VALUES (10, 'Ten', 1)"),
    one("changes", "update", "UPDATE account SET owner = NULL, balance = balance + 0.0001 WHERE id = 10"),
    one("changes", "update_nothing_changed", "UPDATE account SET owner = owner WHERE id = 10"),
    one("changes", "key_change", "UPDATE account SET id = 11 WHERE id = 10"),
    one("changes", "delete", "DELETE FROM account WHERE id = 11"),
    together("changes", "delete_and_insert_again", "DELETE FROM account WHERE id = 1", "INSERT INTO account VALUES (1, 'Ada again', 0)"),
    one("changes", "rows_of_one_statement", "INSERT INTO account VALUES (20, 'o20', 20), (21, 'o21', 21), (22, 'o22', 22)"),
    one("changes", "replace", "REPLACE INTO account VALUES (20, 'replaced', 0)"),
    one("changes", "on_duplicate_key", "INSERT INTO counted (name) VALUES ('a'), ('b')", "INSERT INTO counted (name) VALUES ('a'), ('c') ON DUPLICATE KEY UPDATE n = n + 1"),
    one("changes", "insert_ignore", "INSERT IGNORE INTO counted (name) VALUES ('a'), ('d')"),
    together(
        "changes", "composite_key",
        "UPDATE composite SET v = 'uno' WHERE region = 'EU'", "UPDATE composite SET region = 'ES' WHERE region = 'EU'", "DELETE FROM composite WHERE region = 'US'",
    ),
    together(
        "changes", "keyless",
        "INSERT INTO keyless VALUES (5, 'x'), (5, 'x'), (5, 'x')", "UPDATE keyless SET b = 'y' WHERE a = 5 LIMIT 1", "DELETE FROM keyless WHERE b = 'x' LIMIT 1",
    ),
    together("changes", "unique_index_for_key", "INSERT INTO unique_only VALUES (1, 'u')", "DELETE FROM unique_only"),
    together("changes", "unique_index_with_nulls", "INSERT INTO unique_null VALUES (1, 'u'), (NULL, 'v'), (NULL, 'v')", "DELETE FROM unique_null WHERE a = 1"),
    one("changes", "quoted_names", "INSERT INTO `Mixed Case` VALUES (1, 'q')"),
    together("changes", "partitions", "INSERT INTO parted VALUES (2, '2025-06-02', 'v')", "UPDATE parted SET at = '2026-06-02' WHERE id = 2"),
    together("transactions", "rolled_back", "INSERT INTO account VALUES (99, 'x', 1)", end="ROLLBACK"),
    together(
        "transactions", "savepoint",
        "INSERT INTO account VALUES (34, 'before', 0)", "SAVEPOINT s", "INSERT INTO account VALUES (35, 'undone', 0)", "ROLLBACK TO s", "INSERT INTO account VALUES (36, 'after', 0)",
    ),
    woven(
        "transactions", "interleaved",
        "a: BEGIN", "b: BEGIN",
        "a: INSERT INTO account VALUES (40, 'A1', 0)", "b: INSERT INTO account VALUES (41, 'B1', 0)",
        "a: INSERT INTO composite VALUES ('A', 40, 'A2')", "b: INSERT INTO composite VALUES ('B', 41, 'B2')",
        "b: COMMIT", "a: COMMIT",
    ),
    one("transactions", "not_captured", "CREATE TABLE uncaptured.t (id int)", "INSERT INTO uncaptured.t VALUES (1)"),
    one("ddl", "truncate", "TRUNCATE TABLE keyless", "INSERT INTO keyless VALUES (9, '9')"),
    together("ddl", "truncate_commits_what_is_open", "INSERT INTO keyless VALUES (8, '8')", "TRUNCATE TABLE keyless", "INSERT INTO keyless VALUES (7, '7')"),
    together("ddl", "add_column_amid_a_transaction", "INSERT INTO evolving VALUES (2, 20, 'b')", "ALTER TABLE evolving ADD COLUMN c int DEFAULT 5 AFTER id", "UPDATE evolving SET c = 6 WHERE id = 2"),
    one("ddl", "rename_and_drop_column", "ALTER TABLE evolving RENAME COLUMN a TO z", "ALTER TABLE evolving DROP COLUMN b", "UPDATE evolving SET z = 11 WHERE id = 1"),
    one("ddl", "wider_type", "ALTER TABLE evolving MODIFY z bigint", "UPDATE evolving SET z = 9007199254740993 WHERE id = 1"),
    one("ddl", "new_table", "CREATE TABLE later (id int PRIMARY KEY, yes boolean, v varchar(5) DEFAULT 'd')", "INSERT INTO later VALUES (1, true, 'x'), (2, false, NULL)", "DROP TABLE later"),
    one("ddl", "new_table_with_a_key_that_may_be_null", "CREATE TABLE loose (a int UNIQUE, b int)", "INSERT INTO loose VALUES (NULL, 1), (NULL, 2), (3, 3)"),
    one("ddl", "renamed_table", "RENAME TABLE empty_one TO filled", "INSERT INTO filled VALUES (1)"),
    one("ddl", "index", "CREATE INDEX i ON account (owner)"),
    Case("heartbeats", "heartbeat", (), beats=True),
    Case(
        "signals", "incremental_snapshot",
        (("a", """INSERT INTO cdc.`signal` VALUES ('golden-1', 'execute-snapshot', '{"type": "incremental", "data-collections": ["golden.composite", "golden.parted"]}')"""),),
        until="Incremental Snapshot/COMPLETED",
    ),
    *(one("types", table, statement) for table, statement in typed(101)),
    one("types", "updated", "UPDATE numbers SET c_ubig = c_ubig - 1 WHERE id = 101", "DELETE FROM numbers WHERE id = 102", "UPDATE times SET c_year = 1999 WHERE id IN (1, 101)"),
)  # fmt: skip

"""Values at the edge of what a column can hold, as PostgreSQL literals.

Each list holds values that some replicator is known to change on the way: scale lost, NaN refused, microseconds cut,
infinity clamped, Julian calendar applied, a real string taken for a marker.
"""

from __future__ import annotations

NUMERICS = (
    "0",
    "0.00",
    "-0.10",
    "1.1000000000",
    "0.1",
    "3.141592653589793238462643383279502884197",
    "123456789012345678901234567890",
    "-99999999999999999999.999999999999999999999999999999",
    "0.0000000000000000000000000001",
    "1E+30",
    "-25E-3",
    "1e3",
    "100000000000000000000000000000000000000000000000000000000000",
    "9007199254740993",
    "NaN",
    "Infinity",
    "-Infinity",
)
"""For ``numeric`` without a declared scale."""

NOT_IN_MARIADB = frozenset({
    "NaN", "Infinity", "-Infinity", "infinity", "-infinity",
    "0001-01-01",  # Debezium's snapshot has another calendar before 1582
    "100000000000000000000000000000000000000000000000000000000000",
})  # fmt: skip
"""What of these lists a ``decimal(65, 30)``, a double or a date of MariaDB's does not hold."""

QUANTITIES = (
    "0.0000000001",
    "-0.0000000001",
    "999999999999999999.9999999999",
    "-999999999999999999.9999999999",
    "1.5",
    "100",
    "0",
    "NaN",
)
"""For ``numeric(28, 10)``."""

INSTANTS = (
    "2026-03-29 01:59:59.999999+00",
    "2026-10-25 01:30:00.000001+02",
    "1969-12-31 23:59:59.999999+00",
    "1970-01-01 00:00:00+00",
    "0001-01-01 00:00:00+00",
    "9999-12-31 23:59:59.999999+00",
    "1900-01-01 00:00:00.000001+00",
    "2038-01-19 03:14:08.123456+00",
    "infinity",
    "-infinity",
)
"""For ``timestamptz`` and, the offset ignored, ``timestamp``."""

DATES = (
    "1970-01-01",
    "1969-12-31",
    "2024-02-29",
    "1582-10-04",
    "1582-10-15",
    "0001-01-01",
    "9999-12-31",
    "infinity",
    "-infinity",
)
"""Both sides of the switch from the Julian calendar. Not the ten days between, nor years BC: Debezium 3.7.0.Final
streams them exactly, but its snapshot moves the former by ten days and drops the sign of the latter."""

TIMES = ("00:00:00", "23:59:59.999999", "12:34:56.7", "00:00:00.000001")

DOUBLES = ("0", "-0", "0.1", "1e-308", "1.7976931348623157e308", "4.9e-324", "NaN", "Infinity", "-Infinity")

REALS = ("0", "0.1", "3.4028235e38", "1e-45", "16777217", "NaN", "-Infinity")

JSON_DOCUMENTS = (
    "null",
    "{}",
    "[]",
    '{"b": 1, "a": {"z": null, "y": [1.10, 1e400, -0.0]}}',
    '{"ключ": "значение \\u00e9 \\ud83d\\ude80", "quote\\"": "back\\\\slash\\n"}',
    '"only a string"',
    "12345678901234567890.123456789012345678901234567890",
)

STRINGS = (
    "",
    " ",
    "null",
    "NULL",
    "\\N",
    "__debezium_unavailable_value",
    'O\'Brien said "buy"',
    "back\\slash and \\n that is no newline",
    "line one\nline two\r\nline three",
    "tab\there",
    "to the moon 🚀👩‍👩‍👧",
    "caf\u00e9 and cafe\u0301 are not the same bytes",
    "\u202eright to left\u202c",
    '{"op": "d", "before": null}',
    "'; DROP TABLE orders; --",
    "%s %(name)s {0} ${secret}",
    "trailing space ",
    "\x01\x1f\x7f",
    "\ufeffbyte order mark",
    "line separator \u2028 paragraph separator \u2029",
    "\U0010fffd",
)
"""Free text as somebody typed it. ``__debezium_unavailable_value`` is a *real* value here, not Debezium's marker."""

BYTES = (b"", b"\x00", bytes(range(256)), b"\\x41", "Müller".encode("utf-16-le"))

"""The oracle's own translation between Debezium's texts and PostgreSQL's, on values written down by hand."""

from __future__ import annotations

import pytest

from tests.oracle.postgres_text import as_copied, fields


@pytest.mark.parametrize(
    ("type_name", "wire", "copied"),
    [
        ("date", "2025-06-02Z", "2025-06-02"),
        ("date", "0001-01-01Z", "0001-01-01"),
        ("date", "0000-12-31Z", "0001-12-31 BC"),
        ("date", "-0043-03-15Z", "0044-03-15 BC"),
        ("date", "+5874897-12-31Z", "5874897-12-31"),
        ("date", "+5877611-06-21Z", "infinity"),
        ("date", "-5877611-06-22Z", "-infinity"),
        ("timestamp", "2025-06-02T12:34:56.789012Z", "2025-06-02 12:34:56.789012"),
        ("timestamp", "1969-12-31T23:59:59.900000Z", "1969-12-31 23:59:59.9"),
        ("timestamp", "2025-06-02T10:00:00Z", "2025-06-02 10:00:00"),
        ("timestamp", "+292278994-08-16T23:00:00Z", "infinity"),
        ("timestamp", "-292275055-05-16T23:00:00Z", "-infinity"),
        ("timestamptz", "2025-06-02T10:00:00Z", "2025-06-02 10:00:00+00"),
        ("timestamptz", "+294276-12-31T23:59:59.999999Z", "294276-12-31 23:59:59.999999+00"),
        ("timestamptz", "-0043-03-15T00:00:00Z", "0044-03-15 00:00:00+00 BC"),
        ("timestamptz", "infinity", "infinity"),
        ("time", "12:34:56.700000Z", "12:34:56.7"),
        ("time", "00:00:00Z", "00:00:00"),
        ("bool", "true", "t"),
        ("bytea", "AP8=", "\\x00ff"),
        ("bytea", "", "\\x"),
        ("numeric", "NAN", "NaN"),
        ("numeric", "POSITIVE_INFINITY", "Infinity"),
        ("numeric", "1.10", "1.10"),
        ("float4", "0.0", "0"),
        ("float4", "0.33333334", "0.33333334"),
        ("float4", "1234567.0", "1.234567e+06"),
        ("float8", "0.3333333333333333", "0.3333333333333333"),
        ("float8", "1.2345678E7", "12345678"),
        ("float8", "1.0E15", "1e+15"),
        ("float8", "-2.5E-10", "-2.5e-10"),
        ("float8", "-0.0", "-0"),
        ("float8", "NaN", "NaN"),
        ("float8", "-Infinity", "-Infinity"),
        ("array", ['a"b', None, "ü"], '["a\\"b",null,"ü"]'),
        ("text", "NAN", "NAN"),
        ("text", "2025-06-02Z", "2025-06-02Z"),
        ("date", None, None),
    ],
)
def test_wire_text_is_what_copy_writes(type_name, wire, copied):
    assert as_copied(type_name, wire) == copied


def test_a_line_of_copy_is_unescaped_field_by_field():
    assert fields(r"a\tb" + "\t" + r"\N" + "\t" + "\t" + r"\\N" + "\t" + r"one\ntwo\r\\n") == [
        "a\tb",
        None,
        "",
        r"\N",
        "one\ntwo\r\\n",
    ]

"""Wire values to exact text, and that text to what a PostgreSQL column of the source's type reads."""

from __future__ import annotations

import pytest

from cdc import values
from tests.builders import typed

I = (10**30) + 7  # noqa: E741


@pytest.mark.parametrize(
    ("wire", "json", "value"),
    [
        ("float", b"3.4028235E38", "3.4028235E38"),
        ("double", b"-0.0", "-0.0"),
        ("double", b"4.9E-324", "4.9E-324"),
        ("double", b"0.1000000000000000000000000000000000001", "0.1000000000000000000000000000000000001"),
        ("double", b'"NaN"', "NaN"),
        ("double", b'"-Infinity"', "-Infinity"),
        ("double", b"NaN", "NaN"),
        ("double", b"null", None),
        ("array", b"[1,null,3]", ["1", None, "3"]),
        ("array", b"[]", []),
        ("array", b"null", None),
        ("array", b"[true,[1.10]]", ["true", ["1.10"]]),
        ("map", b'{"k":null}', {"struct": {"k": None}}),
        ("struct", b'{"x":1.5,"y":"NaN"}', {"struct": {"x": "1.5", "y": "NaN"}}),
        ("array", '["\\uD83D\\uDE00","é"]'.encode(), ["😀", "é"]),
        ("array", f"[{I}]".encode(), [str(I)]),
    ],
)
def test_structured_values_keep_their_digits(wire, json, value):
    assert values.value_of(wire, json) == value


@pytest.mark.parametrize(
    ("wire", "decoded", "value"),
    [
        ("string", "x", "x"),
        ("string", "", ""),
        ("string", None, None),
        ("bytes", "AP8=", "AP8="),
        ("int8", -128, "-128"),
        ("int64", -9223372036854775808, "-9223372036854775808"),
        ("int16", None, None),
        ("boolean", True, "true"),
        ("boolean", False, "false"),
        ("boolean", None, None),
    ],
)
def test_simple_values(wire, decoded, value):
    assert values.value_of(wire, decoded) == value


def test_members_of_a_struct_have_one_order():
    """Two spellings of one struct are one value, so that its bytes are canonical (docs/formats.md §1)."""
    assert list(values.from_json(b'{"x":1,"srid":null,"wkb":"AQ=="}')["struct"]) == ["srid", "wkb", "x"]


@pytest.mark.parametrize("json", [b"{", b"", b"[1,]", b"\xff", b"[" * 100_000 + b"]" * 100_000, b'{"planted-value"}', rb'"\ud800"', rb'{"\udc00":1}'])
def test_what_is_not_json_is_refused_without_content(json):
    with pytest.raises(ValueError, match="not JSON that Connect writes") as caught:
        values.from_json(json)
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize(
    ("source_type", "wire", "state"),
    [
        ("NUMERIC", "NAN", "NaN"),
        ("NUMERIC", "POSITIVE_INFINITY", "Infinity"),
        ("NUMERIC", "NEGATIVE_INFINITY", "-Infinity"),
        ("NUMERIC", "1.500", "1.500"),
        ("FLOAT8", "4.9E-324", "4.9E-324"),
        ("TEXT", "NAN", "NAN"),
        ("TEXT", "+5877611-06-21Z", "+5877611-06-21Z"),
        ("DATE", "2025-06-02Z", "2025-06-02"),
        ("DATE", "+5877611-06-21Z", "infinity"),
        ("DATE", "-5877611-06-22Z", "-infinity"),
        ("DATE", "+5874897-12-31Z", "5874897-12-31"),
        ("DATE", "-0043-03-15Z", "0044-03-15 BC"),
        ("DATE", "0000-03-15Z", "0001-03-15 BC"),
        ("TIMESTAMP", "2025-06-02T12:34:56.789012Z", "2025-06-02T12:34:56.789012"),
        ("TIMESTAMP", "+292278994-08-16T23:00:00Z", "infinity"),
        ("TIMESTAMP", "-292275055-05-16T23:00:00Z", "-infinity"),
        ("TIMESTAMP", "0000-12-31T23:59:59Z", "0001-12-31T23:59:59 BC"),
        ("TIMESTAMPTZ", "infinity", "infinity"),
        ("TIMESTAMPTZ", "-infinity", "-infinity"),
        ("TIMESTAMPTZ", "-4712-01-01T00:00:00.000000Z", "4713-01-01T00:00:00.000000Z BC"),
        ("TIMESTAMPTZ", "+294276-12-31T23:59:59.999999Z", "294276-12-31T23:59:59.999999Z"),
        ("BYTEA", "AP8Q", "\\x00ff10"),
        ("BYTEA", "", "\\x"),
    ],
)
def test_text_of_state_columns(source_type, wire, state):
    assert typed(source_type).text(wire) == state


@pytest.mark.parametrize("source_type", ["DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ", "BYTEA", "NUMERIC"])
@pytest.mark.parametrize("wire", ["-planted-value", "+planted", "planted!", "-", "+", "", "é"])
def test_an_odd_text_never_raises(source_type, wire):
    """Such a text is what no connector writes: it is left for PostgreSQL to refuse."""
    typed(source_type).text(wire)


@pytest.mark.parametrize(
    ("source_type", "wire", "state"),
    [("INT4", "int32", "integer"), ("_INT4", "array", "integer[]"), ("POINT", "struct", "point"), ("PATH", "struct", "text"), ("SIDE", "string", "text"), ("VARBIT", "bytes", "text"), ("NUMERIC", "string", "numeric"), ("TIMETZ", "string", "text"), ("D", "int64", "bigint"), ("_PAIR", "array", "text"), ("", "string", "text")],
)  # fmt: skip
def test_state_types(source_type, wire, state):
    assert typed(source_type, wire).state == state


def test_a_database_without_a_registry_is_kept_as_text_and_says_so():
    typing = typed("INT", "int32", connector="other")
    assert (typing.state, typing.fidelity) == ("text", "text")
    assert typing.note


def test_a_type_of_the_sources_own_is_what_the_wire_says_of_it():
    assert typed("AMOUNT", scale="2").state == "numeric"
    assert typed("DAY", semantic="io.debezium.time.IsoDate").state == "date"
    assert typed("_SIDE", "array", semantic="string io.debezium.data.Enum").state == "text[]"
    unknown = typed("PAIR")
    assert (unknown.state, unknown.fidelity) == ("text", "text")


@pytest.mark.parametrize(
    ("length", "wire", "bits"),
    [("3", "", "000"), ("3", "BQ==", "101"), ("33", "AAAAAAE=", "1" + "0" * 32), ("1", "true", "1"), ("1", "false", "0"), ("3", "planted", "planted?")],
)
def test_bit_strings(length, wire, bits):
    typing = typed("BIT", "bytes", length=length)
    assert (typing.state, typing.text(wire)) == (f"bit varying({length})", bits)


def test_arrays_and_geometry_never_raise_but_for_what_is_not_there():
    array, point = typed("_NUMERIC", "array").structured, typed("POINT", "struct").structured
    assert array(["1.10", None, "NAN"]) == '{"1.10",NULL,"NaN"}'
    assert array([]) == "{}"
    assert typed("_TEXT", "array").structured(['q"', "\\", "NULL", ""]) == '{"q\\"","\\\\","NULL",""}'
    assert array([["1"]]) == "{{}"  # refused by PostgreSQL, as nothing of ours writes it
    assert array({"struct": {}}) == "{"
    assert point({"struct": {"x": "1.5", "y": "NaN", "wkb": ""}}) == "(1.5,NaN)"
    assert point({"struct": {}}) == "(None,None)"
    for convert in (array, point):
        for absent in (None, {"unavailable": "toast"}):
            with pytest.raises(TypeError):
                convert(absent)


def test_an_enum_that_is_named_like_a_type_of_postgresql_is_text():
    assert typed("DATE", semantic="io.debezium.data.Enum").state == "text"
    assert typed("MONEY", semantic="io.debezium.data.Enum").state == "text"
    assert typed("DATE", semantic="io.debezium.time.IsoDate").state == "date"

"""What PostgreSQL offers to a scenario: names, types with literals, and how statements are spelt."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

Literal = Callable[[Random], str]
"""A random value as SQL."""

WORDS = (
    "order", "select", "user", "Table", "Mixed Case", "größe", "表", "имя", "a.b", "it's", "with, comma", "%s", "{0}", "$1", "back\\slash",
    "tab\there", "semi;colon", "-- no", "a" * 59, "ё" * 29, "_key", "_version", "_seq", "_deleted", "_copies", "_committed_at", "op", "before",
    "after", "source", "schema", "payload", "c0", "ctid ", " lead", "trail ", "null", "1st", "camelCase", "x", "y", "note", "état", "😀", "a/b", "#", "[x]", "*",
)  # fmt: skip
"""Names of columns and tables; Debezium does not quote a double quote, so there is none here."""
SCHEMA_WORDS = ("plain", "Mixed Case", "größe", "表", "select", "a-b", "%s", "public2")
"""Names of schemas: without what Debezium's list of tables cannot hold."""


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def text_literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def fitted(name: str, mark: str) -> str:
    """The name with a mark at its end, in the 63 bytes that a name has."""
    room = 63 - len(mark.encode())
    return name.encode()[:room].decode(errors="ignore") + mark


_TEXTS = ("", "a", "NULL", "\\N", "\\.", "tab\tnew\nline\r", "it's", '"q"', "é😀", "\u2028", "x" * 300, "%s {0}", "__debezium_unavailable_value", " pad ", "y" * 9000)


def _text(random: Random) -> str:
    return text_literal(random.choice(_TEXTS) + (str(random.randrange(100)) if random.random() < 0.5 else ""))


def _integer(bits: int) -> Literal:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return lambda random: f"'{random.choice((low, high, 0, -1, random.randrange(-1000, 1000)))}'"


def _numeric(random: Random) -> str:
    return random.choice(("'NaN'", "'0'", "'-0.00'", "'12345678901234567890.123456789'", "'1e-20'", f"'{random.randrange(-(10**6), 10**6)}.{random.randrange(100):02d}'"))


def _json(random: Random) -> str:
    value = random.choice(({"a": [1, 2.50, None, "é'"]}, [], {}, "text", 17, None, {"b": {"c": True}, "a\u2028": "\\"}))
    return text_literal(json.dumps(value, ensure_ascii=random.random() < 0.5))


def _uuid(random: Random) -> str:
    return f"'{uuid.UUID(int=random.getrandbits(128))}'"


def _bytes(random: Random) -> str:
    return f"'\\x{random.randbytes(random.choice((0, 1, 20, 5000))).hex()}'"


def _of(*literals: str) -> Literal:
    return lambda random: random.choice(literals)


def _array(one: Literal) -> Literal:
    def literal(random: Random) -> str:
        items = [one(random) if random.random() < 0.9 else "NULL" for _ in range(random.randrange(4))]
        return f"ARRAY[{', '.join(items)}]"

    return literal


@dataclass(frozen=True, slots=True)
class Type:
    """``sql``, literals of it, and whether a sealed cell of it can be compared with the source's text."""

    sql: str
    literal: Literal
    sealable: bool = True


INT = Type("integer", _integer(32))
TEXT = Type("text", _text)
_SMALL_INTS = _of("1", "-5", "32000")
TYPES = (
    INT, TEXT, TEXT,
    Type("smallint", _integer(16)),
    Type("bigint", _integer(64)),
    Type("numeric", _numeric),
    Type("numeric(12,3)", _of("0", "1.5", "-99999999.999", "'NaN'")),
    Type("double precision", _of("0", "1.5", "-2.25e-300", "1e15", "'NaN'", "'Infinity'", "'-Infinity'", "0.1"), sealable=False),
    Type("real", _of("0", "1.5", "-0.25", "'Infinity'", "1e10"), sealable=False),
    Type("boolean", _of("true", "false")),
    Type("varchar(20)", lambda random: text_literal(random.choice(_TEXTS)[:20])),
    Type("char(5)", _of("'a'", "'abcde'", "''"), sealable=False),
    Type("uuid", _uuid),
    Type("date", _of("'2024-02-29'", "'9999-12-31'", "'0001-01-01'", "'infinity'", "'-infinity'")),
    Type("time", _of("'00:00'", "'23:59:59.999999'", "'12:30:00.5'")),
    Type("timestamp", _of("'2024-02-29 12:00:00.123456'", "'infinity'", "'-infinity'", "'0044-03-15 12:00 BC'", "'1969-12-31 23:59:59.999999'")),
    Type("timestamptz", _of("'2024-02-29 12:00:00.123456+02'", "'infinity'", "'-infinity'", "'1969-12-31 23:59:59.999999Z'", "'2024-10-27 02:30:00+01'")),
    Type("interval", _of("'1 mon -3 days 00:00:01.5'", "'0'", "'100 years'", "'-1 us'"), sealable=False),
    Type("json", _json),
    Type("jsonb", _json),
    Type("bytea", _bytes),
    Type("inet", _of("'10.0.0.1'", "'10.0.0.0/8'", "'::1'", "'fe80::1/64'")),
    Type("cidr", _of("'10.0.0.0/8'", "'2001:db8::/32'")),
    Type("macaddr", _of("'08:00:2b:01:02:03'")),
    Type("int4range", _of("'[1,5)'", "'empty'", "'[,5)'")),
    Type("text[]", lambda random: _array(_text)(random) + "::text[]"),
    Type("integer[]", lambda random: _array(_SMALL_INTS)(random) + "::integer[]"),
    Type("tsvector", _of("'a b c'", "'a:1 b:2A'")),
    Type("money", _of("'1.50'", "'-12345.67'", "0", "'-92233720368547758.08'")),
    Type("bit(8)", _of("B'00000000'", "B'10101010'", "B'00000001'"), sealable=False),
    Type("bit(1)", _of("B'0'", "B'1'"), sealable=False),
    Type("point", _of("'(1,2)'", "'(-0.5,1e10)'", "'(NaN,Infinity)'"), sealable=False),
    Type("circle", _of("'<(1,2),3>'"), sealable=False),
    Type("oid", _of("0", "4294967295")),
    Type("macaddr8", _of("'08:00:2b:01:02:03:04:05'")),
    Type("numrange", _of("'(1.1,2.20]'", "'empty'", "'[NaN,]'")),
    Type("tstzrange", _of("""'["2025-01-01 00:00:00.000001+02",)'""", "'(-infinity,infinity]'")),
    Type("daterange", _of("'[2025-01-01,2025-02-01)'", "'(,)'")),
    Type("int4multirange", _of("'{}'", "'{[1,3),[5,7)}'")),
    Type("pg_lsn", _of("'0/0'", "'16/B374D848'")),
    Type("jsonpath", _of("'$.a[*] ? (@ > 1)'")),
    Type("jsonb[]", lambda random: _array(_json)(random) + "::jsonb[]"),
    Type("uuid[]", lambda random: _array(_uuid)(random) + "::uuid[]"),
    Type("boolean[]", lambda random: _array(_of("true", "false"))(random) + "::boolean[]"),
)  # fmt: skip
OPEN_TYPES = {
    "early-date": Type("date", _of("'2024-02-29'", "'0044-03-15 BC'", "'1582-10-10'")),
    "time-24": Type("time", _of("'24:00'", "'00:00'")),
    "timetz": Type("timetz", _of("'12:00+02'", "'24:00+00'"), sealable=False),
    "varbit": Type("varbit", _of("B'0001'", "B''"), sealable=False),
}
"""Types that are known not to come through as the source writes them."""
KEYS = (INT, INT, TEXT, Type("bigint", _integer(64)), Type("uuid", _uuid), Type("varchar(20)", _of("'a'")), Type("date", _of("'2024-01-01'")))
"""Types of key columns; their values are made from numbers, so that they seldom collide."""


def key_literal(kind: Type, number: int) -> str:
    """The key value of that number."""
    if kind.sql == "uuid":
        return f"'{uuid.UUID(int=number * 7919 + 1)}'"
    if kind.sql == "date":
        return f"date '2000-01-01' + {number}"
    if kind.sql in {"integer", "bigint"}:
        return str(number)
    return text_literal(f"k{number}\té\n" if number % 3 else f" {number}'\\")

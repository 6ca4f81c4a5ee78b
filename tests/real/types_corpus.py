"""What the differential test of types puts into a source: one table per type, one row per edge value."""

from __future__ import annotations

from dataclasses import dataclass

SETUP = """
CREATE EXTENSION vector;
CREATE SCHEMA kinds;
CREATE SCHEMA types;
CREATE TYPE kinds.side AS ENUM ('buy', 'sell', 'sell short', 'a,b', 'q"uote', 'é');
CREATE TYPE kinds.pair AS (x int, y text);
CREATE TYPE kinds.floatrange AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE DOMAIN kinds.d_text AS text;
CREATE DOMAIN kinds.d_isin AS varchar(12);
CREATE DOMAIN kinds.d_amount AS numeric(18, 2);
CREATE DOMAIN kinds.d_units AS numeric(10);
CREATE DOMAIN kinds.d_numeric AS numeric;
CREATE DOMAIN kinds.d_int AS int;
CREATE DOMAIN kinds.d_bigint AS bigint CHECK (value > 0);
CREATE DOMAIN kinds.d_bool AS boolean;
CREATE DOMAIN kinds.d_float AS float8;
CREATE DOMAIN kinds.d_date AS date;
CREATE DOMAIN kinds.d_time AS time(3);
CREATE DOMAIN kinds.d_timestamp AS timestamp;
CREATE DOMAIN kinds.d_timestamptz AS timestamptz;
CREATE DOMAIN kinds.d_interval AS interval;
CREATE DOMAIN kinds.d_uuid AS uuid;
CREATE DOMAIN kinds.d_jsonb AS jsonb;
CREATE DOMAIN kinds.d_bytea AS bytea;
CREATE DOMAIN kinds.d_inet AS inet;
CREATE DOMAIN kinds.d_bit AS bit(4);
CREATE DOMAIN kinds.d_money AS money;
CREATE DOMAIN kinds.d_point AS point;
CREATE DOMAIN kinds.d_range AS int4range;
CREATE DOMAIN kinds.d_enum AS kinds.side;
CREATE DOMAIN kinds.d_pair AS kinds.pair;
CREATE DOMAIN kinds.d_array AS int[];
CREATE DOMAIN kinds.d_domain AS kinds.d_amount;
"""

NUMBERS = ("0", "1", "-1")
TEXTS = (
    "", " ", "a", "  padded  ", "NULL", "null", "\\N", "\\", 'q"uote', "it's", "{a,b}", "tab\tnew\nline\r", "\x01\x02\x7f",
    "é ü ß", "😀 𝄞", "\u2028\u2029\ufeff", "\ud7ff\ue000", "__debezium_unavailable_value", "true", "NaN", "x" * 3000,
    "\\u0000", "\\ud800\\udc00", "\ufffe\uffff", "\U0010ffff", "\x85\xa0\u200b\u202e", "e\u0301", "&#0;", "%00", "=1+1",
)  # fmt: skip
JSONS = (
    "null", "true", '"s"', "{}", "[]", "0", "-0", "1.10", "1e400", "12345678901234567890.123456789", '{"b": 1,  "a": [1, 2], "b": 3}',
    r'"\u0001"', r'"é😀"', r'"\ud83d\ude00"', '{"": {"": [[[]]]}}', " 1 ",
    "[" * 500 + "]" * 500, "9" * 1000, "-1e-999", "1E+2", "1.0e-7", '{"z":1,"é":2,"a":3,"Z":4}', r'{"a\u0062":1,"ab":2}', '{"__debezium_unavailable_value":"__debezium_unavailable_value"}',
)  # fmt: skip
DATES = (
    "2025-06-02", "2024-02-29", "1970-01-01", "1969-12-31", "1900-01-01", "1752-09-14", "1600-02-29", "1582-10-15", "9999-12-31",
    "10000-01-01", "12345-06-07", "5874897-12-31", "infinity", "-infinity",
)  # fmt: skip
OLD_DATES = ("1582-10-14", "1582-10-10", "1582-10-05", "1582-10-04", "1500-02-28", "1500-03-01", "1000-01-01", "0001-01-01",
             "0001-12-31 BC", "0044-03-15 BC", "4713-01-01 BC", "4714-11-24 BC")  # fmt: skip
TIMES = ("00:00", "00:00:00.000001", "12:34:56", "12:34:56.7", "12:00:00.123", "23:59:59.999999", "01:02:03.456789")
INTERVALS = (
    "0", "1 year 2 mons 3 days 04:05:06.789012", "-1 mons +2 days -00:00:00.000001", "178000000 years", "-178000000 years", "1 day -1 hour",
    "00:00:00.000001", "-00:00:59.999999", "2147483647 days", "100000 hours", "25:01:01.5", "1 century", "-1 day -1 us", "00:00:59.999999",
    "12:34:56.123457",
)  # fmt: skip
FLOATS4 = ("0", "-0", "1", "0.1", "1e-45", "-1.17549435e-38", "3.4028235e38", "16777217", "123456", "1234567", "1e6", "1e5", "NaN", "Infinity", "-Infinity", "0.0001", "0.00001", "3.3333333")  # fmt: skip
FLOATS8 = (*FLOATS4[:4], "5e-324", "2.2250738585072014e-308", "1.7976931348623157e308", "9007199254740993", "1e15", "1e14", "123456789012345678", "NaN", "Infinity", "-Infinity", "0.0001", "0.00001", "3.3333333333333335", "2e22", "1e23")  # fmt: skip
NUMERICS = (
    "0", "-1", "0.00", "1.10", "12345678901234567890.1234567890123456789012345678900", "1e-40", "1e40", "9" * 200, "-0.0000000000000000000001", "NaN", "Infinity", "-Infinity",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """A table with one column ``v`` of the type ``sql``; ``values`` are literals without quotes.

    ``says``: what the source is asked for what the state column must say; None where docs/types.md promises no equality.
    """

    slug: str
    sql: str
    values: tuple[str, ...]
    says: str | None = "v"


KINDS = (
    Kind("vector", "vector(3)", ("[1,0.1,-2.5]", "[0,1e-30,3e38]"), says="v::real[]"),
    Kind("halfvec", "halfvec(2)", ("[1,0.5]",), says="v::real[]"),
    Kind("sparsevec", "sparsevec(5)", ("{1:1.5,3:2}/5",), says=None),
    Kind("smallint", "smallint", (*NUMBERS, "32767", "-32768")),
    Kind("integer", "integer", (*NUMBERS, "2147483647", "-2147483648")),
    Kind("bigint", "bigint", (*NUMBERS, "9223372036854775807", "-9223372036854775808")),
    Kind("numeric", "numeric", (*NUMERICS, "1" * 1000 + "." + "2" * 1000)),
    Kind("numeric_scaled", "numeric(20, 8)", ("0", "1.5", "-0.00000001", "123456789012.12345678", "NaN")),
    Kind("numeric_whole", "numeric(10)", ("0", "-1", "9999999999", "NaN")),
    Kind("numeric_negative", "numeric(5, -2)", ("100", "-9999900", "0"), says="v + ('0.' || repeat('0', 2046))::numeric"),
    Kind("numeric_fine", "numeric(3, 5)", ("0.00999", "-0.00001", "0")),
    Kind("real", "real", FLOATS4),
    Kind("double", "double precision", FLOATS8),
    Kind(
        "money",
        "money",
        ("0", "12.34", "-0.01", "1234567.89", "90071992547409.91", "92233720368547758.07", "-92233720368547758.08"),
        says="v::numeric",
    ),
    Kind("boolean", "boolean", ("true", "false")),
    Kind("text", "text", TEXTS),
    Kind("varchar", "varchar(3000)", TEXTS),
    Kind("char", "char(6)", ("", "a", "ab  ", "é😀", "abcdef")),
    Kind("char_quoted", '"char"', ("a", "", "\\377", "é")),
    Kind("name", "name", ("", "nm", "é" * 31, 'q"')),
    Kind(
        "uuid",
        "uuid",
        (
            "A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
        ),
    ),
    Kind("bytea", "bytea", ("\\x", "\\x00", "\\x00ff10", "\\x" + "".join(f"{n:02x}" for n in range(256)))),
    Kind("bit_one", "bit(1)", ("0", "1")),
    Kind("bit", "bit(3)", ("000", "001", "100", "101", "111")),
    Kind("bit_long", "bit(33)", ("0" * 33, "1" * 33, "1" + "0" * 32, "0" * 32 + "1")),
    Kind("varbit", "varbit", ("", "0", "1", "000", "1010101010", "0001"), says=None),
    Kind("varbit_limited", "varbit(20)", ("", "0", "101", "1010101010"), says=None),
    Kind("json", "json", (*JSONS, r'"\ud800"', r'"\u0000"', '{"a":1,"a":2}')),
    Kind("jsonb", "jsonb", JSONS),
    Kind("jsonpath", "jsonpath", ("$", "$.a[*] ? (@ > 1)")),
    Kind("date", "date", DATES),
    Kind("date_old", "date", OLD_DATES, says=None),
    Kind("time", "time", TIMES),
    Kind("time_milli", "time(3)", ("12:34:56.789", "00:00", "12:00:00.1")),
    Kind("time_day_end", "time", ("24:00",), says=None),
    Kind(
        "timetz",
        "timetz",
        ("12:34:56.789+05:30", "00:00+00", "23:59:59.999999-15:59", "00:30+02"),
        says=None,
    ),
    Kind(
        "timestamp",
        "timestamp",
        (
            *(f"{d} 12:34:56.789012" for d in DATES[:10]),
            "294276-12-31 23:59:59.999999",
            "2025-06-02 00:00",
            "2025-06-02 12:34:56.7",
            "1969-12-31 23:59:59.999999",
            "infinity",
            "-infinity",
        ),
    ),
    Kind("timestamp_old", "timestamp", (*(f"{d[:10]} 12:34:56.789012{d[10:]}" for d in OLD_DATES[:-1]),)),
    Kind("timestamp_milli", "timestamp(3)", ("2025-06-02 12:34:56.789", "infinity", "2025-06-02 00:00")),
    Kind("timestamp_whole", "timestamp(0)", ("2025-06-02 12:34:56", "-infinity")),
    Kind(
        "timestamptz",
        "timestamptz",
        (
            *(f"{d} 12:34:56.789012+02" for d in DATES[:10]),
            "294276-12-31 23:59:59.999999+00",
            "2025-06-02 00:00+00",
            "2025-06-02 12:34:56.7+05:30",
            "1969-12-31 23:59:59.999999+00",
            "infinity",
            "-infinity",
        ),
    ),
    Kind("timestamptz_old", "timestamptz", (*(f"{d[:10]} 12:34:56.789012+00{d[10:]}" for d in OLD_DATES[:-1]),)),
    Kind("timestamptz_milli", "timestamptz(3)", ("2025-06-02 12:34:56.789+00", "infinity")),
    Kind("interval", "interval", INTERVALS),
    Kind("interval_infinite", "interval", ("infinity", "-infinity"), says=None),
    Kind("interval_ym", "interval year to month", ("1 year 2 mons",)),
    Kind("inet", "inet", ("10.0.0.1", "10.0.0.1/8", "::1", "2001:db8::/32", "::ffff:1.2.3.4")),
    Kind("cidr", "cidr", ("10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0")),
    Kind("macaddr", "macaddr", ("08:00:2b:01:02:03",)),
    Kind("macaddr8", "macaddr8", ("08:00:2b:01:02:03:04:05",)),
    Kind("enum", "kinds.side", ("buy", "sell short", "a,b", 'q"uote', "é")),
    Kind("text_large", "text", ('é😀x\\"\n' * 1_000_000,)),
    Kind("jsonb_large", "jsonb", ('{"k": "' + "é😀\\n" * 100_000 + '"}',)),
    Kind("bytea_large", "bytea", ("\\x" + "00ff" * 500_000,)),
    Kind("composite", "kinds.pair", ("(1,y)", "(,)", '(-1,"a,\\"b\\"")', '(7,"é")'), says=None),
    Kind("int4range", "int4range", ("[1,5)", "empty", "(,)", "[,5]")),
    Kind("int8range", "int8range", ("[1,5)", "[-9223372036854775808,9223372036854775807)")),
    Kind("numrange", "numrange", ("(1.1,2.20]", "(,1e40)", "[NaN,NaN]")),
    Kind("tsrange", "tsrange", ('["2025-01-01 00:00:00.000001",)', "(-infinity,infinity)")),
    Kind("tstzrange", "tstzrange", ('["2025-01-01 00:00:00.000001+02",)', "[,infinity]")),
    Kind("daterange", "daterange", ("[2025-01-01,2025-02-01)", "(,)", '["0044-03-15 BC",infinity)')),
    Kind("floatrange", "kinds.floatrange", ("[1.5,2)", "empty"), says=None),
    Kind("int4multirange", "int4multirange", ("{}", "{[1,3),[5,7)}")),
    Kind("nummultirange", "nummultirange", ("{[1.1,2.20]}",)),
    Kind("tsvector", "tsvector", ("", "a fat cat", "'q''uote':1A,2B 'x y':3")),
    Kind("tsquery", "tsquery", ("", "a & !b | c <-> d", "'q''x':*")),
    Kind("point", "point", ("(1.5,2)", "(NaN,Infinity)", "(-0,1e300)", "(0.1,0.30000000000000004)", "(0.0001,1e15)")),
    Kind("line", "line", ("{1,-1,0}", "{0.1,0.2,0.30000000000000004}", "{0,1,1e300}")),
    Kind("lseg", "lseg", ("[(1,2),(3,4)]", "[(0.1,1e300),(-0,NaN)]"), says=None),
    Kind("box", "box", ("(3,4),(1,2)", "(0.1,1e300),(-1,-2)"), says=None),
    Kind("path_open", "path", ("[(1,2),(3,4),(5,6)]", "[(0.1,0.2)]"), says=None),
    Kind("path_closed", "path", ("((1,2),(3,4),(5,6))", "((1,2),(3,4))"), says=None),
    Kind("polygon", "polygon", ("((1,2),(3,4),(5,6))", "((0.1,0.2))"), says=None),
    Kind("circle", "circle", ("<(1,2),3>", "<(0.1,1e300),0.30000000000000004>")),
    Kind("pg_lsn", "pg_lsn", ("0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF")),
    Kind("txid_snapshot", "txid_snapshot", ("10:20:10,14,15", "1:1:")),
    Kind("pg_snapshot", "pg_snapshot", ("10:20:10,14,15",)),
    Kind("xid", "xid", ("0", "4294967295")),
    Kind("xid8", "xid8", ("0", "18446744073709551615")),
    Kind("cid", "cid", ("0", "4294967295")),
    Kind("tid", "tid", ("(0,0)", "(4294967295,65535)")),
    Kind("oid", "oid", ("0", "26", "4294967295")),
    Kind("regclass", "regclass", ("pg_class", "0"), says=None),
    Kind("regtype", "regtype", ("integer", "kinds.side"), says=None),
    Kind("regproc", "regproc", ("pg_backend_pid",), says=None),
    Kind("regprocedure", "regprocedure", ("abs(integer)",), says=None),
    Kind("regoper", "regoper", ("||/",), says=None),
    Kind("regoperator", "regoperator", ("+(integer,integer)",), says=None),
    Kind("regconfig", "regconfig", ("english",), says=None),
    Kind("regdictionary", "regdictionary", ("simple",), says=None),
    Kind("regnamespace", "regnamespace", ("types", "pg_catalog"), says=None),
    Kind("regrole", "regrole", ("pg_monitor",), says=None),
    Kind("regcollation", "regcollation", ('"C"',), says=None),
    Kind("aclitem", "aclitem", ("postgres=r/postgres",), says=None),
    Kind("d_text", "kinds.d_text", ("", "x", "KDEseSk=", "NaN")),
    Kind("d_isin", "kinds.d_isin", ("US0378331005",)),
    Kind("d_amount", "kinds.d_amount", ("99.9", "-0.01", "NaN")),
    Kind("d_units", "kinds.d_units", ("99", "NaN"), says=None),
    Kind("d_numeric", "kinds.d_numeric", NUMERICS, says=None),
    Kind("d_int", "kinds.d_int", NUMBERS),
    Kind("d_bigint", "kinds.d_bigint", ("9223372036854775807",)),
    Kind("d_bool", "kinds.d_bool", ("true", "false")),
    Kind("d_float", "kinds.d_float", FLOATS8),
    Kind("d_date", "kinds.d_date", DATES),
    Kind("d_time", "kinds.d_time", ("12:34:56.789",)),
    Kind("d_timestamp", "kinds.d_timestamp", ("2025-06-02 12:34:56.7", "infinity", "-infinity")),
    Kind("d_timestamptz", "kinds.d_timestamptz", ("2025-06-02 12:34:56.7+02", "infinity", "-infinity")),
    Kind("d_interval", "kinds.d_interval", INTERVALS[:4]),
    Kind("d_uuid", "kinds.d_uuid", ("A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11",)),
    Kind("d_jsonb", "kinds.d_jsonb", ('{"b": 1, "a": 1.10}',)),
    Kind("d_bytea", "kinds.d_bytea", ("\\x", "\\x00ff10"), says=None),
    Kind("d_inet", "kinds.d_inet", ("10.0.0.1", "::1")),
    Kind("d_bit", "kinds.d_bit", ("0000", "1010")),
    Kind("d_money", "kinds.d_money", ("12.34",), says=None),
    Kind("d_point", "kinds.d_point", ("(1.5,2)",)),
    Kind("d_range", "kinds.d_range", ("[1,5)",)),
    Kind("d_enum", "kinds.d_enum", ("buy", "é")),
    Kind("d_pair", "kinds.d_pair", ("(1,y)",), says=None),
    Kind("d_domain", "kinds.d_domain", ("1.5",)),
    Kind("a_smallint", "smallint[]", ("{}", "{1,NULL,-32768}")),
    Kind("a_integer", "integer[]", ("{}", "{1,NULL,3}", "{NULL}")),
    Kind("a_bigint", "bigint[]", ("{9223372036854775807,NULL}",)),
    Kind("a_numeric", "numeric(12, 3)[]", ("{1.1,NULL}", "{}")),
    Kind("a_numeric_free", "numeric[]", ("{1.10,NULL,1e-40}",)),
    Kind("a_real", "real[]", ("{0.1,NULL,NaN,Infinity,-Infinity,1e38}",)),
    Kind("a_double", "double precision[]", ("{1.5,NaN,Infinity,-Infinity,NULL,5e-324}",)),
    Kind("a_boolean", "boolean[]", ("{t,f,NULL}",)),
    Kind("a_text", "text[]", ("{}", '{a,"NULL",NULL,"x,y","q\\"q","\\\\","","{}"," "}', '{"é😀\t\n"}')),
    Kind("a_varchar", "varchar(20)[]", ('{a,"b c",NULL}',)),
    Kind("a_char", "char(3)[]", ("{a,NULL}",)),
    Kind("a_char_quoted", '"char"[]', ("{a,b}",)),
    Kind("a_uuid", "uuid[]", ("{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,NULL}",)),
    Kind("a_bytea", "bytea[]", ('{"\\\\x00ff","\\\\x",NULL}',)),
    Kind("a_json", "json[]", ('{"{\\"a\\":1}",NULL}',)),
    Kind("a_jsonb", "jsonb[]", ('{"{\\"a\\": 1}",NULL,"null"}',)),
    Kind("a_date", "date[]", ("{2025-01-01,NULL,10000-01-01}", "{infinity,-infinity}")),
    Kind("a_time", "time[]", ("{12:34:56.7,NULL}",)),
    Kind("a_timetz", "timetz[]", ("{12:34:56.7+02,NULL}",), says=None),
    Kind("a_timestamp", "timestamp[]", ('{"2025-01-01 00:00:00.000001",NULL}', "{infinity,-infinity}")),
    Kind("a_timestamptz", "timestamptz[]", ('{"2025-01-01 00:00:00.000001+00",infinity,-infinity,NULL}',)),
    Kind("a_inet", "inet[]", ("{10.0.0.1,10.0.0.0/8,NULL}",)),
    Kind("a_cidr", "cidr[]", ("{10.0.0.0/8}",)),
    Kind("a_macaddr", "macaddr[]", ("{08:00:2b:01:02:03}",)),
    Kind("a_macaddr8", "macaddr8[]", ("{08:00:2b:01:02:03:04:05}",)),
    Kind("a_enum", "kinds.side[]", ('{buy,"sell short","a,b"}',)),
    Kind("a_int4range", "int4range[]", ('{"[1,5)",empty,NULL}',)),
    Kind("a_numrange", "numrange[]", ('{"[1.5,2.0)"}',)),
    Kind("a_tstzrange", "tstzrange[]", ('{"[2025-01-01 00:00:00+00,)"}',)),
    Kind("a_multirange", "int4multirange[]", ('{"{[1,3)}"}',), says=None),
    Kind("a_tsvector", "tsvector[]", ("{\"'a'\"}",)),
    Kind("a_oid", "oid[]", ("{26,4294967295}",)),
    Kind("a_pg_lsn", "pg_lsn[]", ("{0/0,16/B374D848}",), says=None),
    Kind("a_regclass", "regclass[]", ("{pg_class}",), says=None),
    Kind("a_domain", "kinds.d_amount[]", ("{1.50}",), says=None),
    Kind("a_domain_text", "kinds.d_text[]", ("{a}",), says=None),
    Kind("a_bounds", "integer[]", ("[2:3]={1,2}", "[0:0]={7}"), says=None),
)

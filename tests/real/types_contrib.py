"""Types of PostgreSQL that the stack's own server lacks, and Debian's has: extensions of contrib, and xml."""

from __future__ import annotations

from tests.real.types_corpus import TEXTS, Kind

SETUP = """
CREATE EXTENSION hstore;
CREATE EXTENSION ltree;
CREATE EXTENSION citext;
CREATE EXTENSION isn;
CREATE EXTENSION cube;
CREATE EXTENSION seg;
CREATE SCHEMA types;
CREATE SCHEMA kinds;
CREATE DOMAIN kinds.d_citext AS citext;
CREATE DOMAIN kinds.d_hstore AS hstore;
CREATE DOMAIN kinds.d_ltree AS ltree;
CREATE DOMAIN kinds.d_xml AS xml;
"""
_PAIRS = (
    "", "a=>1", "a=>NULL", 'b=>"", a=>"NULL"', '"q\\"uote"=>"back\\\\slash", "=>"=>","', '""=>"empty key"', '"é😀"=>"tab\t\n"', '"1"=>"1.10", "true"=>"true"', '"a b"=>"{}"',
)  # fmt: skip
_XML = (
    "<a/>", "<a b='1'>é😀</a>", "no <b>root</b>", "", "&lt;", "<![CDATA[ <x> ]]>", "<?xml version='1.0' encoding='UTF-8'?><a>x</a>",
    "<?xml version='1.0'?><a/>", "<!-- c --><a>\n\t</a>", "<?pi d?>", "<a xmlns:x='urn:y'><x:b/></a>", "<a>\u2028</a>",
)  # fmt: skip
BASE64 = "encode(convert_to(v::text, 'UTF8'), 'base64')"
"""What docs/types.md says of types that Debezium does not know."""

KINDS = (
    Kind("hstore", "hstore", _PAIRS, says="hstore_to_jsonb(v)"),
    Kind("ltree", "ltree", ("", "Top", "Top.Science.Astronomy", "a_1.B2")),
    Kind("lquery", "lquery", ("*.a{1,2}.b|c", "a@*"), says=BASE64),
    Kind("ltxtquery", "ltxtquery", ("a & b*@",), says=BASE64),
    Kind("citext", "citext", TEXTS),
    Kind("xml", "xml", _XML),
    Kind("isbn", "isbn", ("0-11-000533-3",)),
    Kind("ean13", "ean13", ("978-0-11-000533-1",), says=BASE64),
    Kind("cube", "cube", ("(1,2),(3,4.5)", "(0.1)"), says=BASE64),
    Kind("seg", "seg", ("1.5 .. 2", "<3"), says=BASE64),
    Kind("d_citext", "kinds.d_citext", ("", "AbC")),
    Kind("d_hstore", "kinds.d_hstore", _PAIRS[:3], says="replace(hstore_to_json(v)::text, ': ', ':')"),
    Kind("d_ltree", "kinds.d_ltree", ("a.b",)),
    Kind("d_xml", "kinds.d_xml", ("<a/>",)),
    Kind("a_citext", "citext[]", ("{}", '{a,"NULL",NULL,"x,y","q\\"q"}')),
    Kind("a_ltree", "ltree[]", ("{a.b,c}", "{}")),
    Kind("a_hstore", "hstore[]", ('{"a=>1","b=>NULL",NULL}', "{}", "{NULL}"), says="CASE WHEN v IS NOT NULL THEN ARRAY(SELECT hstore_to_jsonb(x) FROM unnest(v) WITH ORDINALITY u (x, n) ORDER BY n) END"),
    Kind("a_isbn", "isbn[]", ("{0-11-000533-3}",), says="to_jsonb(v::text[])"),
)

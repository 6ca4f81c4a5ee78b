"""Parts of the verifier against published vectors, a second implementation, and records of a real Debezium."""

from __future__ import annotations

import base64
import json
import struct
from decimal import Decimal
from pathlib import Path

import pytest

from cdc.audit.verify import Checkpoint, NotACheckpoint, values
from cdc.audit.verify import canonical as mine
from cdc.audit.verify import checkpoint as checkpoints
from cdc.audit.verify import entry as entries
from cdc.audit.verify import text as texts
from cdc.audit.verify.transactions import debezium_name
from cdc.audit.verify.tree import EMPTY_ROOT, Tree, leaf_hash, root_of, subtrees
from tests.independent import example, transactions, tree

VECTORS = Path(__file__).parent.parent / "vectors"
ENTRIES = json.loads((VECTORS / "entry-v1.json").read_text())
TREES = json.loads((VECTORS / "tree-v1.json").read_text())
LEAVES = json.loads((VECTORS / "leaf-v1.json").read_text())


# Canonical bytes, leaf, tree.


@pytest.mark.parametrize("text", ENTRIES["canonical"])
def test_canonical_texts_are_read_and_written_back(text):
    assert mine.write(mine.read(text)) == text


@pytest.mark.parametrize("refused", ENTRIES["refused"], ids=lambda one: one["why"])
def test_other_spellings_are_refused(refused):
    with pytest.raises(mine.NotCanonical):
        mine.read(refused["text"])


@pytest.mark.parametrize(
    "text",
    ['{"a":["x",false]}', '["true",true]', '"true', "1.5", "NaN", "-Infinity", "", "[", '{"true":true}', "[" * 100_000, '"a""b"'],
)
def test_what_is_no_canonical_value_is_refused_without_being_quoted(text):
    with pytest.raises(mine.NotCanonical) as caught:
        mine.read(text)
    assert str(caught.value) in {"it is not JSON", "it holds a number", "it holds a boolean", "something follows its value"}
    assert caught.value.__cause__ is None


def test_words_that_look_like_booleans_are_texts():
    for value in ("true", "untrue", ["false", "a true b"], {"true": "false"}, ':true,"'):
        assert mine.read(mine.write(value)) == value


def test_deep_values_are_refused_not_fatal():
    deep: object = None
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(mine.NotCanonical):
        mine.write(deep)


def test_leaves_are_those_of_the_vectors():
    for one in LEAVES["leaves"]:
        assert leaf_hash(bytes.fromhex(one["entry"])).hex() == one["leaf"]


def test_trees_are_those_of_rfc_6962():
    leaves = [bytes.fromhex(leaf) for leaf in TREES["leaves"]]
    for stated in TREES["trees"]:
        grown = Tree()
        for leaf in leaves[: stated["size"]]:
            grown.append(leaf)
        assert [node.hex() for node in grown.edge] == stated["edge"]
        assert grown.root().hex() == stated["root"]
        assert root_of([bytes.fromhex(node) for node in stated["edge"]]).hex() == stated["root"]


def test_a_growing_tree_remembers_its_root_at_each_mark():
    leaves = [leaf_hash(str(n).encode()) for n in range(70)]
    grown = Tree(range(71))
    for leaf in leaves:
        grown.append(leaf)
    assert grown.roots == {size: tree.root(leaves[:size]) for size in range(71)}
    assert grown.roots[0] == EMPTY_ROOT
    assert subtrees(70) == [(0, 63), (64, 67), (68, 69)]


# Checkpoints.


def test_checkpoints_are_written_and_read():
    three = [Checkpoint("operations/1", 0, EMPTY_ROOT), Checkpoint("trading/2", 17, b"\1" * 32), Checkpoint("b/1", 1, b"\2" * 32)]
    text = checkpoints.write(three)
    assert text.startswith("operations/1\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\ntrading/2\n17\n")
    assert text.endswith("=\n")
    assert checkpoints.parse(text) == (three, False)
    assert [one.log for one in three] == ["operations", "trading", "b"]


def test_extensions_say_nothing_and_signatures_are_kept_apart():
    text = checkpoints.write([Checkpoint("trading/1", 17, b"\1" * 32)])
    assert checkpoints.parse(text + "extension\n") == checkpoints.parse(text)
    signed = text + "\n\u2014 trading/1 AAAA\n\u2014 witness BBBB\n"
    assert checkpoints.parse(signed) == (checkpoints.parse(text)[0], True)
    assert checkpoints.parse(signed + "\n" + text)[0] == checkpoints.parse(text)[0] * 2


ROOT = base64.b64encode(b"\1" * 32).decode()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1"),
        ("\n", "line 1"),
        ("trading/1\n17\n", "line 1"),
        (f"trading\n17\n{ROOT}\n", "line 1: not the origin"),
        (f"trading/0\n17\n{ROOT}\n", "line 1: not the origin"),
        (f"trading/1\n017\n{ROOT}\n", "line 2: not a size"),
        (f"trading/1\n-1\n{ROOT}\n", "line 2: not a size"),
        (f"trading/1\n17\n{ROOT[:-4]}\n", "line 3: not a root"),
        (f"trading/1\n17\n{ROOT} \n", "line 3: not a root"),
        (f"trading/1\r\n17\r\n{ROOT}\r\n", "line 1: not the origin"),
        (f"trading/1\n0\n{ROOT}\n", "line 3: not the root of a log without entries"),
        (f"trading/1\n17\n{ROOT}\n\ntrading/1\n17\n", "line 5"),
        (f"trading/1\n17\n{ROOT}\n\n\ntrading/1\n17\n{ROOT}\n", "line 5"),
        ("\u2014 only a signature\n", "line 1"),
        ("size,root\n17,abc\n", "line 1"),
    ],
)
def test_other_files_are_no_checkpoints(text, says):
    with pytest.raises(NotACheckpoint, match=says):
        checkpoints.parse(text)


# Entries and values.


def test_an_entry_is_read_with_its_body():
    for _, text, body, _ in example.stream().rows():
        read = entries.read(text, body)
        members = json.loads(text) | json.loads(body or "{}")
        members.pop("body", None)
        assert read.entry == members
        assert read.bodied == (body is not None)
        for side, image in (("after", read.after), ("before", read.before)):
            assert (None if image is None else json.loads(image)) == members.get(side)
        assert entries.again(text, body) == json.loads(text) | json.loads(body or "{}")
    assert entries.again("[", None) == {}


def test_cells_are_told_by_their_header():
    cell = example.seal("ana")
    assert values.is_sealed(cell, example.SUBJECT, 2)
    assert not values.is_sealed(cell, example.SUBJECT, 1)
    assert not values.is_sealed(cell, example.SUBJECT[:-1] + "2", 2)
    assert not values.is_sealed(cell, example.SOURCE, 2)
    assert not values.is_sealed({"seal": cell["seal"][:48]}, example.SUBJECT, 2)
    assert not values.is_sealed({"seal": None}, example.SUBJECT, 2)
    assert values.is_sealed(None, example.SUBJECT, 2)
    assert values.is_sealed(values.UNAVAILABLE, example.SUBJECT, 2)
    assert values.is_token(example.token("x"))
    assert not values.is_token("tok_" + "0" * 32)
    assert not values.is_token({"token": "tok_" + "0" * 31})
    assert values.is_clear(["a", None, {"struct": {"x": ["1"]}}])
    assert not values.is_clear(["a", example.token("x")])
    assert not values.is_clear(cell)


@pytest.mark.parametrize("table", ["public.orders", 'public."Client ""Files"""', '"a.b".c', '"Back Office".t_1$'])
def test_tables_are_named_as_debezium_does(table):
    assert debezium_name(table) == transactions.debezium_name(table)


# Texts of the wire against texts of PostgreSQL.

SAME = {
    "text": [("a", "a"), ("", "")],
    "integer": [("-7", "-7")],
    "numeric": [("1.50", "1.50"), ("-0.00", "0.00"), ("1E+2", "100"), ("NAN", "NaN"), ("POSITIVE_INFINITY", "Infinity"), ("1E-8", "0.00000001")],
    "real": [("0.1", "0.1"), ("1.4E-45", "1e-45"), ("3.4028235E38", "3.4028235e+38"), ("NaN", "NaN"), ("-Infinity", "-Infinity"), ("-0.0", "-0")],
    "double precision": [("1.7976931348623157E308", "1.7976931348623157e+308"), ("4.9E-324", "5e-324"), ("100.0", "100")],
    "boolean": [("true", "t"), ("false", "f")],
    "bytea": [("AP8Q", "\\x00ff10"), ("", "\\x")],
    "interval": [("P1Y2M3DT4H5M6.789012S", "P1Y2M3DT4H5M6.789012S"), ("P0Y-1M2DT0H0M-0.000001S", "P-1M2DT-0.000001S"), ("P0Y0M0DT0H0M0S", "PT0S"), ("P0Y14M0DT0H0M60S", "P1Y2MT1M")],
    "date": [("2025-06-02Z", "2025-06-02"), ("-0043-03-15Z", "0044-03-15 BC"), ("0000-01-01Z", "0001-01-01 BC"), ("+5874897-12-31Z", "5874897-12-31"), ("+5877611-06-21Z", "infinity"), ("-5877611-06-22Z", "-infinity"), ("+292278994-08-16Z", "infinity")],
    "time without time zone": [("12:00:00.100Z", "12:00:00.1"), ("00:00:00Z", "00:00:00")],
    "timestamp without time zone": [("2025-06-02T10:00:00.900000Z", "2025-06-02 10:00:00.9"), ("2025-06-02T10:00:00Z", "2025-06-02 10:00:00"), ("-292275055-05-16T23:00:00Z", "-infinity"), ("+294276-12-31T23:59:59.999999Z", "294276-12-31 23:59:59.999999")],
    "timestamp with time zone": [("2025-06-02T10:34:56.789012Z", "2025-06-02 10:34:56.789012+00"), ("infinity", "infinity"), ("-4712-01-01T00:00:00.000000Z", "4713-01-01 00:00:00+00 BC")],
}  # fmt: skip


@pytest.mark.parametrize("kind", SAME)
def test_the_same_value_in_other_words(kind):
    rule = texts.same(kind)
    assert rule is not None
    for wire, cell in SAME[kind]:
        assert rule(wire, cell), (wire, cell)
        for other in [other for _, other in SAME[kind] if other != cell]:
            assert not rule(wire, other), (wire, other)
        assert not rule(wire, cell + "1")
        assert not rule(cell + "#", cell)


def test_a_type_without_a_rule_is_not_guessed():
    assert texts.same("money") is None


def test_cells_show_values():
    rule = texts.same("text")
    assert rule is not None
    sealed = example.seal("ana")
    shown = "\\x" + base64.b64decode(sealed["seal"]).hex()
    for value, cell in (
        ("a", "a"), (None, None), (sealed, shown), (example.token("x"), example.token("x")["token"]),
        (values.UNAVAILABLE, None), (values.DROPPED, None), (["a", None], '["a",null]'),
        ({"struct": {"x": "1"}}, '{"struct":{"x":"1"}}'),
    ):  # fmt: skip
        assert texts.shows(value, cell, rule), value
        assert not texts.shows(value, "other" if cell is None else cell + "x", rule), value
        if cell is not None:
            assert not texts.shows(value, None, rule), value


def test_every_golden_value_has_a_rule_and_other_values_do_not_pass_it():
    """Wire text of a real Debezium → what PostgreSQL would print, by way of types of Python."""
    from cdc.debezium import Decoder
    from cdc.event import ChangeEvent, Record
    from cdc.values import typing_of
    from tests.golden import records as golden

    spelt = {"timestamptz": "timestamp with time zone", "timestamp": "timestamp without time zone", "time": "time without time zone"}
    decoder, seen = Decoder(), set()
    for wrote in golden.records("types"):
        event = decoder.decode(Record("golden", 0, wrote.offset, wrote.key, wrote.value, wrote.headers, wrote.timestamp))
        if not isinstance(event, ChangeEvent) or event.after is None:
            continue
        for column, value in zip(event.table.columns, event.after, strict=True):
            kind = typing_of(column).state.partition("(")[0]
            rule = texts.same(spelt.get(kind.removesuffix("[]"), kind))
            assert rule is not None, kind
            seen.add(kind)
            if kind == "numeric" and isinstance(value, str) and value[-1].isdigit():
                assert rule(value, format(Decimal(value), "f"))
            if kind == "double precision" and isinstance(value, str) and value[-1].isdigit():
                assert rule(value, repr(struct.unpack("d", struct.pack("d", float(value)))[0]))
    assert len(seen) > 15


@pytest.mark.parametrize(
    ("kind", "value", "cell", "other"),
    [
        ("integer[]", ["1", None, "3"], "{1,NULL,3}", "{1,3}"),
        ("text[]", ["a", "NULL", None, "x,y", 'q"', "\\", "", "{}"], '{a,"NULL",NULL,"x,y","q\\"","\\\\","","{}"}', "{a}"),
        ("numeric[]", [], "{}", "{NULL}"),
        ("timestamp with time zone[]", ["2025-01-01T00:00:00.100000Z", "+292269055-12-02T23:00:00.000000Z"], '{"2025-01-01 00:00:00.1+00",-infinity}', '{"2025-01-01 00:00:00.1+00",infinity}'),
        ("bit varying", "BQ==", "101", "100"),
        ("bit varying", "true", "1", "0"),
        ("pg_lsn", "MC8w", "0/0", "0/1"),
        ("point", {"struct": {"x": "1.5", "y": "NaN", "wkb": "", "srid": None}}, "(1.5,NaN)", "(1.5,2)"),
        ("line", {"struct": {"a": "1.0", "b": "-1.0", "c": "0.0"}}, "{1,-1,0}", "{1,-1,2}"),
        ("circle", {"struct": {"center": {"struct": {"x": "1.0", "y": "2.0"}}, "radius": "3.0"}}, "<(1,2),3>", "<(1,2),4>"),
        ("date", "+292269055-12-02Z", "-infinity", "infinity"),
        ("jsonb", '{"b":"1","a":null}', '{"a": null, "b": "1"}', '{"a": null, "b": 1}'),
        ("jsonb", '{"b": 1.10}', '{"b": 1.10}', '{"b": 1.1}'),
        ("jsonb[]", ['{"a":"1"}', None], '{"{\\"a\\": \\"1\\"}",NULL}', '{"{\\"a\\": \\"2\\"}",NULL}'),
    ],
)  # fmt: skip
def test_arrays_bits_geometry_and_decoded_texts(kind, value, cell, other):
    rule = texts.same(kind)
    assert texts.shows(value, cell, rule)
    assert not texts.shows(value, other, rule)
    assert not texts.shows(value, None, rule)
    assert not texts.shows(None, cell, rule)

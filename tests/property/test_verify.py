"""The verifier against random logs, random damage, and a second implementation."""

from __future__ import annotations

import json
from random import Random

from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from cdc.audit.verify import canonical as mine
from cdc.audit.verify.tree import Tree
from tests.builders import Worker, entries
from tests.history import History
from tests.independent import canonical, tree
from tests.verification import given, judge

TEXTS = st.text(max_size=8)
VALUES = st.recursive(
    st.none() | TEXTS | st.sampled_from(["true", "false", "\ue000", "\U00010000", "\ud7ff", "\u2028", "\x7f", "\x00"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS | st.sampled_from(["\uffff", "\U0001f600"]), inner, max_size=4),
    max_leaves=12,
)


@for_all(VALUES)
def test_both_readers_write_the_same_canonical_text(value):
    text = canonical.write(value)
    assert mine.write(json.loads(text)) == text
    assert mine.read(text) == value


@for_all(st.text(alphabet='{}[]",:\\ntrue0fals1u00e\ud83d\ude00é ', max_size=30))
def test_both_readers_refuse_the_same_texts(text):
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    assert _read(mine, text) == _read(canonical, text)


def _read(reader, text: str) -> tuple[bool, object]:
    try:
        return True, reader.read(text)
    except reader.NotCanonical:
        return False, None


@for_all(st.lists(st.binary(min_size=32, max_size=32), max_size=70))
def test_both_grow_the_same_tree(leaves):
    grown = Tree()
    for leaf in leaves:
        grown.append(leaf)
    assert (grown.size, grown.edge, grown.root()) == (len(leaves), tree.edge(leaves), tree.root(leaves))


def history(seed: int) -> list[tuple[int, str, str | None, str]]:
    """The log of a random but legal life of a source."""
    worker = Worker()
    worker.read(History(Random(seed)).grow(12).feed.records)
    batch = worker.batch()
    return entries([batch]) if batch is not None else []


@settings(max_examples=25, deadline=None)
@for_all(st.integers(0, 10_000))
def test_what_the_writer_makes_of_any_history_passes(seed):
    rows = history(seed)
    assert len(rows) > 5
    assert judge(rows) == []


@settings(max_examples=40, deadline=None)
@for_all(st.integers(0, 20), st.data())
def test_a_changed_entry_fails_with_its_seq_and_hashed_anew_against_the_edge(seed, data):
    rows = history(seed)
    seq = data.draw(st.integers(0, len(rows) - 1))
    text = rows[seq][1]
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.characters(codec="utf-8", exclude_characters=text[at])) + text[at + 1 :]
    right = given(rows)
    row = (*right.entries[seq][:14], changed, right.entries[seq][15])
    found = judge(rows, entries=[*right.entries[:seq], row, *right.entries[seq + 1 :]])
    assert (seq, "leaf") in {one[:2] for one in found}
    assert min(one[0] for one in found if one[1] != "tree" and one[0] is not None) == seq
    anew = (*row[:15], "\\x" + tree.leaf(changed.encode()).hex())
    found = judge(rows, entries=[*right.entries[:seq], anew, *right.entries[seq + 1 :]])
    assert "tree" in {check for _, check, _ in found}

"""Whatever a database calls its tables and columns, the suggested policy reads back as what was suggested."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from cdc.entry import qualified_name
from governance import policy
from governance.policy_text import write
from governance.review import review
from governance.suggest import Column, Table, suggest

NAMES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20),
    st.sampled_from(["on", "null", "~", "<<", "=", "*", "a b", "ü", "x: y", "# x", "'", '"', "\u2028", "\x85", "1", "1e3", "2020-01-01", "- a", "? b", "&c"]),
)  # fmt: skip


@settings(deadline=None)
@given(st.dictionaries(st.tuples(NAMES, NAMES), st.lists(NAMES, min_size=1, max_size=4, unique=True), min_size=1, max_size=4), st.data())
def test_any_names(tables, data):
    made = tuple(
        Table(
            qualified_name(schema, name), schema, name,
            tuple(Column(column, data.draw(NAMES), "text", False, False, False) for column in columns), tuple(columns[:1]), (),
        )
        for (schema, name), columns in tables.items()
        if schema != "cdc"
    )  # fmt: skip
    suggested = suggest("shop", made)
    loaded = policy.parse(write("shop", suggested))
    for choice in suggested:
        rules = loaded.tables[choice.table.title].columns
        assert {name: (rule.protect, rule.domain) for name, rule in rules.items()} == {c.column.name: (c.protect, c.domain) for c in choice.columns}
    assert review(loaded, made) == ()
    domains = [c.domain for choice in suggested for c in choice.columns if c.domain]
    assert len(set(domains)) == len(domains)

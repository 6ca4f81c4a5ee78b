"""The verifier over logs in memory: what is right passes, and what the independent reader notices it notices, too."""

from __future__ import annotations

import pytest

from cdc.audit.verify import Checkpoint, verify_log
from tests.damages import DAMAGES, PLACES, STREAM, fresh
from tests.independent import canonical, example, reader, tree
from tests.verification import given, judge, projected, realistic

ROWS = example.rows(realistic(fresh()))
PARTS = [(0, 15), (16, 19), (20, 20)]
"""The perfect subtrees of a tree of 21 leaves."""


def test_correct_logs_have_no_findings():
    assert judge(ROWS) == []
    assert judge(example.operations().rows(), "operations") == []


def test_what_was_checked_is_counted_and_current_state_was_not_given():
    report = verify_log(given(ROWS))
    assert (report.entries, report.origin) == (21, "trading/1")
    counts = {what.partition(":")[0]: count for what, count in report.checked}
    assert counts["table versions described"] == 4
    assert counts["replays, which change nothing"] == 1
    assert counts["bodies of long entries"] == 1
    assert counts["columns of audit.entry derived again"] == 21 * 14
    assert report.incomplete == ("current state: it was not given",)
    assert {one.check for one in report.findings} == {"stream", "table versions"}  # of which nothing was given
    assert report.verdict == "FAIL"
    assert any("rewrite of log and tree" in what for what in report.unchecked)


def test_a_log_without_entries_is_never_pass():
    report = verify_log(given([], "operations"))
    assert (report.verdict, report.found) == ("INCOMPLETE", 0)
    assert report.incomplete == ("the log has no entries: there was nothing to check",)


@pytest.mark.parametrize(("place", "change", "reason"), [one for one in DAMAGES if one[2] != "salt of another"])
def test_each_damage_is_noticed_where_the_independent_reader_notices_it(place, change, reason):
    entries = realistic(fresh())
    change(entries[PLACES[place]][0])
    rows = example.rows(entries)
    theirs = reader.verify(rows)
    mine = judge(rows)
    assert mine
    assert min(seq for seq, _, _ in mine) == min(problem.seq for problem in theirs)


def test_salts_are_said_not_to_be_checked():
    assert any(what.startswith("salts") for what in verify_log(given(ROWS)).unchecked)


def test_a_missing_entry_is_named_wherever_it_was():
    rows = ROWS
    for place in range(len(rows)):
        found = judge([*rows[:place], *rows[place + 1 :]], tree=given(rows).tree)
        assert found[0][:2] == (place, "seq")
        assert "missing" in found[0][2]


def test_entries_that_changed_places_are_named():
    rows = ROWS
    for place in range(len(rows) - 1):
        swapped = list(rows)
        for here, there in ((place, place + 1), (place + 1, place)):
            swapped[here] = (here, *rows[there][1:])
        found = judge(swapped)
        assert found[0][:2] == (place, "columns") or found[0][0] == place


def test_every_changed_character_of_every_entry_is_named():
    """One character at a time, hash made anew: only the tree of before knows, and it says in which part."""
    right = given(ROWS)
    stored = list(right.entries)
    for seq, text, _, leaf in ROWS:
        for at in range(seq, len(text), 151):
            changed = text[:at] + ("x" if text[at] != "x" else "y") + text[at + 1 :]
            for hashed in (leaf, tree.leaf(changed.encode()).hex()):
                row = (*stored[seq][:14], changed, "\\x" + hashed)
                found = judge(ROWS, entries=[*stored[:seq], row, *stored[seq + 1 :]])
                first, last = next(part for part in PARTS if part[0] <= seq <= part[1])
                among = f"entries {first} to {last} do" if first != last else f"entry {first} does"
                assert (None, "tree", f"{among} not hash to the edge in audit.log") in found
                assert ((seq, "leaf") in {one[:2] for one in found}) == (hashed == leaf)


def test_every_column_is_compared():
    rows = ROWS
    for place, row in enumerate(given(rows).entries):
        for column in range(1, 14):
            changed = (*row[:column], "1" if row[column] is None else row[column] + "1", *row[column + 1 :])
            found = judge(rows, entries=[*given(rows).entries[:place], changed, *given(rows).entries[place + 1 :]])
            assert [one[:2] for one in found] == [(place, "columns")]
            nulled = (*row[:column], None, *row[column + 1 :])
            if row[column] is not None:
                assert judge(rows, entries=[*given(rows).entries[:place], nulled, *given(rows).entries[place + 1 :]])


def test_bodies_must_be_there_and_be_those_that_the_entries_name():
    rows = ROWS
    seq, text, body, leaf = rows[PLACES["large"]]
    assert body is not None

    def with_row(row: tuple[int, str, str | None, str]) -> tuple[int | None, str, str]:
        return judge([*rows[:seq], row, *rows[seq + 1 :]])[0]

    assert with_row((seq, text, None, leaf)) == (seq, "body", "its body is missing")
    assert with_row((seq, text, body.replace("éé", "é", 1), leaf))[:2] == (seq, "body")
    assert with_row((seq, text, body.replace(":", ": ", 1), leaf))[:2] == (seq, "body")
    first = rows[0]
    assert judge([(0, first[1], "{}", first[3]), *rows[1:]])[0] == (0, "body", "a body is stored for it, but it names none")
    bodies = [*given(rows).bodies, ("99", "{}")]
    assert judge(rows, bodies=bodies) == [(99, "body", "a body is stored for an entry that is not there")]


def test_a_body_that_is_not_needed_is_noticed():
    log = example.Log()
    log.add("message", operation="m", position=[], content={"prefix": "p", "content": None}, moved=("content",))
    assert judge(example.rows(realistic(log.entries))) == [(0, "body", "it is too long beside its body, or needs none")]


def test_size_and_edge_are_those_of_the_entries():
    rows = ROWS
    stated = given(rows).tree
    assert stated is not None
    other = ("00" * 32, *stated.edge[1:])
    assert judge(rows, tree=type(stated)("trading/1", 21, other)) == [
        (None, "tree", "entries 0 to 15 do not hash to the edge in audit.log")
    ]
    last = (*stated.edge[:-1], "00" * 32)
    assert judge(rows, tree=type(stated)("trading/1", 21, last)) == [
        (None, "tree", "entry 20 does not hash to the edge in audit.log")
    ]
    longer = judge(rows, tree=type(stated)("trading/1", 22, stated.edge))
    assert longer[0] == (21, "seq", "it is missing: audit.log says that there are 22")
    shorter = judge(rows, tree=type(stated)("trading/1", 19, stated.edge))
    assert shorter[0] == (19, "seq", "it is beyond the 19 entries that audit.log says there are")
    assert judge(rows, tree=type(stated)("trading/1", 21, stated.edge[1:]))[0][1] == "tree"
    assert ("audit.log has no row for this log") in {cause for _, _, cause in judge(rows, tree=None)}
    assert judge(rows, tree=type(stated)("portfolio/1", 21, stated.edge))


def test_checkpoints_must_be_continued():
    rows = ROWS
    leaves = [bytes.fromhex(leaf) for *_, leaf in rows]
    for size in range(len(rows) + 1):
        kept = Checkpoint("trading/1", size, tree.root(leaves[:size]))
        assert judge(rows, checkpoints=[kept]) == []
        other = Checkpoint("trading/1", size, b"\0" * 32)
        assert judge(rows, checkpoints=[kept, other]) == [
            (None, "checkpoint", f"the first {size} entries are not those that the checkpoint was made of")
        ]
    assert judge(rows, checkpoints=[Checkpoint("trading/1", 22, b"\0" * 32)])[0][:2] == (21, "checkpoint")
    assert judge(rows, checkpoints=[Checkpoint("trading/2", 3, tree.root(leaves[:3]))]) == [
        (None, "checkpoint", "the checkpoint is of trading/2, the log of trading/1")
    ]


def customers(*steps, scanned=True, read="1"):
    """Causes, for a log of changes of one customer after the baseline: (operation, before, after)."""
    log = example.Log()
    log.schema(example.CUSTOMERS)
    log.change(example.CUSTOMERS, "r", ["9"], after=example.customer(9, None))
    detail = {"scanned_collection": "public.customers", "status": "SUCCEEDED" if scanned else "EMPTY", "total_rows_scanned": read}
    log.add("baseline", content={"detail": detail, "notification": "TABLE_SCAN_COMPLETED"})
    log.add("baseline", content={"detail": {}, "notification": "COMPLETED"})
    for operation, before, after in steps:
        emails = {"before": before, "after": after}
        images = {name: example.customer(1, email) for name, email in emails.items() if email != "-"}
        if operation == "t":
            log.add("truncate", operation="t", position=[], table="public.customers")
        else:
            log.change(example.CUSTOMERS, operation, ["1"], **images)
    return {cause for _, _, cause in judge(example.rows(realistic(log.entries)))}


def test_rows_live_and_die():
    insert, update, delete = ("c", "-", "a"), ("u", "a", "b"), ("d", "b", "-")
    truncate, again, seen = ("t", "-", "-"), ("c", "-", "z"), ("r", "-", "q")
    assert customers(insert, update, delete, again) == set()
    assert customers(insert, update, truncate, again) == set()
    assert customers(insert, seen, ("u", "q", "b"), delete) == set()
    assert customers(insert, again) == {"it creates a row that is there"}
    assert customers(update) == {"it changes a row that the log does not have"}
    (empty,) = customers(update, read="0")
    assert empty.startswith("it changes a row that the log does not have: the snapshot read it as empty")
    assert customers(update, scanned=False) == set()  # a table that was added later: what it held before is not known
    assert customers(insert, update, delete, ("u", "b", "c")) == {"it changes a row that is gone"}
    assert customers(insert, truncate, update) == {"it changes a row that is gone"}
    assert customers(insert, ("u", "x", "b")) == {"its before image is not the row's after image before it: email"}


def test_what_follows_a_row_of_a_later_snapshot_is_not_compared():
    """A snapshot that is taken while changes wait may show what only they bring."""
    insert, seen = ("c", "-", "a"), ("r", "-", "z")
    assert customers(insert, seen, ("u", "a", "b"), ("u", "b", "z")) == set()
    assert customers(seen, ("c", "-", "z")) == set()


def test_copies_of_rows_without_a_key_are_counted():
    fill = {"symbol": "X", "quantity": None, "tags": []}
    key = canonical.digest({"symbol": "X", "tags": []})
    log = example.Log()
    log.schema(example.FILLS)
    for operation in "ccdd":
        side = "after" if operation == "c" else "before"
        log.change(example.FILLS, operation, key, example.SOURCE, flags=["keyless"], **{side: fill})
    assert judge(example.rows(realistic(log.entries))) == []
    log.change(example.FILLS, "d", key, example.SOURCE, before=fill, flags=["keyless"])
    assert judge(example.rows(realistic(log.entries))) == [(5, "continuity", "it takes away a row without a key that the log does not have")]


def test_an_erased_subjects_row_goes_on_under_a_new_generation():
    """Cells and tokens made anew cannot be compared; values in clear still are."""
    later = example.SUBJECT[:-1] + "2"
    old = example.customer(1, "a")
    anew = {**old, "email": example.seal("a", later), "name": example.token("made anew")}

    def history(new):
        log = example.Log()
        log.schema(example.CUSTOMERS)
        log.change(example.CUSTOMERS, "c", ["1"], after=old)
        log.change(example.CUSTOMERS, "u", ["1"], subject=later, before=new, after=new)
        return example.rows(realistic(log.entries))

    assert judge(history(anew)) == []
    report = verify_log(given(history(anew)))
    assert dict(report.checked)["before images compared column by column"] == 1


def test_added_columns_are_left_out_and_the_others_compared():
    def history(**changed):
        log = example.Log()
        log.schema(example.CUSTOMERS)
        log.change(example.CUSTOMERS, "c", ["1"], after=example.customer(1, "a"))
        log.schema(example.CUSTOMERS_LATER)
        before = {**example.customer(1, "a"), "note": "default", **changed}
        log.change(example.CUSTOMERS_LATER, "u", ["1"], before=before, after=before)
        return judge(example.rows(realistic(log.entries)))

    assert history() == []
    assert history(email=example.seal("b")) == [
        (3, "continuity", "its before image is not the row's after image before it: email")
    ]


def test_replays_are_told_by_the_source_position():
    assert "replay_of" in STREAM[PLACES["replay"]][0]
    entries = realistic(fresh())
    replay = entries[PLACES["replay"]][0]
    replay["position"] = ["999999999999", "999999999999"]
    assert (PLACES["replay"], "replays") in {one[:2] for one in judge(example.rows(entries))}
    entries = realistic(fresh())
    entries[PLACES["update"]][0]["position"] = ["999999999999", "999999999999"]
    found = judge(example.rows(entries))
    assert found
    assert found[0][1] == "replays"
    assert found[0][0] > PLACES["update"]  # what follows stands at a position that the log has by now


def test_findings_name_no_value_and_are_bounded():
    entries = realistic(fresh())
    entries[PLACES["update"]][0]["after"]["email"] = "ana@example.org"
    entries[PLACES["update"]][0]["before"]["email"] = example.seal("other")
    for entry, _ in entries:
        entry["salt"] = "ana@example.org"
    report = verify_log(given(example.rows(entries), findings=5))
    assert len(report.findings) == 5
    assert report.found >= 21
    assert [one.seq for one in report.findings] == [0, 1, 2, 3, 4]
    assert "ana@" not in str(report)
    assert entries[PLACES["update"]][0]["before"]["email"]["seal"] not in str(report)


def test_projected_is_the_projection_of_a_row():
    seq, text, _, leaf = ROWS[PLACES["update"]]
    row = projected(seq, text, leaf)
    assert row[:9] == (str(seq), "change", row[2], row[3], "public.customers", '["1"]', "u", "2", "1")

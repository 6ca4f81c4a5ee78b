"""The oracle itself: it accepts a correct log, and notices each thing that can be wrong with one.

Every damage here is done the way a faulty writer would: leaf hashes are made anew, so only the contents give it away.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest

from tests.independent import canonical, chain, example, reader, tree, vectors

STREAM = example.stream().entries
PLACES = {
    "schema": 0,
    "snapshot": 1,
    "fills": 3,
    "baseline": 5,
    "update": 6,
    "message": 7,
    "insert": 8,
    "key change, d": 10,
    "key change, c": 11,
    "truncate": 12,
    "end": 13,
    "replay": 14,
    "large": 16,
    "toast": 17,
    "later schema": 18,
    "later update": 19,
    "delete": 20,
}


def fresh():
    """The entries of the example log, none sharing a part with another."""
    return json.loads(json.dumps(STREAM))


def damaged(place, change):
    """Problems after ``change(entry)`` at a place of the example log."""
    entries = fresh()
    change(entries[PLACES[place]][0])
    return problems(entries)


def problems(entries):
    return reader.verify(example.rows(entries))


def put(name, value):
    return lambda entry: entry.__setitem__(name, value)


def within(name, inner, value):
    return lambda entry: entry[name].__setitem__(inner, value)


def drop(*names):
    return lambda entry: [entry.pop(name) for name in names]


def test_a_correct_log_has_no_problems():
    for log in (example.stream(), example.operations(), example.Log()):
        rows = log.rows()
        leaves = [bytes.fromhex(leaf) for _, _, _, leaf in rows]
        edge, root = [digest.hex() for digest in tree.edge(leaves)], tree.root(leaves).hex()
        assert reader.verify(rows, edge=edge, root=root) == []


def test_the_places_are_what_they_are_called():
    kinds = {name: STREAM[place][0]["kind"] for name, place in PLACES.items()}
    assert kinds["truncate"] == "truncate"
    assert kinds["end"] == "end"
    assert "replay_of" in STREAM[PLACES["replay"]][0]
    assert "body" in STREAM[PLACES["large"]][0]
    assert len(STREAM) == 21


OTHER = "00" * 16 + "/1"
WRONG_SEAL = example.seal("ana@example.com", OTHER)


@pytest.mark.parametrize(
    ("place", "change", "reason"),
    [
        ("update", put("seq", "7"), "says seq"),
        ("update", put("origin", "trading/2"), "another origin"),
        ("update", put("origin", "operations/1"), "kind and origin"),
        ("update", put("salt", STREAM[0][0]["salt"]), "salt of another"),
        ("update", put("salt", "0" * 31), "salt is misspelt"),
        ("update", put("epoch", "1/1"), "source epoch"),
        ("later update", drop("epoch"), "source epoch"),
        ("update", put("ordered_at", "1"), "ordered_at does not follow"),
        ("update", put("ordered_at", "1"), "ordered_at goes back"),
        ("insert", put("committed_at", "9" * 19), "ordered_at does not follow"),
        ("update", put("topic_id", "A" * 22), "another topic"),
        ("update", put("partition", "1"), "another topic"),
        ("update", put("offset", "3"), "offset and ordinal"),
        ("update", put("ordinal", "1"), "offset and ordinal"),
        ("snapshot", put("ordinal", "2"), "offset and ordinal"),
        ("snapshot", put("ordinal", "0"), "not followed by its record's own"),
        ("truncate", drop("offset"), "offset is missing"),
        ("update", drop("plan"), "plan is missing"),
        ("update", put("content", {}), "content does not belong"),
        ("insert", put("transaction", {"id": "745", "order": "3", "end": "8"}), "cannot be judged"),
        ("update", put("note", "x"), "note does not belong"),
        ("update", put("flags", []), "flags are not"),
        ("update", put("kind", "changed"), "unknown kind"),
        ("update", put("body", {"length": "1", "sha256": "0" * 64}), "body is missing"),
        ("update", put("schema", "0" * 64), "no entry before introduces"),
        ("update", put("plan", "0" * 64), "no entry before introduces"),
        ("schema", put("schema", "0" * 64), "digests are not those"),
        ("schema", lambda entry: entry["content"]["plan"][0].update(tier="1"), "digests are not those"),
        ("schema", lambda entry: entry["content"]["plan"].pop(), "plan"),
        ("schema", put("content", {}), "content is not"),
        ("baseline", put("content", {"tables": {}}), "not a notification"),
        ("update", within("transaction", "order", "2"), "is missing before this one"),
        ("insert", within("transaction", "order", "4"), "is missing before this one"),
        ("update", within("transaction", "id", "744"), "begins before the one before"),
        ("message", drop("transaction"), "number of entries that its end"),
        ("insert", lambda entry: entry["transaction"]["end"].update(count="2"), "number of entries that its end"),
        ("insert", lambda entry: entry["transaction"]["end"]["tables"].update({"": "2"}), "by table"),
        ("insert", lambda entry: entry["transaction"]["end"].pop("tables"), "not count, offset and tables"),
        ("insert", lambda entry: entry["transaction"]["end"].update(offset="7"), "end of a transaction before"),
        ("insert", lambda entry: entry["transaction"]["end"].update(offset="9"), "offset and ordinal"),
        ("insert", lambda entry: entry["transaction"].pop("end"), "begins before the one before"),
        ("end", within("transaction", "order", "1"), "number of entries that its end"),
        ("update", put("version", "3"), "version does not follow"),
        ("update", put("prev", "0"), "prev is not"),
        ("update", put("prev", None), "prev is not"),
        ("update", drop("prev", "version"), "version and prev are for"),
        ("replay", put("version", "3"), "version and prev are for"),
        ("replay", drop("replay_of"), "version and prev are for"),
        ("update", within("before", "email", example.seal("other")), "before image is not"),
        ("update", within("before", "email", None), "before image is not"),
        ("delete", within("before", "note", "e"), "before image is not"),
        ("update", put("operation", "c"), "images do not suit"),
        ("update", drop("before"), "images do not suit"),
        ("update", put("subject", {"after": example.SUBJECT}), "subject does not name"),
        ("update", put("subject", {"after": "1", "before": "2"}), "subject does not name"),
        ("update", within("subject", "after", OTHER), "after: column email"),
        ("update", within("after", "email", "ana@example.org"), "after: column email"),
        ("update", within("after", "email", WRONG_SEAL), "after: column email"),
        ("update", within("after", "email", example.seal("x", tier=1)), "after: column email"),
        ("update", within("after", "email", {"seal": "AQ=="}), "after: column email"),
        ("update", within("after", "email", {"seal": "!"}), "after: column email"),
        ("update", within("after", "name", "customer 1"), "after: column name"),
        ("update", within("after", "name", {"token": "customer 1"}), "after: column name"),
        ("update", within("after", "pin", "1234"), "after: column pin"),
        ("later update", within("after", "note", {"seal": "AQ=="}), "after: column note"),
        ("update", within("after", "more", None), "columns of its schema"),
        ("update", lambda entry: entry["after"].pop("pin"), "columns of its schema"),
        ("update", within("after", "id", "2"), "key is not that of the after"),
        ("update", put("key", ["2"]), "key is not that of the before"),
        ("fills", put("key", "0" * 64), "not the digest of the image"),
        ("fills", drop("flags"), "flag keyless disagree"),
        ("key change, d", drop("linked_key"), "does not follow its delete"),
        ("key change, c", drop("linked_key"), "not followed by its create"),
        ("key change, c", put("linked_key", ["4"]), "not followed by its create"),
        ("truncate", put("table", "public.customers"), "a row that is gone"),
        ("truncate", put("table", "fills"), "table is misspelt"),
    ],
)
def test_each_damage_is_noticed(place, change, reason):
    found = damaged(place, change)
    assert any(reason in problem.reason for problem in found), found


def test_a_missing_entry_is_noticed_wherever_it_was():
    for place in range(1, len(STREAM) - 1):
        entries = fresh()
        del entries[place]
        assert problems(entries)


def test_two_entries_that_changed_places_are_noticed():
    for place in range(len(STREAM) - 1):
        entries = fresh()
        entries[place], entries[place + 1] = entries[place + 1], entries[place]
        assert problems(entries)


def test_rows_that_do_not_store_what_they_should_are_noticed():
    rows = example.stream().rows()
    seq, text, body, leaf = rows[PLACES["large"]]
    assert body is not None
    for row in (
        (seq + 1, text, body, leaf),
        (seq, text, body, "0" * 64),
        (seq, text, body.replace("éé", "é", 1), leaf),
        (seq, text, None, leaf),
        (seq, text.replace(":", ": ", 1), body, leaf),
        (seq, text, body.replace(":", ": ", 1), leaf),
    ):
        assert reader.verify([*rows[:seq], row, *rows[seq + 1 :]])
    small = rows[0]
    assert reader.verify([(small[0], small[1], "{}", small[3]), *rows[1:]])
    assert reader.verify(rows, root="0" * 64)
    assert reader.verify(rows, edge=["0" * 64])
    assert reader.verify(rows[1:])


def test_a_body_that_is_not_needed_is_noticed():
    log = example.Log()
    log.add("message", operation="m", position=[], content={"prefix": "p", "content": None}, moved=("content",))
    assert [problem.reason for problem in reader.verify(log.rows())] == ["a body where none is needed"]


def customers(*steps):
    """Reasons, for a log of changes of one customer after the baseline: (operation, before, after)."""
    log = example.Log()
    log.schema(example.CUSTOMERS)
    log.change(example.CUSTOMERS, "r", ["9"], after=example.customer(9, None))
    log.add("baseline", content={"detail": {}, "notification": "COMPLETED"})
    for operation, before, after in steps:
        emails = {"before": before, "after": after}
        images = {name: example.customer(1, email) for name, email in emails.items() if email != "-"}
        if operation == "t":
            log.add("truncate", operation="t", position=[], table="public.customers")
        else:
            log.change(example.CUSTOMERS, operation, ["1"], **images)
    return {problem.reason for problem in reader.verify(log.rows())}


def test_rows_live_and_die():
    insert, update, delete = ("c", "-", "a"), ("u", "a", "b"), ("d", "b", "-")
    truncate, again, seen = ("t", "-", "-"), ("c", "-", "z"), ("r", "-", "q")
    assert customers(insert, update, delete, again) == set()
    assert customers(insert, update, truncate, again) == set()
    assert customers(insert, seen, ("u", "q", "b"), delete) == set()
    assert customers(insert, again) == {"an insert of a row that is there"}
    assert customers(update) == {"a change of a row that the log does not have"}
    assert customers(insert, update, delete, ("u", "b", "c")) == {"a change of a row that is gone"}
    assert customers(insert, truncate, update) == {"a change of a row that is gone"}
    assert customers(insert, ("u", "x", "b")) == {"the before image is not the row's after image before: email"}


def test_copies_of_keyless_rows_are_counted():
    fill = {"symbol": "X", "quantity": None, "tags": []}
    key = chain.keyless_key(fill)
    assert key == canonical.digest({"symbol": "X", "tags": []})
    log = example.Log()
    log.add("baseline", content={"detail": {}, "notification": "COMPLETED"})
    log.schema(example.FILLS)
    for _ in range(2):
        log.change(example.FILLS, "c", key, example.SOURCE, after=fill, flags=["keyless"])
    for _ in range(2):
        log.change(example.FILLS, "d", key, example.SOURCE, before=fill, flags=["keyless"])
    assert reader.verify(log.rows()) == []
    log.change(example.FILLS, "d", key, example.SOURCE, before=fill, flags=["keyless"])
    assert [problem.reason for problem in reader.verify(log.rows())] == [
        "a change of a keyless row that the log does not have"
    ]


def test_an_erased_subjects_row_goes_on_under_a_new_generation():
    """Cells and tokens made anew cannot be compared; values in clear still are."""
    log = example.Log()
    later = example.SUBJECT[:-1] + "2"
    old = example.customer(1, "a")
    new = {**old, "email": example.seal("a", later), "name": example.token("made anew")}
    log.schema(example.CUSTOMERS)
    log.change(example.CUSTOMERS, "c", ["1"], after=old)
    log.change(example.CUSTOMERS, "u", ["1"], subject=later, before=new, after=new)
    assert reader.verify(log.rows()) == []


def test_a_transaction_that_the_next_begin_closed_has_no_count():
    log = example.Log()
    log.schema(example.CUSTOMERS)
    open_ = {"id": "1", "order": "1"}
    log.change(example.CUSTOMERS, "c", ["1"], after=example.customer(1, None), transaction=open_)
    end = {"count": None, "offset": "1", "tables": {}}
    log.add("end", offset=1, transaction={"id": "1", "end": end})
    log.change(example.CUSTOMERS, "c", ["2"], after=example.customer(2, None), transaction={"id": "2", "order": "1"})
    assert reader.verify(log.rows()) == []


def test_problems_never_carry_values():
    entries = fresh()
    entries[PLACES["update"]][0]["after"]["email"] = "ana@example.org"
    entries[PLACES["update"]][0]["before"]["email"] = example.seal("other")
    text = str(problems(entries))
    assert "ana@" not in text
    assert "seal" in text  # the name of the protection, and that of the column
    assert "email" in text
    assert entries[PLACES["update"]][0]["before"]["email"]["seal"] not in text


def test_the_vectors_on_disk_are_those_that_the_independent_code_makes():
    for name in vectors.VECTORS:
        assert (vectors.FOLDER / name).read_text() == vectors.text(name)


def test_the_independent_reading_imports_nothing_of_ours():
    """The standard library only; where cells are opened, also AES itself, and a driver to read the store that holds their keys."""
    allowed = {*sys.stdlib_module_names, "tests.independent"}
    for path in Path(example.__file__).parent.glob("*.py"):
        extra = {"cryptography", "psycopg2"} if path.name in {"siv.py", "cells.py", "cell_vectors.py"} else set()
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [str(node.module)]
            for name in names:
                tops = {name.split(".")[0], ".".join(name.split(".")[:2])}
                assert tops & (allowed | extra), f"{path.name} imports {name}"

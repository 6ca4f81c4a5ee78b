"""The oracle itself: it accepts a correct log, and notices each thing that can be wrong with one."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tests.damages import DAMAGES, PLACES, STREAM, fresh
from tests.independent import canonical, chain, example, reader, tree, vectors


def damaged(place, change):
    """Problems after ``change(entry)`` at a place of the example log."""
    entries = fresh()
    change(entries[PLACES[place]][0])
    return problems(entries)


def problems(entries):
    return reader.verify(example.rows(entries))


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


@pytest.mark.parametrize(("place", "change", "reason"), DAMAGES)
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


def test_a_ddl_of_mariadbs_has_an_end_without_count():
    log = example.Log()
    end = {"count": None, "offset": "0", "tables": {}}
    log.add("end", transaction={"id": "0-7-1", "end": end})
    log.schema(example.CUSTOMERS)
    log.change(example.CUSTOMERS, "c", ["2"], after=example.customer(2, None), transaction={"id": "0-7-2", "order": "1"})
    assert reader.verify(log.rows()) == []


@pytest.mark.parametrize("name", ["1", "0-7-1"])
def test_rows_without_an_end_are_a_loss(name):
    log = example.Log()
    log.schema(example.CUSTOMERS)
    open_ = {"id": name, "order": "1"}
    log.change(example.CUSTOMERS, "c", ["1"], after=example.customer(1, None), transaction=open_)
    log.add("end", offset=1, transaction={"id": name, "end": {"count": None, "offset": "1", "tables": {}}})
    assert [problem.reason for problem in reader.verify(log.rows())] == [
        "a transaction without END that is no DDL of MariaDB's"
    ]


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

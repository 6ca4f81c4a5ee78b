"""The log of what people and programs did: made by SQL, and read as any other log."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest

from cdc.entry import decode
from tests.history import TEXTS
from tests.independent.reader import verify
from tests.warehouse import edge, log, query


def append(dsn: str, name: str | None, detail: dict | list | str | None) -> int:
    return query(dsn, "SELECT audit.append_operation(%s, %s)", name, None if detail is None else json.dumps(detail))[0][0]


def sound(database) -> list[dict]:
    stored = log(database, "operations")
    size, nodes = edge(database, "operations")
    assert size == len(stored)
    assert verify(stored, edge=nodes) == []
    for _, text, body, _ in stored:
        assert body is None
        decode(text.encode())
    for row in query(database.auditor_dsn, "SELECT seq, kind, ordered_at, entry, table_name, row_key, operation, kafka_offset FROM audit.entry WHERE log = 'operations'"):
        entry = json.loads(row[3])
        assert row[:3] == (int(entry["seq"]), entry["kind"], int(entry["ordered_at"]))
        assert row[4:] == (None, None, None, None)
    return [json.loads(text) for _, text, _, _ in stored]


def test_entries_are_canonical_and_verify(warehouse_database):
    texts = [*TEXTS, "\x01\x08\x0c\x1f\x7f\x80", "</script>", "\u2028", "ä" * 1000, '{"a":1}', "\\u0041", "😀"]
    for n, text in enumerate(texts):
        assert append(warehouse_database.replicator_dsn, text or "none", {"text": text, "b_2": "x", "b": "", "ba": text}) == n
    append(warehouse_database.replicator_dsn, "empty", {})
    entries = sound(warehouse_database)
    assert [entry["content"]["detail"].get("text") for entry in entries] == [*texts, None]
    assert [entry["content"]["name"] for entry in entries][1:3] == texts[1:3]
    assert len({entry["salt"] for entry in entries}) == len(entries)


def test_the_actor_is_the_session_user(warehouse_database):
    append(warehouse_database.replicator_dsn, "by", {"actor": "somebody else"})
    append(warehouse_database.auditor_dsn, "by", {})
    query(warehouse_database.admin_dsn, "SET ROLE cdc_auditor; SELECT audit.append_operation('by', '{}')")
    actors = [entry["content"]["actor"] for entry in sound(warehouse_database)]
    assert actors[:2] == ["cdc_replicator", "cdc_auditor"]
    assert actors[2] not in {"cdc_replicator", "cdc_auditor"}


def test_concurrent_appends_keep_one_tree(warehouse_database):
    def many(worker: int) -> list[int]:
        connection = psycopg2.connect(warehouse_database.replicator_dsn)
        seqs = []
        try:
            for n in range(25):
                with connection, connection.cursor() as cursor:
                    cursor.execute("SELECT audit.append_operation('concurrent', %s)", (json.dumps({"worker": str(worker), "n": str(n)}),))
                    seqs.append(cursor.fetchone()[0])
                    if n % 5 == 4:  # some think better of it
                        connection.rollback()
                        seqs.pop()
        finally:
            connection.close()
        return seqs

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(many, range(4)))
    entries = sound(warehouse_database)
    assert sorted(seq for seqs in results for seq in seqs) == list(range(80)) == [int(entry["seq"]) for entry in entries]
    for worker, seqs in enumerate(results):
        assert seqs == sorted(seqs)
        assert all(entries[seq]["content"]["detail"]["worker"] == str(worker) for seq in seqs)


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("n", []), ("n", "text"), ("n", None), ("n", {"a": 1}), ("n", {"a": None}), ("n", {"a": True}), ("n", {"a": ["x"]}), ("n", {"a": {"b": "c"}}), ("n", {"A": "x"}), ("n", {"": "x"}), ("n", {"a b": "x"}), ("n", {"é": "x"}), ("n", {"a\n": "x"}), ("n", {'a"': "x"}),
        (None, {}), ("", {}), ("n", {"a": "x" * 70_000}), ("n" * 70_000, {}),
    ],
)  # fmt: skip
def test_bad_operations_are_refused_and_leave_no_trace(warehouse_database, name, detail):
    append(warehouse_database.replicator_dsn, "before", {})
    with pytest.raises(psycopg2.Error):
        append(warehouse_database.replicator_dsn, name, detail)
    append(warehouse_database.replicator_dsn, "after", {})
    assert [entry["content"]["name"] for entry in sound(warehouse_database)] == ["before", "after"]


def test_the_clock_never_goes_back(warehouse_database):
    append(warehouse_database.replicator_dsn, "first", {})
    append(warehouse_database.replicator_dsn, "second", {})
    ordered = [int(entry["ordered_at"]) for entry in sound(warehouse_database)]
    assert ordered == sorted(ordered)
    (now,) = query(warehouse_database.admin_dsn, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000000)::bigint")[0]
    assert 0 <= now - ordered[-1] < 60_000_000_000


def test_an_operation_of_a_transaction_that_rolls_back_is_not_there(warehouse_database):
    connection = psycopg2.connect(warehouse_database.replicator_dsn)
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit.append_operation('never', '{}')")
    connection.rollback()
    connection.close()
    assert sound(warehouse_database) == []

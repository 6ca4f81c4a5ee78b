"""The one commit: all of it or nothing, and only from where the stream is."""

from __future__ import annotations

from dataclasses import replace

import psycopg2
import pytest

from cdc.errors import CdcError, ConfigError, Fenced, LedgerError, TransientError
from cdc.ledger.merkle import Edge
from cdc.warehouse.commit import PrivacyMark, commit
from cdc.warehouse.refusal import StateRefused
from cdc.warehouse.sqlstate import classify
from tests.builders import FILLS, ORDERS, Column, Feed
from tests.independent.reader import verify
from tests.warehouse import PRIVACY, edge, everything, log, query, rows, worker

ROW = {"id": 1, "owner": "ann", "price": "1.50", "note": "planted-value", "pin": "1"}
STEPS = ["begin", "fence", "entries", "state", "commit", "committed"]


def records(feed: Feed | None = None, number: int = 1) -> list:
    feed = feed or Feed()
    at = len(feed.records)
    feed.begin()
    feed.row(ORDERS, "c", None, {**ROW, "id": number})
    feed.row(FILLS, "c", None, {"symbol": "A", "quantity": number, "secret": None})
    feed.row(FILLS, "c", None, {"symbol": "long" * 20_000, "quantity": number, "secret": None})
    feed.truncate(FILLS)
    feed.end()
    return feed.records[at:]


def test_one_commit_holds_everything(warehouse_database):
    steps: list[str] = []
    with worker(warehouse_database) as it:
        (batch,) = it.bring(records(), observe=steps.append)
    assert steps == STEPS
    size, nodes = edge(warehouse_database)
    stored = log(warehouse_database)
    assert size == len(stored) == 6
    assert verify(stored, edge=nodes) == []
    assert [seq for seq, _, body, _ in stored if body is not None] == [4]
    standing = query(
        warehouse_database.auditor_dsn,
        "SELECT next_offset, records, skipped, extra_entries, privacy_identity::text, privacy_high_water, open_transaction FROM pipeline.stream",
    )
    assert standing == [(6, 6, {"begin": 1, "end": 1}, 2, PRIVACY.identity, PRIVACY.high_water, None)]
    assert query(warehouse_database.auditor_dsn, "SELECT count(*) FROM pipeline.table_version") == [(2,)]
    with worker(warehouse_database) as other:  # and the next owner reads the very standing that was written
        assert other.owned.standing == replace(batch.end, skipped=dict(batch.end.skipped))
        assert other.owned.privacy == (PRIVACY.identity, PRIVACY.high_water)
        assert other.owned.known == {version[:3] for version in batch.versions}


def test_the_columns_of_an_entry_are_projections_of_it(warehouse_database):
    import json

    feed = Feed()
    with worker(warehouse_database) as it:
        it.bring(records(feed))
        at = len(feed.records)
        feed.begin()
        feed.row(ORDERS, "u", ROW, {**ROW, "owner": "bob"})
        feed.message("p", "x")
        feed.end()
        feed.notify("COMPLETED")
        it.bring(feed.records[at:])
    names = "seq, kind, ordered_at, committed_at, table_name, row_key, operation, version, prev, transaction_id, subject, subject_before, kafka_offset, ordinal, entry"
    for row in query(warehouse_database.auditor_dsn, f"SELECT {names} FROM audit.entry WHERE log = 'trading'"):
        entry = json.loads(row[-1])
        key = entry.get("key")
        subject = entry.get("subject", {})
        owner = subject.get("after") or subject.get("before")
        other = subject.get("before")
        committed_at, version, prev = (None if entry.get(name) is None else int(entry[name]) for name in ("committed_at", "version", "prev"))
        assert row[:-1] == (
            int(entry["seq"]), entry["kind"], int(entry["ordered_at"]), committed_at, entry.get("table"),
            json.dumps(key, separators=(",", ":"), ensure_ascii=False) if isinstance(key, list) else key, entry.get("operation"), version, prev,
            entry.get("transaction", {}).get("id"), owner, other if other != owner else None, int(entry["offset"]), int(entry["ordinal"]),
        )  # fmt: skip


@pytest.mark.parametrize("step", STEPS[:-1])
@pytest.mark.parametrize("failure", [RuntimeError, LedgerError, KeyboardInterrupt])
def test_a_failure_at_any_step_leaves_nothing(warehouse_database, step, failure):
    def fail(at: str) -> None:
        if at == step:
            raise failure("injected")

    with worker(warehouse_database) as it:
        batch = it.prepare(records())
        before = everything(warehouse_database)
        with pytest.raises(failure):
            commit(it.connection, it.fence, batch, PRIVACY, fail)
        assert it.connection.closed or it.connection.info.transaction_status == 0, "the transaction is still open"
        assert everything(warehouse_database) == before
        commit(it.connection, it.fence, batch, PRIVACY, lambda _step: None)  # the same batch still goes
    assert edge(warehouse_database)[0] == 6


@pytest.mark.parametrize("step", STEPS[:-1])
def test_the_connection_lost_at_any_step(warehouse_database, step):
    with worker(warehouse_database) as it:
        batch = it.prepare(records())
        before = everything(warehouse_database)

        def cut(at: str) -> None:
            if at == step:
                query(warehouse_database.admin_dsn, "SELECT pg_terminate_backend(%s)", it.connection.info.backend_pid)

        with pytest.raises(TransientError):
            commit(it.connection, it.fence, batch, PRIVACY, cut)
        assert everything(warehouse_database) == before
    with worker(warehouse_database) as it:
        it.bring(records())
    assert edge(warehouse_database)[0] == 6


@pytest.mark.parametrize("what", ["epoch", "topic_id", "log", "offset", "twice"])
def test_the_fence(warehouse_database, what):
    with worker(warehouse_database) as it:
        batch = it.prepare(records())
        fence = it.fence
        if what == "epoch":
            fence = replace(fence, epoch=fence.epoch - 1)
        elif what == "topic_id":
            fence = replace(fence, topic_id="AAAAAAAAAAAAAAAAAAAAAA")
        elif what == "log":
            fence = replace(fence, log="portfolio")
        elif what == "offset":
            batch = replace(batch, start=replace(batch.start, next_offset=1))
        else:
            commit(it.connection, fence, batch, PRIVACY, lambda _step: None)
        before = everything(warehouse_database)
        with pytest.raises(Fenced):
            commit(it.connection, fence, batch, PRIVACY, lambda _step: None)
        assert everything(warehouse_database) == before


def test_an_owner_that_was_replaced_writes_nothing(warehouse_database):
    with worker(warehouse_database) as first:
        batch = first.prepare(records())
        query(warehouse_database.admin_dsn, "UPDATE pipeline.stream SET epoch = epoch + 1")
        with pytest.raises(Fenced):
            commit(first.connection, first.fence, batch, PRIVACY, lambda _step: None)
    assert log(warehouse_database) == []


def test_a_log_of_another_size_is_a_contradiction(warehouse_database):
    with worker(warehouse_database) as it:
        batch = it.prepare(records())
        query(warehouse_database.admin_dsn, "UPDATE audit.log SET size = 1, edge = ARRAY[sha256('x')] WHERE log = 'trading'")
        before = everything(warehouse_database)
        with pytest.raises(LedgerError, match="trading"):
            commit(it.connection, it.fence, batch, PRIVACY, lambda _step: None)
        assert everything(warehouse_database) == before


def test_an_entry_that_is_there_already_is_a_contradiction(warehouse_database):
    with worker(warehouse_database) as it:
        batch = it.prepare(records())
        commit(it.connection, it.fence, batch, PRIVACY, lambda _step: None)
        query(warehouse_database.admin_dsn, "UPDATE audit.log SET size = 0, edge = '{}' WHERE log = 'trading'")
        query(warehouse_database.admin_dsn, "UPDATE pipeline.stream SET next_offset = 0")
        with pytest.raises(LedgerError, match="23505") as caught:
            commit(it.connection, it.fence, batch, PRIVACY, lambda _step: None)
        assert "planted" not in str(caught.value)


def test_a_batch_whose_edge_is_not_of_its_size_is_refused(warehouse_database):
    with worker(warehouse_database) as it:
        batch = it.prepare(records())
        wrong = replace(batch, end=replace(batch.end, edge=Edge(7, (b"1" * 32, b"2" * 32, b"3" * 32))))
        before = everything(warehouse_database)
        commit_error = None
        try:
            commit(it.connection, it.fence, wrong, PRIVACY, lambda _step: None)
        except CdcError as error:
            commit_error = error
        assert isinstance(commit_error, LedgerError)
        assert everything(warehouse_database) == before


def test_a_text_that_its_column_cannot_read_is_never_quoted(warehouse_database):
    feed = Feed()
    feed.begin()
    feed.row(ORDERS, "c", None, {**ROW, "price": "planted-value"})
    feed.end()
    with worker(warehouse_database) as it:
        with pytest.raises(StateRefused) as caught:
            it.bring(feed.records)
        import traceback

        assert "planted" not in "".join(traceback.format_exception(caught.value))
        assert "22P02" in str(caught.value)
    assert log(warehouse_database) == []


def test_standing_between_batches_of_a_transaction_larger_than_a_batch(warehouse_database):
    feed = Feed()
    feed.begin()
    for number in range(40):
        feed.row(ORDERS, "c", None, {**ROW, "id": number})
    feed.end()
    with worker(warehouse_database) as it:
        it.bring(feed.records[:20], limit=10)
        assert query(warehouse_database.auditor_dsn, "SELECT open_transaction, open_count, next_offset FROM pipeline.stream") == [("701", 18, 19)]
    with worker(warehouse_database) as it:
        at = it.owned.standing.next_offset
        it.bring([record for record in feed.records if record.offset >= at], limit=10)
    assert verify(log(warehouse_database), edge=edge(warehouse_database)[1]) == []
    assert sum(rows(warehouse_database, "trading.orders", "id").values()) == 40


def test_privacy_mark_moves_with_every_commit(warehouse_database):
    feed = Feed()
    with worker(warehouse_database) as it:
        commit(it.connection, it.fence, it.prepare(records(feed)), PRIVACY, lambda _step: None)
        commit(it.connection, it.fence, it.prepare(records(feed, 2)), PrivacyMark(PRIVACY.identity, 8), lambda _step: None)
    assert query(warehouse_database.auditor_dsn, "SELECT privacy_high_water FROM pipeline.stream") == [(8,)]


def test_a_new_column_is_there_before_the_batch_that_brings_it(warehouse_database):
    """The table may be ahead of the log: a batch that was made ready and never committed is made ready again."""
    feed = Feed()
    with worker(warehouse_database) as it:
        it.bring(records(feed))
        wider = ORDERS.with_column(Column("extra"))
        at = len(feed.records)
        feed.begin()
        feed.row(wider, "u", {**ROW, "extra": None}, {**ROW, "extra": "x"})
        feed.end()
        assert it.prepare(feed.records[at:]) is not None
    with worker(warehouse_database) as it:
        it.bring(feed.records[at:])
    assert rows(warehouse_database, "trading.orders", "extra") == {("x",): 1}


@pytest.mark.parametrize(
    ("state", "kind"),
    [("08006", TransientError), ("57P01", TransientError), ("53100", TransientError), ("40001", TransientError), ("40P01", TransientError), ("55P03", TransientError), ("42501", ConfigError), ("23505", LedgerError), ("23514", LedgerError), ("22P02", LedgerError), ("42P01", LedgerError)],
)  # fmt: skip
def test_errors_by_sqlstate(warehouse_database, state, kind):
    connection = psycopg2.connect(warehouse_database.admin_dsn)
    try:
        with connection.cursor() as cursor, pytest.raises(psycopg2.Error) as caught:
            cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'planted-value' USING ERRCODE = '{state}', DETAIL = 'planted-value'; END $$")
    finally:
        connection.close()
    error = classify(caught.value, "here")
    assert type(error) is kind
    assert "planted" not in str(error) + str(error.hint)
    assert state in str(error)

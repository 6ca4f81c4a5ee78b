"""Who owns a stream: one worker, taken over when it is gone, never while it lives."""

from __future__ import annotations

import threading
import time

import psycopg2
import pytest

from cdc.errors import CdcError, Fenced, Halted
from cdc.warehouse import lease
from cdc.warehouse.commit import commit
from cdc.warehouse.lease import Ownership, Renewal
from tests.builders import ORDERS, TOPIC_ID, Feed
from tests.warehouse import PRIVACY, WarehouseWorker, log, query, worker

ROW = {"id": 1, "owner": "ann", "price": "1.50", "note": "n", "pin": "1"}


def batch_of(it: WarehouseWorker):
    feed = Feed()
    feed.begin()
    feed.row(ORDERS, "c", None, ROW)
    feed.end()
    return it.prepare(feed.records)


@pytest.fixture
def spare(warehouse_database):
    connection = lease.connect(warehouse_database.replicator_dsn, "test spare")
    yield connection
    connection.close()


def test_taken_once_and_refused_while_the_owner_lives(warehouse_database, spare):
    with worker(warehouse_database) as owner:
        assert (owner.owned.epoch, owner.owned.origin, owner.owned.standing.next_offset) == (1, "trading/1", 0)
        name = lease.try_take(spare, "trading")
        assert isinstance(name, str)
        assert "/" in name
        assert spare.info.transaction_status == 0
        commit(owner.connection, owner.fence, batch_of(owner), PRIVACY, lambda _step: None)


def test_taken_at_once_when_the_owner_is_gone(warehouse_database, spare):
    with worker(warehouse_database):
        pass
    began = time.monotonic()
    while not isinstance(taken := lease.try_take(spare, "trading"), Ownership):
        assert time.monotonic() - began < 5
        time.sleep(0.05)
    assert taken.epoch == 2


def test_released_at_once(warehouse_database, spare):
    with worker(warehouse_database) as owner:
        lease.release(owner.connection, "trading", owner.owned.epoch)
        taken = lease.try_take(spare, "trading")
        assert isinstance(taken, Ownership)
        lease.release(owner.connection, "trading", owner.owned.epoch)  # of an epoch that is over: nothing
        assert query(warehouse_database.admin_dsn, "SELECT owner IS NULL FROM pipeline.lease") == [(False,)]


def _expire(database) -> None:
    query(database.admin_dsn, "UPDATE pipeline.lease SET renewed_at = clock_timestamp() - make_interval(secs => %s)", lease.EXPIRES_S + 1)


def test_an_owner_that_stopped_renewing_is_ended_and_fenced(warehouse_database, spare):
    with worker(warehouse_database) as owner:
        batch = batch_of(owner)
        with owner.connection.cursor() as cursor:  # stopped in the middle of its commit, its row locks held
            cursor.execute("UPDATE pipeline.stream SET next_offset = next_offset WHERE log = 'trading'")
        assert isinstance(lease.try_take(spare, "trading"), str)
        _expire(warehouse_database)
        taken = lease.try_take(spare, "trading")
        assert isinstance(taken, Ownership)
        assert taken.epoch == owner.owned.epoch + 1
        with pytest.raises(CdcError):
            commit(owner.connection, owner.fence, batch, PRIVACY, lambda _step: None)
        again = lease.connect(warehouse_database.replicator_dsn, "test zombie")
        with pytest.raises(Fenced):
            commit(again, owner.fence, batch, PRIVACY, lambda _step: None)
        again.close()
    assert log(warehouse_database) == []


def test_a_reused_backend_pid_is_not_the_owner(warehouse_database, spare):
    with worker(warehouse_database):
        query(warehouse_database.admin_dsn, "UPDATE pipeline.lease SET owner_started_at = owner_started_at - interval '1 s'")
        assert isinstance(lease.try_take(spare, "trading"), Ownership)
        assert query(warehouse_database.admin_dsn, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'test writer' AND datname = current_database()") == [(1,)]


def test_many_spares_and_one_owner(warehouse_database):
    with worker(warehouse_database):
        pass
    connections = [lease.connect(warehouse_database.replicator_dsn, f"spare {n}") for n in range(5)]
    taken: list = []
    barrier = threading.Barrier(len(connections))

    def take(connection) -> None:
        barrier.wait()
        for _ in range(20):
            try:
                taken.append(lease.try_take(connection, "trading"))
            except (psycopg2.Error, CdcError) as error:
                taken.append(error)

    threads = [threading.Thread(target=take, args=(connection,)) for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    owners = [it for it in taken if isinstance(it, Ownership)]
    assert [owner.epoch for owner in owners] == [2]
    assert not [it for it in taken if isinstance(it, Exception)]
    for connection in connections:
        connection.close()


def test_registering_another_topic_or_incarnation_halts(warehouse_database, spare):
    with worker(warehouse_database):
        pass
    lease.register(spare, "trading", "trading", TOPIC_ID)
    with pytest.raises(Halted, match="topic-recreated") as caught:
        lease.register(spare, "trading", "trading", "AAAAAAAAAAAAAAAAAAAAAA")
    assert caught.value.code == "topic-recreated"
    with pytest.raises(Halted, match="topic-changed"):
        lease.register(spare, "trading", "other", TOPIC_ID)
    assert query(warehouse_database.admin_dsn, "SELECT topic, topic_id FROM pipeline.stream") == [("trading", TOPIC_ID)]


def test_renewal(warehouse_database, monkeypatch):
    monkeypatch.setattr(lease, "RENEW_S", 0.1)
    with worker(warehouse_database) as owner:
        renewal = Renewal(warehouse_database.replicator_dsn, "trading", owner.owned.epoch)
        renewal.start()
        try:
            _expire(warehouse_database)
            _until(lambda: query(warehouse_database.admin_dsn, "SELECT renewed_at > clock_timestamp() - interval '1 s' FROM pipeline.lease") == [(True,)])
            # its connection breaks: it comes back
            query(warehouse_database.admin_dsn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cdc lease trading' AND datname = current_database()")
            _expire(warehouse_database)
            _until(lambda: query(warehouse_database.admin_dsn, "SELECT renewed_at > clock_timestamp() - interval '1 s' FROM pipeline.lease") == [(True,)])
            assert not renewal.lost.is_set()
            query(warehouse_database.admin_dsn, "UPDATE pipeline.lease SET epoch = epoch + 1")
            assert renewal.lost.wait(5)
        finally:
            renewal.stop()
        assert not renewal.is_alive()


def _until(holds, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_partitions_are_there_before_they_are_needed(warehouse_database):
    with worker(warehouse_database) as it:
        lease.cut_ahead(it.connection, "trading", 4_500_000)
    assert query(warehouse_database.admin_dsn, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'audit.entry_trading'::regclass") == [(2,)]

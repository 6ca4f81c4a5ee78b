"""A privacy store that went back in time mints nothing; one that is away ends the worker's batch, and no other worker waits for one that stands still."""

from __future__ import annotations

import threading

import pytest
from psycopg2.extensions import make_dsn

from governance import store
from governance.connection import StoreConnection
from governance.errors import GovernanceError, StoreRestored, StoreUnavailable
from governance.keys import Keys, Limits
from governance.roots import keyring
from governance.store import StoreMark
from tests.fix_privacy import customers, execute

# A store that went back in time.


@pytest.fixture
def older(privacy, warehouse_cluster):
    """The privacy role's DSN of a copy from before something was minted; the keys that have seen the newer one."""
    keys, backup = privacy.keys(), f"{privacy.name}_backup"
    customers(keys, "1")
    keys._vault._connection.close()  # a template must have no sessions
    execute(make_dsn(privacy.admin_dsn, dbname="postgres"), f"CREATE DATABASE {backup} TEMPLATE {privacy.name}")
    customers(keys, "2")
    yield make_dsn(privacy.dsn, dbname=backup), keys
    execute(make_dsn(privacy.admin_dsn, dbname="postgres"), f"DROP DATABASE {backup} WITH (FORCE)")


def test_older_store_is_refused_at_open(privacy, older):
    dsn, keys = older
    root = keyring.load(privacy.keyring)
    with pytest.raises(StoreRestored, match="went back in time") as caught:
        Keys(StoreConnection(dsn), root, seen=keys.mark)
    assert caught.value.code == "privacy-store-restored"
    Keys(StoreConnection(dsn), root, seen=None)


def test_another_store_is_refused_at_open(privacy):
    seen = StoreMark("00000000-0000-0000-0000-000000000000", 0)
    with pytest.raises(StoreRestored, match="is not the one seen before"):
        privacy.keys(seen=seen)


def test_store_restored_under_a_running_worker_mints_nothing(privacy):
    keys = privacy.keys()
    customers(keys, "1")
    high = keys.mark.high_water
    privacy.all("UPDATE privacy.store SET high_water = %s", high - 2)  # what a restore leaves
    with pytest.raises(StoreRestored):
        customers(keys, "2")
    with pytest.raises(StoreRestored):
        keys.ensure_tokens({"email": {"a": keys.subject("customer", "1")}})
    with pytest.raises(StoreRestored):
        keys.guard()
    assert privacy.one("SELECT count(*) FROM privacy.subject") == 1
    assert privacy.one("SELECT count(*) FROM privacy.token") == 0
    assert privacy.one("SELECT high_water FROM privacy.store") == high - 2
    assert keys.mark.high_water == high


# Outages.


def test_lost_connection_is_transient_and_the_guard_is_asked_again(privacy):
    keys = privacy.keys()
    [subject] = customers(keys, "1")
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'cdc_privacy' AND datname = current_database()"
    privacy.all(kill)
    with pytest.raises(StoreUnavailable):
        customers(keys, "2")
    assert keys.subject("customer", "1") == subject  # what is cached still works
    customers(keys, "2")
    privacy.all(kill)
    privacy.all("UPDATE privacy.store SET high_water = 0")
    with pytest.raises(StoreUnavailable):
        customers(keys, "3")
    with pytest.raises(StoreRestored):
        customers(keys, "3")


def test_worker_runs_on_its_cache_for_a_while_and_no_longer(privacy):
    now = [0.0]
    keys = privacy.keys(limits=Limits(age=60), clock=lambda: now[0])
    [subject] = customers(keys, "1")
    keys.ensure_tokens({"email": {"a": subject}})
    token = keys.token("email", "a")
    privacy.stop_answering(keys)
    now[0] = 59
    assert customers(keys, "1") == [subject]
    keys.cipher(subject).seal(b"\x01x", b"[]")
    now[0] = 61
    with pytest.raises(StoreUnavailable):
        customers(keys, "1")
    privacy.answer()
    assert customers(keys, "1") == [subject]
    assert keys.token("email", "a") == token


def test_stopped_worker_does_not_hold_up_the_others(privacy):
    """A worker that stands still inside its transaction, holding locks, is ended by the server after 10 s; here after 1 s."""
    keys, connection = privacy.keys(), StoreConnection(privacy.dsn)
    holding, go_on, outcome, limit = threading.Event(), threading.Event(), [], []

    def stand_still(cursor):
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        limit.extend(cursor.fetchall())
        cursor.execute("SET idle_in_transaction_session_timeout = '1s'")
        cursor.execute("UPDATE privacy.store SET high_water = high_water + 1")
        holding.set()
        go_on.wait(60)
        return store.mark(cursor)

    def stopped():
        try:
            connection.run(stand_still)
        except GovernanceError as error:
            outcome.append(error)

    thread = threading.Thread(target=stopped)
    thread.start()
    assert holding.wait(60)
    customers(keys, "1")  # waits for the lock, 20 s at most
    assert limit == [("10s",)]
    go_on.set()
    thread.join()
    assert isinstance(outcome[0], StoreUnavailable)

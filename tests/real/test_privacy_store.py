"""The privacy store on a real PostgreSQL: how it is set up, what the worker's role may do, and that workers agree."""

from __future__ import annotations

import itertools
import multiprocessing
import random
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest

from governance import seal, store
from governance.connection import StoreConnection
from governance.errors import GovernanceError, KeyringError, StoreError, StoreUnavailable
from governance.keys import Keys, Limits
from governance.migrate import migrate
from governance.roots import keyring
from governance.setup import set_up
from governance.store import StoreMark
from tests.fix_privacy import customers, execute
from tests.independent.cells import Cells


@pytest.fixture
def empty(warehouse_cluster):
    """The owner's DSN of an empty database."""
    database = warehouse_cluster.fresh_database("empty")
    yield database.admin_dsn
    warehouse_cluster.drop(database)


# Setting up.


def test_set_up_is_repeatable_and_concurrent(empty, tmp_path):
    with ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(lambda _: migrate(empty), range(4)))
    assert sorted(len(names) for names in applied) == [0, 0, 0, 1]
    first = set_up(empty, tmp_path / "k")
    assert (first.applied, first.keyring_created, first.epoch) == ((), True, 1)
    assert set_up(empty, tmp_path / "k").keyring_created is False
    assert execute(empty, "SELECT count(*) FROM privacy.kek") == [(1,)]
    entry = "SELECT has_database_privilege(%s, current_database(), 'CONNECT')"
    assert [execute(empty, entry, role)[0][0] for role in ("cdc_privacy", "cdc_auditor")] == [True, False]


def test_no_new_keyring_for_a_store_that_has_keys(privacy, tmp_path):
    with pytest.raises(KeyringError, match="there is no keyring, but the privacy store was set up with one"):
        set_up(privacy.admin_dsn, tmp_path / "other.json")
    assert not (tmp_path / "other.json").exists()


def test_keyring_of_another_store(privacy, tmp_path):
    other = keyring.create(tmp_path / "other.json")
    with pytest.raises(KeyringError, match=r"other\.json: this keyring does not belong to the privacy store"):
        Keys(StoreConnection(privacy.dsn), other)
    with pytest.raises(KeyringError, match="does not belong"):
        set_up(privacy.admin_dsn, tmp_path / "other.json")


def test_store_without_tables_or_keys(empty, tmp_path):
    root = keyring.create(tmp_path / "k")
    with pytest.raises(StoreError, match=r"SQLSTATE (42P01|3F000)") as caught:
        Keys(StoreConnection(empty), root)
    assert "cdc keys init" in caught.value.hint
    migrate(empty)
    with pytest.raises(GovernanceError, match="no key-encryption key yet") as caught:
        Keys(StoreConnection(empty), root)
    assert "cdc keys init" in caught.value.hint


def test_applied_file_that_was_changed_is_refused(privacy):
    privacy.all("UPDATE privacy.migration SET sha256 = 'other'")
    with pytest.raises(StoreError, match=r"0001_privacy\.sql was changed after it had been applied"):
        migrate(privacy.admin_dsn)


def test_malformed_and_dead_dsn():
    with pytest.raises(StoreError, match="DSN is malformed"):
        StoreConnection("host").run(store.mark)
    with pytest.raises(StoreError, match="DSN is malformed"):
        migrate("nonsense=1")
    with pytest.raises(StoreUnavailable):
        StoreConnection("host=127.0.0.1 port=1 dbname=x password=hunter2").run(store.mark)
    with pytest.raises(StoreUnavailable) as caught:
        migrate("host=127.0.0.1 port=1 dbname=x password=hunter2")
    assert "hunter2" not in str(caught.value) + str(caught.value.hint)


# What the worker's role may do.


def test_worker_only_adds(privacy):
    tables = ("store", "kek", "secret", "subject", "data_key", "token")
    for statement in (
        "INSERT INTO privacy.kek (epoch, wrapped) VALUES (2, decode(repeat('00', 80), 'hex'))",
        "UPDATE privacy.store SET identity = gen_random_uuid()",
        "INSERT INTO privacy.store DEFAULT VALUES",
        *[f"DELETE FROM privacy.{table}" for table in tables],
        *[f"TRUNCATE privacy.{table}" for table in tables],
        *[f"UPDATE privacy.{table} SET created_at = now()" for table in tables if table != "store"],
        "SELECT * FROM privacy.migration",
        "CREATE TABLE privacy.mine ()",
        "CREATE TABLE public.mine ()",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            execute(privacy.dsn, statement)


# Minting and agreeing.


def test_same_again_for_another_worker(privacy):
    one = privacy.keys()
    [subject, other] = customers(one, "17", "18")
    one.ensure_tokens({"email": {"ann@example.com": subject}, "phone": {"ann@example.com": other}})
    two = privacy.keys(seen=one.mark)
    assert customers(two, "18", "17") == [other, subject]
    two.ensure_tokens({"email": {"ann@example.com": other}})
    assert two.token("email", "ann@example.com") == one.token("email", "ann@example.com")
    assert one.token("phone", "ann@example.com") != one.token("email", "ann@example.com")
    tail = seal.associated_tail("trading", "public.customers", "full_name", b'["17"]')
    assert two.cipher(subject).seal(b"\x01Ann", tail) == one.cipher(subject).seal(b"\x01Ann", tail)
    assert two.cipher(other).seal(b"\x01Ann", tail) != one.cipher(subject).seal(b"\x01Ann", tail)
    assert two.cipher(subject, 1).seal(b"\x01Ann", tail) != one.cipher(subject).seal(b"\x01Ann", tail)
    assert one.salt_key("trading/1") == two.salt_key("trading/1") != one.salt_key("portfolio/1")
    assert subject.label == f"{subject.id.hex()}/1"


def test_types_and_values_are_told_apart(privacy):
    keys = privacy.keys()
    keys.ensure_subjects(
        {"customer": ["17", " 17", "17 ", "é", "e\u0301", ""], "client": ["17"], "source": ["trading"]}
    )
    named = [("customer", t) for t in ("17", " 17", "17 ", "é", "e\u0301", "")] + [
        ("client", "17"),
        ("source", "trading"),
    ]
    assert len({keys.subject(*name).id for name in named}) == len(named)


def worker(dsn: str, path: str, seed: int, barrier, outcomes) -> None:
    """One process: the same values as the others, in its own order and batches, with its own connection."""
    draw = random.Random(seed)
    keys = Keys(StoreConnection(dsn), keyring.load(path))
    barrier.wait()
    found = {}
    for _ in range(8):
        names = draw.sample([f"{n}" for n in range(60)], 30)
        keys.ensure_subjects({"customer": names[:20], "client": names[20:]}, draw.choice([(0,), (0, 3), (3, 0)]))
        subjects = {name: keys.subject("customer" if n < 20 else "client", name) for n, name in enumerate(names)}
        keys.ensure_tokens(
            {domain: {f"v{name}": s for name, s in subjects.items()} for domain in draw.sample("abc", 2)}
        )
        for n, name in enumerate(names):
            found["subject", "customer" if n < 20 else "client", name] = subjects[name].label
            found["key", subjects[name].label] = keys.cipher(subjects[name]).seal(b"\x01x", b"[]").hex()
        for domain in "abc":
            for name in names:
                try:
                    found["token", domain, name] = keys.token(domain, f"v{name}")
                except GovernanceError:
                    continue  # not in the domains of this batch
        keys.forget()
    outcomes.put(found)


def test_concurrent_workers_agree_and_never_deadlock(privacy):
    context = multiprocessing.get_context("spawn")
    barrier, outcomes = context.Barrier(4), context.Queue()
    workers = [
        context.Process(target=worker, args=(privacy.dsn, str(privacy.keyring), seed, barrier, outcomes))
        for seed in range(4)
    ]
    for process in workers:
        process.start()
    found = [outcomes.get(timeout=120) for _ in workers]
    for process in workers:
        process.join()
    assert [process.exitcode for process in workers] == [0] * 4  # a deadlock would end one with StoreUnavailable
    merged: dict = {}
    for outcome in found:
        for name, value in outcome.items():
            assert merged.setdefault(name, value) == value
    tokens = {name: value for name, value in merged.items() if name[0] == "token"}
    assert len(set(tokens.values())) == len(tokens) == privacy.one("SELECT count(*) FROM privacy.token")
    assert sum(name[0] == "subject" for name in merged) == privacy.one("SELECT count(*) FROM privacy.subject")
    assert all(len(set(a) & set(b)) > 200 for a, b in itertools.combinations(found, 2)), "the workers did not overlap"
    reader = Cells(privacy.keyring, privacy.admin_dsn)
    for (_, domain, name), token in itertools.islice(tokens.items(), 30):
        assert reader.token(token) == (domain, f"v{name}")


def test_high_water_rises_only_when_something_is_added(privacy):
    keys = privacy.keys()
    before = keys.mark
    [subject] = customers(keys, "17")
    keys.ensure_tokens({"email": {"a": subject}})
    added = keys.mark
    assert added.high_water > before.high_water
    other = privacy.keys(seen=added)
    customers(other, "17")
    other.ensure_tokens({"email": {"a": subject}})
    assert (
        other.mark
        == added
        == other.guard()
        == StoreMark(*privacy.all("SELECT identity::text, high_water FROM privacy.store")[0])
    )


def test_mark_covers_what_another_worker_minted(privacy):
    one, two = privacy.keys(), privacy.keys()
    [subject] = customers(two, "17")
    two.ensure_tokens({"email": {"a": subject}})
    one.ensure_tokens({"email": {"a": subject}})
    assert one.mark.high_water >= two.mark.high_water


# Caches.


def test_small_caches_give_the_same_answers(privacy):
    keys = privacy.keys(limits=Limits(subjects=5, ciphers=3, tokens=4))
    names = [str(n) for n in range(40)]
    for _ in range(2):
        keys.ensure_subjects({"customer": names})
        subjects = {name: keys.subject("customer", name) for name in names}
        keys.ensure_tokens({"email": {f"v{name}": subject for name, subject in subjects.items()}})
        cells = {name: keys.cipher(subject).seal(b"\x01x", b"[]") for name, subject in subjects.items()}
    assert len(keys._subjects) <= 10
    assert len(keys._data_keys) <= 10
    assert len(keys._ciphers) <= 6
    assert len(keys._tokens) <= 8
    big = privacy.keys()
    for name in names:
        assert big.subject("customer", name) == subjects[name]
        assert big.cipher(subjects[name]).seal(b"\x01x", b"[]") == cells[name]
        assert big.token("email", f"v{name}") == keys.token("email", f"v{name}")


def test_token_that_was_never_ensured(privacy):
    keys = privacy.keys()
    with pytest.raises(GovernanceError, match="before it was ensured") as caught:
        keys.token("email", "ann@example.com")
    assert "ann" not in str(caught.value)
    assert privacy.one("SELECT count(*) FROM privacy.token") == 0


def test_look_ups_of_a_batch_do_not_go_to_the_store(privacy):
    keys = privacy.keys()
    keys.ensure_subjects({"customer": ["1", "2"]}, (0, 5))
    keys.ensure_tokens({"email": {"a": keys.subject("customer", "1")}})
    privacy.stop_answering(keys)
    keys.ensure_subjects({"customer": ["1", "2"]}, (0, 5))
    for name in ("1", "2"):
        keys.cipher(keys.subject("customer", name), 0)
        keys.cipher(keys.subject("customer", name), 5)
    keys.token("email", "a")
    assert keys.mark.high_water > 0

"""The privacy store on a real PostgreSQL: workers agree, a store gone back in time is refused, nothing is there in clear."""

from __future__ import annotations

import base64
import itertools
import json
import multiprocessing
import random
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg2
import pytest
from click.testing import CliRunner
from psycopg2.extensions import make_dsn

from governance import seal, store
from governance.connection import StoreConnection
from governance.errors import CellError, GovernanceError, KeyringError, StoreError, StoreRestored, StoreUnavailable
from governance.keys import Keys, Limits
from governance.migrate import migrate
from governance.roots import keyring
from governance.setup import set_up
from governance.store import StoreMark
from tests.fix_stack import FreshDatabase
from tests.independent.cells import Cells


def execute(dsn: str, statement, *parameters):
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else None
    finally:
        connection.close()


class PrivacyStore:
    """A privacy store of its own, as `cdc keys init` sets it up."""

    def __init__(self, database: FreshDatabase, path: Path) -> None:
        self.name, self.dsn, self.admin_dsn, self.keyring = (
            database.name,
            database.privacy_dsn,
            database.admin_dsn,
            path,
        )

    def keys(self, **options) -> Keys:
        return Keys(StoreConnection(self.dsn), keyring.load(self.keyring), **options)

    def all(self, statement: str, *parameters):
        return execute(self.admin_dsn, statement, *parameters)

    def one(self, statement: str, *parameters):
        return self.all(statement, *parameters)[0][0]

    def stop_answering(self, keys: Keys) -> None:
        """No connection is left, and none is let in."""
        self.answer(False)
        keys._vault._connection.close()

    def answer(self, allowed: bool = True) -> None:
        execute(make_dsn(self.admin_dsn, dbname="postgres"), f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS {allowed}")


@pytest.fixture(scope="session")
def template_keyring(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("privacy") / "keyring.json"


@pytest.fixture
def privacy(warehouse_cluster, template_keyring, tmp_path):
    warehouse_cluster.template("privacy", lambda dsn: set_up(dsn, template_keyring))
    path = Path(shutil.copy2(template_keyring, tmp_path / "keyring.json"))
    database = warehouse_cluster.fresh_database("privacy", template="privacy")
    yield PrivacyStore(database, path)
    warehouse_cluster.drop(database)


@pytest.fixture
def empty(warehouse_cluster):
    """The owner's DSN of an empty database."""
    database = warehouse_cluster.fresh_database("empty")
    yield database.admin_dsn
    warehouse_cluster.drop(database)


def customers(keys: Keys, *texts: str, tiers=(0,)):
    keys.ensure_subjects({"customer": texts}, tiers)
    return [keys.subject("customer", text) for text in texts]


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
    for _ in range(12):
        names = draw.sample([f"{n}" for n in range(200)], 60)
        keys.ensure_subjects({"customer": names[:40], "client": names[40:]}, draw.choice([(0,), (0, 3), (3, 0)]))
        subjects = {name: keys.subject("customer" if n < 40 else "client", name) for n, name in enumerate(names)}
        keys.ensure_tokens(
            {domain: {f"v{name}": s for name, s in subjects.items()} for domain in draw.sample("abc", 2)}
        )
        for n, name in enumerate(names):
            found["subject", "customer" if n < 40 else "client", name] = subjects[name].label
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
    assert all(len(set(a) & set(b)) > 500 for a, b in itertools.combinations(found, 2)), "the workers did not overlap"
    reader = Cells(privacy.keyring, privacy.admin_dsn)
    for (_, domain, name), token in tokens.items():
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
    """A worker that stands still inside its transaction, holding locks, is ended by the server within 10 s."""
    keys, connection = privacy.keys(), StoreConnection(privacy.dsn)
    holding, go_on, outcome = threading.Event(), threading.Event(), []

    def stand_still(cursor):
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
    holding.wait(10)
    began = time.monotonic()
    customers(keys, "1")
    assert time.monotonic() - began < 15
    go_on.set()
    thread.join()
    assert isinstance(outcome[0], StoreUnavailable)


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


# Opening.


def test_independent_reader_opens_cells_and_tokens(privacy):
    keys = privacy.keys()
    [subject] = customers(keys, "17", tiers=(0, 4))
    keys.ensure_tokens({"email": {"ann@example.com": subject}})
    token = keys.token("email", "ann@example.com")
    key = b'["17",{"token":"%s"}]' % token.encode()
    tail = seal.associated_tail("trading", "public.customers", "full_name", key)
    reader = Cells(privacy.keyring, privacy.dsn)
    for tier in (0, 4):
        cell = keys.cipher(subject, tier).seal("\x01Ann é".encode(), tail)
        place = ("trading", "public.customers", "full_name", ["17", {"token": token}])
        assert reader.open(cell, *place) == "Ann é"
        assert reader.value({"seal": base64.b64encode(cell).decode()}, *place) == "Ann é"
        assert keys.open_cell(cell, tail) == "\x01Ann é".encode()
        with pytest.raises(CellError):
            keys.open_cell(cell, tail[:-2] + b"x]")
    assert reader.token(token) == ("email", "ann@example.com")
    assert keys.token_value("email", token) == "ann@example.com"
    with pytest.raises(CellError, match="no such token in the domain phone"):
        keys.token_value("phone", token)


def test_destroyed_key_opens_nothing_and_is_not_made_again(privacy):
    keys = privacy.keys()
    [subject] = customers(keys, "17")
    keys.ensure_tokens({"email": {"a": subject}})
    cell = keys.cipher(subject).seal(b"\x01Ann", b"[]")
    privacy.all("DELETE FROM privacy.data_key")
    with pytest.raises(CellError, match=f"{subject.label}, tier 0 is not in the privacy store"):
        keys.open_cell(cell, b"[]")
    with pytest.raises(CellError):
        keys.token_value("email", keys.token("email", "a"))
    assert privacy.one("SELECT count(*) FROM privacy.data_key") == 0


def test_closed_subject_gets_no_new_key(privacy):
    customers(privacy.keys(), "17")
    privacy.all("UPDATE privacy.subject SET status = 'closed'")
    privacy.all("DELETE FROM privacy.data_key")
    with pytest.raises(GovernanceError, match="is closed"):
        customers(privacy.keys(), "17")
    assert privacy.one("SELECT count(*) FROM privacy.data_key") == 0


def test_swapped_keys_do_not_pass_as_each_other(privacy):
    customers(privacy.keys(), "17", "18")
    privacy.all(
        "UPDATE privacy.data_key SET wrapped = (SELECT other.wrapped FROM privacy.data_key other WHERE other.subject <> data_key.subject)"
    )
    with pytest.raises(CellError, match="does not open under its key-encryption key"):
        customers(privacy.keys(), "17")


# Nothing in clear.


def test_no_value_is_in_the_store(privacy):
    keys = privacy.keys()
    planted = ["plantedsubject-4711", "planted-token-é@example.com"]
    [subject] = customers(keys, planted[0])
    keys.ensure_tokens({"email": {planted[1]: subject}})
    stored = "\n".join(
        str(row)
        for table in ("store", "kek", "secret", "subject", "data_key", "token")
        for row in privacy.all(f"SELECT t::text FROM privacy.{table} t")
    )
    assert "email" in stored  # names of domains are there, so the search looks where it should
    for value in planted:
        raw = value.encode()
        for form in (value, raw.hex(), *(base64.b64encode(raw[n:]).decode()[:-4] for n in range(3))):
            assert form not in stored


def test_errors_carry_no_value_of_a_row(privacy):
    [subject] = customers(privacy.keys(), "17")
    row = ("planteddomain", b"d" * 32, "not a token: plantedvalue", b"c", subject.id, 1)
    with pytest.raises(StoreError, match="SQLSTATE 23514") as caught:
        StoreConnection(privacy.dsn).run(lambda cursor: store.add_tokens(cursor, [row]))
    error = caught.value
    assert "planted" not in f"{error!r} {error} {error.hint}"
    assert error.__context__ is None
    assert error.__cause__ is None


def test_text_forms_hide_keys_and_values(privacy):
    keys = privacy.keys()
    [subject] = customers(keys, "plantedsubject")
    keys.ensure_tokens({"email": {"plantedvalue": subject}})
    shown = " ".join(map(repr, (keys, keys._vault, keys._subjects, keys._tokens, keys.cipher(subject), subject)))
    assert "planted" not in shown


def test_text_that_is_not_unicode_is_refused_without_being_quoted(privacy):
    keys = privacy.keys()
    with pytest.raises(ValueError, match="not Unicode") as caught:
        keys.ensure_subjects({"customer": ["planted\ud800"]})
    assert "planted" not in repr(caught.value)


# The command line.


@pytest.fixture
def configuration(privacy, tmp_path):
    path = tmp_path / "cdc.toml"
    path.write_text(
        '[kafka]\n"bootstrap.servers" = "127.0.0.1:1"\n[connect]\nurl = "http://127.0.0.1:1"\n'
        f"[warehouse]\ndsn = {json.dumps(privacy.dsn)}\n"
        f"[privacy]\ndsn = {json.dumps(privacy.dsn)}\nadmin_dsn = {json.dumps(privacy.admin_dsn)}\n"
        f"[keyring]\npath = {json.dumps(str(privacy.keyring))}\n[sources]\n"
    )
    return path


def test_keys_status_and_init(privacy, configuration):
    from cdc.cli.keys import keys as command

    customers(privacy.keys(), "1", "2")
    run = CliRunner().invoke(
        command, ["status", "--config", str(configuration), "--output", "json"], catch_exceptions=False
    )
    shown = json.loads(run.stdout)
    assert shown["held"] == {"kek": 1, "secret": 1, "subject": 2, "data_key": 2, "token": 0}
    assert shown["identity"] == privacy.one("SELECT identity::text FROM privacy.store")
    root = json.loads(privacy.keyring.read_text())["root"]
    table = CliRunner().invoke(command, ["status", "--config", str(configuration)], catch_exceptions=False)
    assert "opens the store's keys" in table.stdout
    assert root not in run.output + table.output
    before = privacy.keyring.read_bytes()
    again = CliRunner().invoke(command, ["init", "--config", str(configuration)], catch_exceptions=False)
    assert again.stdout == ""
    assert "epoch 1" in again.stderr
    assert privacy.keyring.read_bytes() == before
    privacy.keyring.rename(privacy.keyring.with_suffix(".away"))
    for verb in ("status", "init"):
        run = CliRunner().invoke(command, [verb, "--config", str(configuration)])
        assert isinstance(run.exception, KeyringError)
    assert not privacy.keyring.exists()

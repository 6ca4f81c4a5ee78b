"""Keys that are personal data come on standard input, are looked up in a real privacy store, and leave nothing behind."""

from __future__ import annotations

import json

import pytest

from cdc.warehouse.commit import PrivacyMark, commit
from governance.connection import StoreConnection
from governance.keys import Keys
from governance.roots import keyring
from governance.setup import set_up
from tests.audit import Said, ask, configuration
from tests.builders import HOLDERS, Feed
from tests.real.test_audit_as_of import baseline
from tests.warehouse import query, worker

HOLDER = 'Back Office.Hold"ers'
EMAILS = ("ann@example.com", " spaced\tout ", "é😀", "tok_of nothing", '"quoted"', "")


@pytest.fixture
def store(warehouse_cluster, warehouse_database, tmp_path):
    """A log whose tokens a privacy store made: the configuration file, and that store."""
    privacy = warehouse_cluster.fresh_database("privacy")
    set_up(privacy.admin_dsn, tmp_path / "keyring.json")
    connection = StoreConnection(privacy.privacy_dsn)
    keys = Keys(connection, keyring.load(tmp_path / "keyring.json"))
    feed = Feed()
    baseline(feed, (HOLDERS, [{"email": email, "no": n, "v": "x"} for n, email in enumerate(EMAILS)]))
    with worker(warehouse_database) as it:
        it.worker._protector._keys = keys
        batch = it.prepare(feed.records)
        assert batch is not None
        commit(it.connection, it.fence, batch, PrivacyMark(keys.mark.identity, keys.mark.high_water), lambda _: None)
    connection.close()
    yield configuration(warehouse_database, tmp_path, privacy_dsn=privacy.privacy_dsn), privacy
    warehouse_cluster.drop(privacy)


def held(privacy) -> list:
    return [
        query(privacy.admin_dsn, f"SELECT count(*) FROM privacy.{table}")
        for table in ("secret", "subject", "data_key", "token")
    ] + [query(privacy.admin_dsn, "SELECT high_water FROM privacy.store")]


def stdin(path, *lines: str, end: str = "\n") -> Said:
    return ask(path, "history", HOLDER, "--key-stdin", "--output", "json", stdin=("\n".join(lines) + end).encode())


@pytest.mark.parametrize("n", range(len(EMAILS)))
def test_a_value_finds_the_row_of_its_token(store, n):
    path, privacy = store
    before = held(privacy)
    document = stdin(path, EMAILS[n], str(n)).document
    assert document["changes"][0]["version"] == 1
    token = document["key"][0]["token"]
    by_token = ask(path, "history", HOLDER, token, str(n), "--output", "json").document
    assert by_token["changes"] == document["changes"]
    assert (
        stdin(path, token, str(n), end="").document["key"] == document["key"]
    )  # no line break at the end, and a token
    assert held(privacy) == before
    assert EMAILS[0] not in json.dumps(document)


def test_a_value_without_a_token_is_not_found_and_gets_none(store):
    path, privacy = store
    before = held(privacy)
    for value in ("planted@example.com", "ANN@example.com", "ann@example.com "):
        said = stdin(path, value, "0")
        assert (said.code, said.out) == (3, "")
        assert "the log has no row of trading." in said.err
        assert "planted" not in said.err
    assert held(privacy) == before


def test_a_domain_that_never_had_a_token(store):
    path, privacy = store
    query(
        privacy.admin_dsn,
        "ALTER TABLE privacy.secret DISABLE TRIGGER ALL; DELETE FROM privacy.secret WHERE purpose = 'token-index'",
    )
    before = held(privacy)
    assert stdin(path, EMAILS[0], "0").code == 3
    assert held(privacy) == before


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        (b"", 2, "2 key column(s), email, no: 0 value(s) were given"),
        (b"planted\n", 2, "1 value(s) were given"),
        (b"planted\n1\n2\n", 2, "3 value(s) were given"),
        (b"planted\xff\n1\n", 2, "--key-stdin: not UTF-8"),
        (b"planted\x00\n1\n", 3, "with that key"),
    ],
)
def test_bad_input(store, given, code, says):
    said = ask(store[0], "history", HOLDER, "--key-stdin", stdin=given)
    assert (said.code, said.out) == (code, "")
    assert says in said.err
    assert "planted" not in said.err


def test_a_store_that_is_away_another_one_or_without_its_keyring(store, warehouse_cluster, tmp_path):
    path, privacy = store
    text = path.read_text()
    path.write_text(text.replace(privacy.privacy_dsn, "host=127.0.0.1 port=1 dbname=x user=x password=planted"))
    away = stdin(path, EMAILS[0], "0")
    assert (away.code, "planted" in away.err) == (5, False)
    other = warehouse_cluster.fresh_database("privacy")
    set_up(other.admin_dsn, tmp_path / "other.json")
    path.write_text(text.replace(privacy.privacy_dsn, other.privacy_dsn))
    assert stdin(path, EMAILS[0], "0").code == 2  # this keyring does not open its keys
    path.write_text(text.replace(privacy.privacy_dsn, other.privacy_dsn).replace("keyring.json", "other.json"))
    replaced = stdin(path, EMAILS[0], "0")
    assert replaced.code == 4  # else a value that has a token would not be found
    assert "is not the one seen before" in replaced.err
    warehouse_cluster.drop(other)
    path.write_text(text.replace("keyring.json", "none.json"))
    assert "there is no keyring" in stdin(path, EMAILS[0], "0").err
    path.write_text(text)
    assert stdin(path, EMAILS[0], "0").code == 0

"""What the privacy store gives back and to whom: cells and tokens open with its keys alone, nothing is there in clear, and no error quotes a value."""

from __future__ import annotations

import base64
import json

import pytest
from click.testing import CliRunner

from cdc.cli.keys import keys as command
from governance import seal, store
from governance.connection import StoreConnection
from governance.errors import CellError, GovernanceError, KeyringError, StoreError
from tests.fix_privacy import customers
from tests.independent.cells import Cells

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

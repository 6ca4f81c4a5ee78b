"""A keyring that cannot be trusted is refused, with the path and what to do, and without a byte of the key."""

from __future__ import annotations

import base64
import json
import stat
import threading

import pytest

from governance.errors import KeyringError
from governance.roots import keyring

KEY = base64.b64encode(bytes(range(64))).decode()


def write(path, text, mode=0o600):
    path.write_text(text) if isinstance(text, str) else path.write_bytes(text)
    path.chmod(mode)
    return path


def test_created_keyring_is_private_and_loads(tmp_path):
    path = tmp_path / "new" / "keyring.json"
    created = keyring.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    loaded = keyring.load(path)
    assert loaded.unwrap(created.wrap(b"k" * 64, b"use"), b"use") == b"k" * 64
    assert [file.name for file in path.parent.iterdir()] == ["keyring.json"]


def test_umask_does_not_open_it(tmp_path):
    import os

    old = os.umask(0)
    try:
        keyring.create(tmp_path / "keyring.json")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "keyring.json").stat().st_mode) == 0o600


def test_never_overwritten(tmp_path):
    path = tmp_path / "keyring.json"
    keyring.create(path)
    before = path.read_bytes()
    with pytest.raises(KeyringError, match="is there already"):
        keyring.create(path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_many_creators_make_one(tmp_path):
    path, outcomes = tmp_path / "keyring.json", []

    def create():
        try:
            outcomes.append(keyring.create(path).wrap(b"k" * 64, b""))
        except KeyringError:
            outcomes.append(None)

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [outcome for outcome in outcomes if outcome is not None]
    assert winners == [keyring.load(path).wrap(b"k" * 64, b"")]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620, 0o601])
def test_open_to_others(tmp_path, mode):
    path = write(tmp_path / "k", json.dumps({"format": keyring.FORMAT, "root": KEY}), mode)
    with pytest.raises(KeyringError, match=rf"{path}.*open to other users \(mode {mode:04o}\)") as caught:
        keyring.load(path)
    assert f"chmod 600 {path}" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "not a JSON object"),
        ("{", "not a JSON object"),
        ("[" * 60_000, "not a JSON object"),
        (b"\xff\xfe", "not a JSON object"),
        ("[]", "not a JSON object"),
        ("{}", '"format" is not'),
        (json.dumps({"format": "cdc-audit keyring 2", "root": KEY}), '"format" is not'),
        (json.dumps({"format": keyring.FORMAT}), "exactly the members"),
        (json.dumps({"format": keyring.FORMAT, "root": KEY, "more": ""}), "exactly the members"),
        (json.dumps({"format": keyring.FORMAT, "root": 7}), "exactly the members"),
        (json.dumps({"format": keyring.FORMAT, "root": KEY[:-4]}), "not the base64 of 64 bytes"),
        (json.dumps({"format": keyring.FORMAT, "root": KEY + "AAAA"}), "not the base64 of 64 bytes"),
        (json.dumps({"format": keyring.FORMAT, "root": "*" + KEY[1:]}), "not the base64 of 64 bytes"),
        (json.dumps({"format": keyring.FORMAT, "root": KEY}) + " " * 70_000, "too large"),
    ],
)
def test_malformed(tmp_path, content, problem):
    path = write(tmp_path / "k", content)
    with pytest.raises(KeyringError, match=problem) as caught:
        keyring.load(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint
    assert KEY[:20] not in str(caught.value) + repr(caught.value)
    assert caught.value.exit_code == 2


def test_missing(tmp_path):
    with pytest.raises(KeyringError, match="there is no keyring") as caught:
        keyring.load(tmp_path / "k")
    assert "cdc keys init" in caught.value.hint


def test_a_folder_is_no_keyring(tmp_path):
    tmp_path.chmod(0o700)
    with pytest.raises(KeyringError):
        keyring.load(tmp_path)


def test_another_keyring_does_not_unwrap(tmp_path):
    one, other = keyring.create(tmp_path / "a"), keyring.create(tmp_path / "b")
    with pytest.raises(KeyringError, match="does not belong to the privacy store"):
        other.unwrap(one.wrap(b"k" * 64, b"use"), b"use")
    with pytest.raises(KeyringError):
        one.unwrap(one.wrap(b"k" * 64, b"use"), b"other use")


def test_text_form_hides_the_key(tmp_path):
    root = keyring.create(tmp_path / "k")
    secret = json.loads((tmp_path / "k").read_text())["root"]
    shown = repr(root) + str(root) + root.name
    assert secret not in shown
    assert base64.b64decode(secret).hex() not in shown
    assert not hasattr(root, "__dict__")

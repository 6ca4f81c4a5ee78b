"""A root key in a local file: JSON, readable by its owner only.

::

    {"format": "cdc-audit keyring 1", "root": "<base64 of 64 random bytes>"}

Whoever holds this file *and* the privacy store reads everything; without the file nobody does. Keep a copy where the
backups of the privacy store are not.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from governance.errors import KeyringError
from governance.seal import KEY_BYTES

FORMAT = "cdc-audit keyring 1"
_LARGEST_BYTES = 65_536


class Keyring:
    """The root key of one keyring file, in memory. Its text form does not hold the key."""

    __slots__ = ("_siv", "path")

    def __init__(self, path: Path, key: bytes) -> None:
        self.path = path
        self._siv = AESSIV(key)

    @property
    def name(self) -> str:
        """The file, for messages."""
        return f"keyring {self.path}"

    def wrap(self, key: bytes, binding: bytes) -> bytes:
        """``key`` wrapped under the root key (AES-256-SIV), bound to ``binding``."""
        return self._siv.encrypt(key, [binding])

    def unwrap(self, wrapped: bytes, binding: bytes) -> bytes:
        """The key in ``wrapped``. KeyringError when another keyring wrapped it."""
        try:
            return self._siv.decrypt(wrapped, [binding])
        except InvalidTag:
            pass
        raise KeyringError(
            f"{self.path}: this keyring does not belong to the privacy store: it cannot open the store's keys",
            hint="use the keyring that the store was set up with (restore it from its backup), or the store that "
            "belongs to this keyring",
        )

    def __repr__(self) -> str:
        return f"Keyring(path={str(self.path)!r})"


def create(path: Path | str) -> Keyring:
    """A new keyring file with a new random root key, mode 0600. KeyringError when the file exists or cannot be written.

    The file appears complete or not at all: it is written under another name, flushed, and then linked.
    """
    path = Path(path)
    key = secrets.token_bytes(KEY_BYTES)
    body = json.dumps({"format": FORMAT, "root": base64.b64encode(key).decode()}) + "\n"
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, mode=0o700)
        _write_flushed(draft, body.encode())
        try:
            os.link(draft, path)  # fails where the name is taken: two that create at once get one keyring
        finally:
            draft.unlink()
        _flush_folder(path.parent)
    except FileExistsError:
        raise KeyringError(f"{path}: a keyring is there already", hint="it is never overwritten: use it") from None
    except OSError as error:
        raise KeyringError(
            f"{path}: cannot write the keyring ({error.strerror})", hint="choose a folder that this user may write to"
        ) from None
    return Keyring(path, key)


def load(path: Path | str) -> Keyring:
    """The keyring in ``path``. KeyringError when it is missing, readable by others, or not a keyring."""
    path = Path(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            _refuse_open_to_others(path, os.fstat(descriptor))
            content = file.read(_LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise KeyringError(
            f"{path}: there is no keyring", hint="restore it from its backup, or make the first one: cdc keys init"
        ) from None
    except OSError as error:
        raise KeyringError(
            f"{path}: cannot read the keyring ({error.strerror})", hint="run as the user that owns it"
        ) from None
    return Keyring(path, _root_key(path, content))


def _write_flushed(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_open_to_others(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise KeyringError(f"{path}: the keyring is not a file", hint="set [keyring] path to the keyring file")
    if status.st_mode & 0o077:
        raise KeyringError(
            f"{path}: the keyring is open to other users (mode {stat.S_IMODE(status.st_mode):04o})",
            hint=f"chmod 600 {path}, and ask who has read it",
        )


def _root_key(path: Path, content: bytes) -> bytes:
    """The root key in a keyring file's bytes. No message quotes any of them."""
    wrong = "the keyring is damaged: restore it from its backup"
    if len(content) > _LARGEST_BYTES:
        raise KeyringError(f"{path}: too large for a keyring", hint=wrong)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise KeyringError(f"{path}: not a JSON object", hint=wrong)
    if document.get("format") != FORMAT:
        raise KeyringError(f'{path}: "format" is not "{FORMAT}"', hint="this is no keyring, or one of another version")
    if set(document) != {"format", "root"} or not isinstance(document["root"], str):
        raise KeyringError(f'{path}: a keyring has exactly the members "format" and "root"', hint=wrong)
    try:
        key = base64.b64decode(document["root"], validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyringError(f'{path}: "root" is not the base64 of {KEY_BYTES} bytes', hint=wrong)
    return key

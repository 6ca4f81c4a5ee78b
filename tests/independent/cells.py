"""Opens sealed cells and tokens, from docs/formats.md §6 to §8 alone: keyring file, privacy database, nothing of ours.

``Cells`` is what tests and the demo use; the functions above it are the format, both ways.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path

import psycopg2

from tests.independent import canonical, siv

Value = "str | None | list | dict"


def header(subject_id: bytes, tier: int, generation: int) -> bytes:
    """§6: names the data key."""
    return b"\x01" + subject_id + bytes([tier]) + generation.to_bytes(2, "big")


def plaintext(value: str | list | dict) -> bytes:
    """§6: kind, then the text, or the canonical bytes."""
    return b"\x01" + value.encode() if isinstance(value, str) else b"\x02" + canonical.write(value).encode()


def place(source: str, table: str, column: str, row_key: list) -> bytes:
    """§6: what a cell is bound to, after its header."""
    return canonical.write([source, table, column, row_key]).encode()


def seal(data_key: bytes, head: bytes, plain: bytes, bound: bytes) -> bytes:
    """§6: the cell."""
    return head + siv.encrypt(data_key, plain, [head + bound])


def unseal(data_key: bytes, cell: bytes, bound: bytes) -> str | list | dict:
    """§6: the value in a cell. DoesNotOpen."""
    plain = siv.decrypt(data_key, cell[20:], [cell[:20] + bound])
    if plain[:1] == b"\x01":
        return plain[1:].decode()
    assert plain[:1] == b"\x02", "a kind of plaintext that is not in the format"
    return canonical.read(plain[1:].decode())


def token_place(domain: str, token: str) -> bytes:
    """§7: what the value beside a token is bound to."""
    return place("", "", domain, [token])


def index(index_key: bytes, text: str) -> bytes:
    """§7 and §8: how a token or a subject is found."""
    return hmac.new(index_key, text.encode(), hashlib.sha256).digest()


def kek_use(epoch: int) -> bytes:
    """§8: associated data of a key-encryption key."""
    return b"cdc-audit/kek/v1\x00%d" % epoch


def data_key_use(subject_id: bytes, tier: int, generation: int) -> bytes:
    """§8: associated data of a data key."""
    return b"cdc-audit/data-key/v1\x00" + subject_id + bytes([tier]) + generation.to_bytes(2, "big")


def secret_use(purpose: str, name: str) -> bytes:
    """§8: associated data of an index key or salt key."""
    return b"cdc-audit/secret/v1\x00" + purpose.encode() + b"\x00" + name.encode()


class Cells:
    """Opens what a log holds. Reads the whole privacy store when it is made; ``refresh`` reads it again."""

    def __init__(self, keyring: Path | str, dsn: str) -> None:
        self._root = base64.b64decode(json.loads(Path(keyring).read_text())["root"])
        self._dsn = dsn
        self.refresh()

    def refresh(self) -> None:
        """Read keys and tokens."""
        connection = psycopg2.connect(self._dsn)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT epoch, wrapped FROM privacy.kek")
                self._keks = {e: siv.decrypt(self._root, bytes(w), [kek_use(e)]) for e, w in cursor}
                cursor.execute("SELECT subject, tier, generation, kek_epoch, wrapped FROM privacy.data_key")
                self._wrapped = {(bytes(s), t, g): (e, bytes(w)) for s, t, g, e, w in cursor}
                cursor.execute("SELECT purpose, name, kek_epoch, wrapped FROM privacy.secret")
                self._secrets = {(p, n): (e, bytes(w)) for p, n, e, w in cursor}
                cursor.execute("SELECT domain, digest, token, value_cell FROM privacy.token")
                self._tokens = {t: (d, bytes(i), bytes(c)) for d, i, t, c in cursor}
        finally:
            connection.close()
        self._data_keys: dict[tuple[bytes, int, int], bytes] = {}

    def open(self, cell: bytes, source: str, table: str, column: str, row_key: list) -> str | list | dict:
        """The value of a sealed cell."""
        return self._unseal(cell, place(source, table, column, row_key))

    def token(self, token: str) -> tuple[str, str]:
        """Domain and value of a token, which must be the one that its index says."""
        domain, digest, cell = self._tokens[token]
        text = self._unseal(cell, token_place(domain, token))
        assert digest == index(self.secret("token-index", domain), text), (
            "a token beside another value than its index says"
        )
        return domain, text

    def value(self, value: Value, source: str, table: str, column: str, row_key: list) -> Value:
        """A column's value as an entry has it (§2), its cell or token opened; anything else as it is."""
        if isinstance(value, dict) and set(value) == {"seal"}:
            return self.open(base64.b64decode(value["seal"], validate=True), source, table, column, row_key)
        if isinstance(value, dict) and set(value) == {"token"}:
            return self.token(value["token"])[1]
        return value

    def secret(self, purpose: str, name: str) -> bytes:
        """An index key or salt key."""
        epoch, wrapped = self._secrets[purpose, name]
        return siv.decrypt(self._keks[epoch], wrapped, [secret_use(purpose, name)])

    def _unseal(self, cell: bytes, bound: bytes) -> str | list | dict:
        assert cell[0] == 1, "a version of the cell that is not in the format"
        name = (cell[1:17], cell[17], int.from_bytes(cell[18:20], "big"))
        if name not in self._data_keys:
            epoch, wrapped = self._wrapped[name]
            self._data_keys[name] = siv.decrypt(self._keks[epoch], wrapped, [data_key_use(*name)])
        return unseal(self._data_keys[name], cell, bound)

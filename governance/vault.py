"""The privacy store with its root in hand: keys come out unwrapped, what is missing is minted, the guard is asked.

Nothing is cached here but key-encryption keys. Every method is one transaction in which all workers agree: read, add
what is missing in sorted order, read again (``governance.store``).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from governance import seal, store, tokens
from governance.connection import StoreConnection
from governance.errors import CellError, GovernanceError, StoreRestored, SubjectClosed
from governance.roots import Root
from governance.seal import Sealer
from governance.store import KeyName, StoreMark, SubjectRow, Wrapped
from governance.wrap import SECRET_BYTES, KeyEncryptionKey, data_key_binding, kek_binding, secret_binding

T = TypeVar("T")
Name = tuple[str, str]
Digest = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class NewToken:
    """For a value that has no token yet: its text, and the cipher of the subject and generation to seal it under."""

    text: str
    subject_id: bytes
    generation: int
    cipher: Sealer

    def __repr__(self) -> str:
        return f"NewToken(subject={self.subject_id.hex()})"


class Vault:
    """Reads and mints. ``mark`` covers everything that has been handed out."""

    def __init__(self, connection: StoreConnection, root: Root, seen: StoreMark | None = None) -> None:
        """Opens the store, unwraps its key-encryption keys and checks it against ``seen``.

        KeyringError, StoreRestored, StoreUnavailable, StoreError; so do all methods that read.
        """
        self._connection, self._root = connection, root
        self._seen = seen
        self._keks: dict[int, KeyEncryptionKey] = {}
        self.check()

    @property
    def mark(self) -> StoreMark:
        """The newest mark seen. No I/O."""
        if self._seen is None:
            raise GovernanceError("the privacy store has not been read yet")
        return self._seen

    def check(self) -> None:
        """Ask the guard, and read the key-encryption keys again."""

        def work(cursor: Cursor) -> tuple[None, int]:
            self._load_keks(cursor)
            return None, 0

        self._transact(work)

    def secrets(self, names: Collection[Name]) -> dict[Name, bytes]:
        """Index and salt keys by (purpose, name), minted where there are none."""
        wanted = sorted(names)

        def work(cursor: Cursor) -> tuple[dict[Name, bytes], int]:
            found, added = store.secrets(cursor, wanted), 0
            new = [name for name in wanted if name not in found]
            if new:
                kek = self._newest_kek(cursor)
                keys = [kek.wrap(secrets.token_bytes(SECRET_BYTES), secret_binding(*name)) for name in new]
                added = store.add_secrets(
                    cursor, [(*name, Wrapped(kek.epoch, key)) for name, key in zip(new, keys, strict=True)]
                )
                found |= store.secrets(cursor, new)
            return {name: self._unwrap(cursor, key, secret_binding(*name)) for name, key in found.items()}, added

        return self._transact(work)

    def existing_secret(self, name: Name) -> bytes | None:
        """An index or salt key, or None where none was ever minted."""

        def work(cursor: Cursor) -> tuple[bytes | None, int]:
            wrapped = store.secrets(cursor, [name]).get(name)
            return None if wrapped is None else self._unwrap(cursor, wrapped, secret_binding(*name)), 0

        return self._transact(work)

    def subjects(
        self, digests: Collection[Digest], tiers: Collection[int]
    ) -> tuple[dict[Digest, SubjectRow], dict[KeyName, bytes]]:
        """Subjects by (type, digest), and their data keys of ``tiers``. New ones are added; GovernanceError: closed."""
        wanted = sorted(digests)

        def work(cursor: Cursor) -> tuple[tuple[dict[Digest, SubjectRow], dict[KeyName, bytes]], int]:
            rows, added = _subject_rows(cursor, wanted, tiers)
            wrapped = {KeyName(r.id, tier, r.generation): key for r in rows.values() for tier, key in r.keys.items()}
            names = {KeyName(r.id, tier, r.generation) for r in rows.values() for tier in tiers}
            minted, more = self._mint_data_keys(cursor, names - wrapped.keys())
            return (rows, self._unwrap_data_keys(cursor, wrapped | minted)), added + more

        return self._transact(work)

    def data_keys(self, names: Collection[KeyName]) -> dict[KeyName, bytes]:
        """Data keys of known subjects, minted where there are none."""
        wanted = sorted(names)

        def work(cursor: Cursor) -> tuple[dict[KeyName, bytes], int]:
            wrapped = store.data_keys(cursor, wanted)
            minted, added = self._mint_data_keys(cursor, names - wrapped.keys())
            return self._unwrap_data_keys(cursor, wrapped | minted), added

        return self._transact(work)

    def existing_data_key(self, name: KeyName) -> bytes | None:
        """A data key, or None when there is none (any more): to open what is sealed, never to seal."""
        return self._transact(
            lambda cursor: (self._unwrap_data_keys(cursor, store.data_keys(cursor, [name])).get(name), 0)
        )

    def tokens(self, wanted: Mapping[Digest, NewToken]) -> dict[Digest, str]:
        """Tokens by (domain, digest), minted where there are none."""

        def work(cursor: Cursor) -> tuple[dict[Digest, str], int]:
            found = store.tokens(cursor, list(wanted))
            new = sorted(wanted.keys() - found.keys())
            if not new:
                return found, 0
            added = store.add_tokens(cursor, [_token_row(*name, wanted[name]) for name in new])
            return found | store.tokens(cursor, new), added

        return self._transact(work)

    def existing_token(self, domain: str, digest: bytes) -> str | None:
        """The token of a value, or None."""
        return self._transact(lambda cursor: (store.tokens(cursor, [(domain, digest)]).get((domain, digest)), 0))

    def token_value_cell(self, domain: str, token: str) -> bytes | None:
        """The sealed value beside ``token``, or None when there is no such token."""
        return self._transact(lambda cursor: (store.token_value_cell(cursor, domain, token), 0))

    def __repr__(self) -> str:
        return f"Vault(root={self._root.name!r}, mark={self._seen})"

    def _transact(self, work: Callable[[Cursor], tuple[T, int]]) -> T:
        """``work`` in one transaction; it returns its result and how many rows it added.

        The mark is taken last, so that it covers all that was read; in a store that was restored nothing is committed.
        """

        def guarded(cursor: Cursor) -> tuple[T, StoreMark]:
            result, added = work(cursor)
            mark = store.advance(cursor) if added else store.mark(cursor)
            _refuse_restored(self._seen, mark)
            return result, mark

        result, self._seen = self._connection.run(guarded)
        return result

    def _mint_data_keys(self, cursor: Cursor, lacking: Collection[KeyName]) -> tuple[dict[KeyName, Wrapped], int]:
        """New data keys, or another worker's where that one was first; and how many were added."""
        if not lacking:
            return {}, 0
        kek, names = self._newest_kek(cursor), sorted(lacking)
        keys = [kek.wrap(secrets.token_bytes(seal.KEY_BYTES), _binding(name)) for name in names]
        rows = [(name, Wrapped(kek.epoch, key)) for name, key in zip(names, keys, strict=True)]
        added = store.add_data_keys(cursor, rows)
        return store.data_keys(cursor, names), added

    def _unwrap_data_keys(self, cursor: Cursor, wrapped: Mapping[KeyName, Wrapped]) -> dict[KeyName, bytes]:
        return {name: self._unwrap(cursor, key, _binding(name)) for name, key in wrapped.items()}

    def _unwrap(self, cursor: Cursor, wrapped: Wrapped, binding: bytes) -> bytes:
        if wrapped.epoch not in self._keks:
            self._load_keks(cursor)
        kek = self._keks.get(wrapped.epoch)
        key = None if kek is None else kek.unwrap(wrapped.key, binding)
        if key is None:
            raise CellError(
                f"a key of the privacy store does not open under its key-encryption key (epoch {wrapped.epoch})",
                hint="the privacy store is damaged or was altered: restore it from its backup",
            )
        return key

    def _newest_kek(self, cursor: Cursor) -> KeyEncryptionKey:
        if not self._keks:
            self._load_keks(cursor)
        return self._keks[max(self._keks)]

    def _load_keks(self, cursor: Cursor) -> None:
        self._keks = unwrap_keks(self._root, store.key_encryption_keys(cursor))


def unwrap_keks(root: Root, wrapped: Mapping[int, bytes]) -> dict[int, KeyEncryptionKey]:
    """Key-encryption keys by epoch. KeyringError: ``root`` did not wrap them; GovernanceError: there are none."""
    if not wrapped:
        raise GovernanceError("the privacy store has no key-encryption key yet", hint="run cdc keys init")
    return {epoch: KeyEncryptionKey(epoch, root.unwrap(key, kek_binding(epoch))) for epoch, key in wrapped.items()}


def establish(admin: StoreConnection, root: Root) -> int:
    """Give a new privacy store its first key-encryption key; returns the newest epoch. Repeatable.

    ``admin``: connection as the store's owner. KeyringError when the store was established with another root.
    """

    def work(cursor: Cursor) -> int:
        if not store.key_encryption_keys(cursor):
            wrapped = root.wrap(secrets.token_bytes(seal.KEY_BYTES), kek_binding(1))
            if store.add_key_encryption_key(cursor, 1, wrapped):
                store.advance(cursor)
        return max(unwrap_keks(root, store.key_encryption_keys(cursor)))

    return admin.run(work)


def _refuse_restored(seen: StoreMark | None, now: StoreMark) -> None:
    if seen is None or (now.identity == seen.identity and now.high_water >= seen.high_water):
        return
    if now.identity != seen.identity:
        what = f"the privacy store {now.identity} is not the one seen before, {seen.identity}"
    else:
        what = f"the privacy store stands at {now.high_water}, but {seen.high_water} was seen: it went back in time"
    raise StoreRestored(
        what, hint="its lost keys and tokens cannot be minted again: bring back the newer store, then start again"
    )


def _subject_rows(
    cursor: Cursor, wanted: Sequence[Digest], tiers: Collection[int]
) -> tuple[dict[Digest, SubjectRow], int]:
    """The subjects of ``wanted``, added where there are none; and how many were added."""
    rows, added = store.subjects(cursor, wanted, tiers), 0
    new = [name for name in wanted if name not in rows]
    if new:
        added = store.add_subjects(cursor, [(secrets.token_bytes(16), *name) for name in new])
        rows |= store.subjects(cursor, new, tiers)
    closed = next((row.id.hex() for row in rows.values() if not row.open), None)
    if closed is not None:
        raise SubjectClosed(f"the subject {closed} is closed: nothing new is sealed under it")
    return rows, added


def _token_row(domain: str, digest: bytes, new: NewToken) -> tuple[str, bytes, str, bytes, bytes, int]:
    token = tokens.mint()
    cell = new.cipher.seal(tokens.value_plaintext(new.text), tokens.value_tail(domain, token))
    return domain, digest, token, cell, new.subject_id, new.generation


def _binding(name: KeyName) -> bytes:
    return data_key_binding(name.subject_id, name.tier, name.generation)

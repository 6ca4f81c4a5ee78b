"""Hands out keys to a worker: subjects, their cell ciphers, tokens and salt keys, cached.

A worker calls ``ensure_subjects`` and ``ensure_tokens`` once for all rows of a batch (a short transaction each, only
when something is not cached), then ``subject``, ``cipher`` and ``token`` per value: look-ups. One thread at a time.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from governance import seal, tokens
from governance.cache import Recent
from governance.connection import StoreConnection
from governance.errors import CellError, GovernanceError
from governance.roots import Root
from governance.seal import CellCipher, Sealer
from governance.store import KeyName, StoreMark
from governance.vault import NewToken, Vault


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose keys protect a row. ``label`` is what an entry says: ``<subject id, hex>/<generation>``."""

    id: bytes
    generation: int
    label: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes of a worker's caches, in items (each holds at most twice as many), and their age in seconds.

    ``subjects`` is for each type of subjects, ``tokens`` for each domain. A cipher takes 4 KB, a data key or token
    about 250 bytes. ``age``: how long a worker goes on using what it knows after the store stopped answering, or after
    a key was destroyed there.
    """

    subjects: int = 100_000
    ciphers: int = 10_000
    tokens: int = 200_000
    age: float = 300.0


class Keys:
    """A worker's view of the privacy store. Holds keys and values in memory: its text form shows none.

    Every method that may go to the store raises StoreUnavailable (repeat it), StoreRestored (halt) or StoreError; those
    that take text raise ValueError, without quoting it, when it is not Unicode.
    """

    def __init__(
        self,
        connection: StoreConnection,
        root: Root,
        *,
        seen: StoreMark | None = None,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        sealer: Callable[[bytes, bytes], Sealer] = CellCipher,
    ) -> None:
        """Opens the store and checks it against ``seen``, the last mark that the warehouse has committed.

        ``sealer`` makes what seals the cells of a data key, from the key and its cells' header.

        KeyringError when ``root`` is not this store's; StoreRestored when the store is another one or older than that.
        """
        limits = limits or Limits()
        self._vault = Vault(connection, root, seen)
        self._sealer = sealer
        self._secrets: dict[tuple[str, str], bytes] = {}
        self._subjects: defaultdict[str, Recent[str, Subject]] = defaultdict(lambda: Recent(limits.subjects))
        self._data_keys: Recent[tuple[str, int], bytes] = Recent(limits.subjects)
        self._ciphers: Recent[tuple[str, int], Sealer] = Recent(limits.ciphers)
        self._tokens: defaultdict[str, Recent[str, str]] = defaultdict(lambda: Recent(limits.tokens))
        self._age, self._clock, self._filled_at = limits.age, clock, clock()

    # The guard.

    @property
    def mark(self) -> StoreMark:
        """Covers everything handed out so far. No I/O: it goes into every warehouse commit."""
        return self._vault.mark

    def guard(self) -> StoreMark:
        """Ask the store where it stands, check that, and return it."""
        self._vault.check()
        return self._vault.mark

    # Once per batch.

    def ensure_subjects(self, wanted: Mapping[str, Iterable[str]], tiers: Collection[int] = (0,)) -> None:
        """Make subjects known (subject type → texts of the subject column), with their data keys of ``tiers``."""
        if self._clock() - self._filled_at > self._age:
            self.forget()
        missing = [(t, text) for t, texts in wanted.items() for text in self._lacking_subjects(t, set(texts), tiers)]
        if not missing:
            return
        self._ensure_secrets({("subject-index", type_) for type_, _ in missing})
        texts = {(t, tokens.digest(self._secrets["subject-index", t], text)): text for t, text in missing}
        rows, data_keys = self._vault.subjects(texts, tiers)
        for (type_, digest), row in rows.items():
            subject = Subject(row.id, row.generation, f"{row.id.hex()}/{row.generation}")
            for tier in tiers:
                self._data_keys.put((subject.label, tier), data_keys[KeyName(row.id, tier, row.generation)])
            self._subjects[type_].put(texts[type_, digest], subject)

    def lacking_tokens(self, domain: str, texts: AbstractSet[str]) -> list[str]:
        """Those of ``texts`` whose tokens are not known here. No I/O."""
        return self._tokens[domain].lacking(texts)

    def ensure_tokens(self, wanted: Mapping[str, Mapping[str, Subject]]) -> None:
        """Make tokens known (domain → text → the subject to seal the value under, when it has no token yet)."""
        missing = [
            (domain, text, subject)
            for domain, texts in wanted.items()
            for text, subject in texts.items()
            if self._tokens[domain][text] is None
        ]
        if not missing:
            return
        self._ensure_secrets({("token-index", domain) for domain, _, _ in missing})
        self._ensure_data_keys({(subject.label, 0): subject for _, _, subject in missing})
        new = {
            (domain, self._token_digest(domain, text)): NewToken(text, s.id, s.generation, self.cipher(s))
            for domain, text, s in missing
        }
        for (domain, digest), token in self._vault.tokens(new).items():
            self._tokens[domain].put(new[domain, digest].text, token)

    # Once per value.

    def subject(self, type_: str, text: str) -> Subject:
        """The subject with this text in its subject column. A look-up once ensured; goes to the store otherwise."""
        while (found := self._subjects[type_][text]) is None:
            self.ensure_subjects({type_: (text,)})
        return found

    def cipher(self, subject: Subject, tier: int = 0) -> Sealer:
        """Seals the cells of ``subject`` in ``tier``. A look-up once ensured; goes to the store otherwise."""
        name = (subject.label, tier)
        found = self._ciphers[name]
        if found is None:
            while (key := self._data_keys[name]) is None:
                self._ensure_data_keys({name: subject})
            found = self._sealer(key, seal.header(subject.id, tier, subject.generation))
            self._ciphers.put(name, found)
        return found

    def token(self, domain: str, text: str) -> str:
        """The token of an ensured value. GovernanceError when it never was: minting needs a subject to seal under."""
        found = self._tokens[domain][text]
        if found is None:  # pushed out of the cache since it was ensured
            self._ensure_secrets({("token-index", domain)})
            found = self._vault.existing_token(domain, self._token_digest(domain, text))
            if found is None:
                raise GovernanceError(f"a token of the domain {domain} was asked for before it was ensured")
            self._tokens[domain].put(text, found)
        return found

    def existing_token(self, domain: str, text: str) -> str | None:
        """The token that a value has in ``domain``, or None. Mints nothing, not even the domain's index key."""
        key = self._secrets.get(("token-index", domain)) or self._vault.existing_secret(("token-index", domain))
        return None if key is None else self._vault.existing_token(domain, tokens.digest(key, text))

    def salt_key(self, origin: str) -> bytes:
        """The 32-byte key of the salts of the log with this origin."""
        self._ensure_secrets({("salt", origin)})
        return self._secrets["salt", origin]

    def forget(self) -> None:
        """Drop all that is cached: the next use reads the store again."""
        self._filled_at = self._clock()
        self._secrets.clear()
        self._subjects.clear()
        self._data_keys.clear()
        self._ciphers.clear()
        self._tokens.clear()

    # Opening what was sealed. Nothing of it is cached.

    def open_cell(self, cell: bytes, ad_tail: bytes) -> bytes:
        """Kind and plaintext of a sealed cell. CellError when its key is gone, or it was sealed for another place."""
        header = seal.parse_header(cell)
        key = self._vault.existing_data_key(KeyName(header.subject_id, header.tier, header.generation))
        if key is None:
            name = f"{header.subject_id.hex()}/{header.generation}, tier {header.tier}"
            raise CellError(f"the data key {name} is not in the privacy store: destroyed, or never made there")
        return CellCipher(key, cell[: seal.HEADER_BYTES]).open(cell, ad_tail)

    def token_value(self, domain: str, token: str) -> str:
        """The value that ``token`` stands for in ``domain``. CellError: there is no such token, or its key is gone."""
        cell = self._vault.token_value_cell(domain, token)
        if cell is None:
            raise CellError(f"there is no such token in the domain {domain}")
        return self.open_cell(cell, tokens.value_tail(domain, token))[1:].decode()

    def __repr__(self) -> str:
        return f"Keys({self._vault!r})"

    def _lacking_subjects(self, type_: str, texts: set[str], tiers: Collection[int]) -> list[str]:
        """Those that are not known, with their data keys of ``tiers``.

        The data key of tier 0 comes with its subject; one that was pushed out since is fetched when it is used.
        """
        known = self._subjects[type_]
        lacking = known.lacking(texts)
        others = [tier for tier in tiers if tier != 0]
        if others:
            for text in texts.difference(lacking):
                subject = known[text]
                if subject is None or any(self._data_keys[subject.label, tier] is None for tier in others):
                    lacking.append(text)
        return lacking

    def _token_digest(self, domain: str, text: str) -> bytes:
        return tokens.digest(self._secrets["token-index", domain], text)

    def _ensure_secrets(self, names: Collection[tuple[str, str]]) -> None:
        missing = [name for name in names if name not in self._secrets]
        if missing:
            self._secrets |= self._vault.secrets(missing)

    def _ensure_data_keys(self, wanted: Mapping[tuple[str, int], Subject]) -> None:
        names = {
            KeyName(subject.id, label_tier[1], subject.generation): label_tier
            for label_tier, subject in wanted.items()
            if self._data_keys[label_tier] is None
        }
        if names:
            for name, key in self._vault.data_keys(names.keys()).items():
                self._data_keys.put(names[name], key)

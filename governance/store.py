"""The privacy database: the statements that read and add subjects, wrapped keys and tokens.

Each function is one statement on a cursor of an open transaction (``StoreConnection.run``). Rows are added in sorted
order with ``ON CONFLICT DO NOTHING`` and then read again, so that any number of workers agree, and tables always in one
order (secret, subject, data_key, token, store), so that workers never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from governance.errors import StoreError


@dataclass(frozen=True, slots=True)
class StoreMark:
    """Which privacy store, and how far it had got. The warehouse keeps the last one it has seen."""

    identity: str
    high_water: int


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A key as the store holds it: wrapped under the key-encryption key of ``epoch``."""

    epoch: int
    key: bytes


@dataclass(frozen=True, slots=True)
class SubjectRow:
    """One subject, with its wrapped data keys of the current generation by tier."""

    id: bytes
    generation: int
    open: bool
    keys: dict[int, Wrapped]


@dataclass(frozen=True, slots=True, order=True)
class KeyName:
    """Names one data key, as a cell's header does."""

    subject_id: bytes
    tier: int
    generation: int


def mark(cursor: Cursor) -> StoreMark:
    """Where the store stands. Read it *after* what it is to cover."""
    cursor.execute("SELECT identity::text, high_water FROM privacy.store")
    return _only_mark(cursor)


def advance(cursor: Cursor) -> StoreMark:
    """Raise the high-water: the last statement of every transaction that added something."""
    cursor.execute("UPDATE privacy.store SET high_water = high_water + 1 RETURNING identity::text, high_water")
    return _only_mark(cursor)


def key_encryption_keys(cursor: Cursor) -> dict[int, bytes]:
    """Every epoch's key-encryption key, wrapped by the root."""
    cursor.execute("SELECT epoch, wrapped FROM privacy.kek ORDER BY epoch")
    return {epoch: bytes(wrapped) for epoch, wrapped in cursor}


def add_key_encryption_key(cursor: Cursor, epoch: int, wrapped: bytes) -> int:
    """Add an epoch (needs the store's owner). Number of rows added: 0 when it is there."""
    cursor.execute("INSERT INTO privacy.kek (epoch, wrapped) VALUES (%s, %s) ON CONFLICT DO NOTHING", (epoch, wrapped))
    return cursor.rowcount


def secrets(cursor: Cursor, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Wrapped]:
    """The secrets among ``names`` (purpose, name) that exist."""
    cursor.execute(
        "SELECT purpose, name, kek_epoch, wrapped FROM unnest(%s::text[], %s::text[]) AS wanted (purpose, name) "
        "JOIN privacy.secret USING (purpose, name)",
        (_texts(p for p, _ in names), _texts(n for _, n in names)),
    )
    return {(purpose, name): Wrapped(epoch, bytes(key)) for purpose, name, epoch, key in cursor}


def add_secrets(cursor: Cursor, rows: Sequence[tuple[str, str, Wrapped]]) -> int:
    """Add secrets (purpose, name, key), sorted by the caller. Number of rows added."""
    cursor.execute(
        "INSERT INTO privacy.secret (purpose, name, kek_epoch, wrapped) SELECT purpose, name, epoch, wrapped "
        "FROM unnest(%s::text[], %s::text[], %s::int[], %s::bytea[]) "
        "WITH ORDINALITY AS n (purpose, name, epoch, wrapped, i) ORDER BY i ON CONFLICT DO NOTHING",
        (
            _texts(p for p, _, _ in rows),
            _texts(n for _, n, _ in rows),
            [w.epoch for _, _, w in rows],
            _binaries(w.key for _, _, w in rows),
        ),
    )
    return cursor.rowcount


def subjects(
    cursor: Cursor, wanted: Sequence[tuple[str, bytes]], tiers: Collection[int]
) -> dict[tuple[str, bytes], SubjectRow]:
    """The subjects among ``wanted`` (type, digest) that exist, with their data keys of ``tiers``."""
    cursor.execute(
        "SELECT s.type, s.digest, s.id, s.generation, s.status, k.tier, k.kek_epoch, k.wrapped "
        "FROM unnest(%s::text[], %s::bytea[]) AS wanted (type, digest) JOIN privacy.subject s USING (type, digest) "
        "LEFT JOIN privacy.data_key k ON k.subject = s.id AND k.generation = s.generation AND k.tier = ANY (%s)",
        (_texts(t for t, _ in wanted), _binaries(d for _, d in wanted), list(tiers)),
    )
    found: dict[tuple[str, bytes], SubjectRow] = {}
    for type_, digest, id_, generation, status, tier, epoch, wrapped in cursor:
        name = (type_, bytes(digest))
        row = found.get(name)
        if row is None:
            row = found[name] = SubjectRow(bytes(id_), generation, status == "open", {})
        if tier is not None:
            row.keys[tier] = Wrapped(epoch, bytes(wrapped))
    return found


def add_subjects(cursor: Cursor, rows: Sequence[tuple[bytes, str, bytes]]) -> int:
    """Add subjects (id, type, digest), sorted by the caller on (type, digest). Number of rows added."""
    cursor.execute(
        "INSERT INTO privacy.subject (id, type, digest) SELECT id, type, digest "
        "FROM unnest(%s::bytea[], %s::text[], %s::bytea[]) WITH ORDINALITY AS n (id, type, digest, i) ORDER BY i "
        "ON CONFLICT (type, digest) DO NOTHING",
        (_binaries(i for i, _, _ in rows), _texts(t for _, t, _ in rows), _binaries(d for _, _, d in rows)),
    )
    return cursor.rowcount


def data_keys(cursor: Cursor, names: Sequence[KeyName]) -> dict[KeyName, Wrapped]:
    """The data keys among ``names`` that exist."""
    cursor.execute(
        "SELECT subject, tier, generation, kek_epoch, wrapped "
        "FROM unnest(%s::bytea[], %s::int[], %s::int[]) AS wanted (subject, tier, generation) "
        "JOIN privacy.data_key USING (subject, tier, generation)",
        (_binaries(n.subject_id for n in names), [n.tier for n in names], [n.generation for n in names]),
    )
    return {KeyName(bytes(s), tier, generation): Wrapped(e, bytes(w)) for s, tier, generation, e, w in cursor}


def add_data_keys(cursor: Cursor, rows: Sequence[tuple[KeyName, Wrapped]]) -> int:
    """Add data keys, sorted by the caller. Number of rows added."""
    cursor.execute(
        "INSERT INTO privacy.data_key (subject, tier, generation, kek_epoch, wrapped) "
        "SELECT subject, tier, generation, epoch, wrapped "
        "FROM unnest(%s::bytea[], %s::int[], %s::int[], %s::int[], %s::bytea[]) "
        "WITH ORDINALITY AS n (subject, tier, generation, epoch, wrapped, i) ORDER BY i ON CONFLICT DO NOTHING",
        (
            _binaries(n.subject_id for n, _ in rows),
            [n.tier for n, _ in rows],
            [n.generation for n, _ in rows],
            [w.epoch for _, w in rows],
            _binaries(w.key for _, w in rows),
        ),
    )
    return cursor.rowcount


def tokens(cursor: Cursor, wanted: Sequence[tuple[str, bytes]]) -> dict[tuple[str, bytes], str]:
    """The tokens of ``wanted`` (domain, digest) that exist."""
    cursor.execute(
        "SELECT domain, digest, token FROM unnest(%s::text[], %s::bytea[]) AS wanted (domain, digest) "
        "JOIN privacy.token USING (domain, digest)",
        (_texts(d for d, _ in wanted), _binaries(d for _, d in wanted)),
    )
    return {(domain, bytes(digest)): token for domain, digest, token in cursor}


def add_tokens(cursor: Cursor, rows: Sequence[tuple[str, bytes, str, bytes, bytes, int]]) -> int:
    """Add tokens (domain, digest, token, value cell, subject id, generation), sorted by the caller. Rows added."""
    cursor.execute(
        "INSERT INTO privacy.token (domain, digest, token, value_cell, subject, generation) "
        "SELECT domain, digest, token, value_cell, subject, generation "
        "FROM unnest(%s::text[], %s::bytea[], %s::text[], %s::bytea[], %s::bytea[], %s::int[]) "
        "WITH ORDINALITY AS n (domain, digest, token, value_cell, subject, generation, i) ORDER BY i "
        "ON CONFLICT (domain, digest) DO NOTHING",
        (
            _texts(r[0] for r in rows),
            _binaries(r[1] for r in rows),
            _texts(r[2] for r in rows),
            _binaries(r[3] for r in rows),
            _binaries(r[4] for r in rows),
            [r[5] for r in rows],
        ),
    )
    return cursor.rowcount


def token_value_cell(cursor: Cursor, domain: str, token: str) -> bytes | None:
    """The sealed value beside a token, or None."""
    cursor.execute("SELECT value_cell FROM privacy.token WHERE domain = %s AND token = %s", (domain, token))
    row = cursor.fetchone()
    return None if row is None else bytes(row[0])


def counts(cursor: Cursor) -> dict[str, int]:
    """How many of each the store holds: epochs, secrets, subjects, data keys, tokens."""
    found = {}
    for table in ("kek", "secret", "subject", "data_key", "token"):
        cursor.execute(f"SELECT count(*) FROM privacy.{table}")
        (found[table],) = cursor.fetchone() or (0,)
    return found


def _only_mark(cursor: Cursor) -> StoreMark:
    row = cursor.fetchone()
    if row is None:
        raise StoreError("the privacy store has no identity: privacy.store is empty", hint="restore it from its backup")
    return StoreMark(*row)


def _binaries(items: Iterable[bytes]) -> str:
    """A literal of bytea[]: one string, so that the server parses an array and not thousands of casts."""
    return "{" + ",".join(f'"\\\\x{item.hex()}"' for item in items) + "}"


def _texts(items: Iterable[str]) -> str:
    """A literal of text[]."""
    return "{" + ",".join('"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items) + "}"

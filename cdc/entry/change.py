"""Entries of kind ``change``, written in one step: nearly all entries are changes, and most of their members are known.

What is written here is what :func:`cdc.entry.encode` writes of the same members (a property test compares the two);
building an :class:`~cdc.entry.Entry` first would take longer than everything else that is done to an entry.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Raw

from cdc.entry.model import End, Entry, Flag, Subject, Transaction

_json = msgspec.json.Encoder().encode


class Change(msgspec.Struct, gc=False):
    """What one change says besides what :class:`ChangeForm` holds. Times are ns; ``key`` and images canonical bytes."""

    after: bytes | None
    before: bytes | None
    captured_at: int
    committed_at: int
    epoch: str | None
    flags: tuple[Flag, ...]
    key: bytes
    linked_key: bytes | None
    offset: int
    operation: str
    ordered_at: int
    ordinal: int
    position: tuple[str | None, ...]
    produced_at: int
    replay_of: str | None
    salt: str
    seq: int
    subject_after: str | None
    subject_before: str | None
    transaction: tuple[str, int] | None
    version: int | None
    prev: int | None
    end: End | None = None

    def __repr__(self) -> str:
        return f"Change(seq={self.seq}, offset={self.offset})"


class ChangeForm:
    """The members that all changes of one table version share in one log, as bytes around those that differ."""

    def __init__(self, *, origin: str, partition: int, topic_id: str, table: str, schema: str, plan: str) -> None:
        self._shared = shared = {
            "origin": origin, "partition": str(partition), "plan": plan, "schema": schema, "table": table,
            "topic_id": topic_id,
        }  # fmt: skip
        own = {name: _json(text).replace(b"%", b"%%") for name, text in shared.items()}
        self._form = (
            b'{%b"captured_at":"%d","committed_at":"%d"%b%b,"format":"1","key":%b,"kind":"change"%b,"offset":"%d",'
            b'"operation":"%b","ordered_at":"%d","ordinal":"%d","origin":'
            + own["origin"] + b',"partition":' + own["partition"] + b',"plan":' + own["plan"]
            + b',"position":%b%b,"produced_at":"%d"%b,"salt":"%b","schema":' + own["schema"]
            + b',"seq":"%d","subject":{%b},"table":' + own["table"] + b',"topic_id":' + own["topic_id"] + b"%b%b}"
        )  # fmt: skip

    def write(self, change: Change) -> bytes:
        """The canonical bytes of the whole entry, however long."""
        version = b',"version":"%d"' % change.version if change.version is not None else b""
        prev = b"" if change.version is None else b',"prev":"%d"' % change.prev if change.prev is not None else _NO_PREV
        return self._form % (
            _images(change.after, change.before),
            change.captured_at,
            change.committed_at,
            b',"epoch":' + _json(change.epoch) if change.epoch is not None else b"",
            b',"flags":' + _json(change.flags) if change.flags else b"",
            change.key,
            b',"linked_key":' + change.linked_key if change.linked_key is not None else b"",
            change.offset,
            change.operation.encode(),
            change.ordered_at,
            change.ordinal,
            _json(change.position),
            prev,
            change.produced_at,
            b',"replay_of":' + _json(change.replay_of) if change.replay_of is not None else b"",
            change.salt.encode(),
            change.seq,
            _subjects(change.subject_after, change.subject_before),
            _transaction(change.transaction, change.end) if change.transaction is not None else b"",
            version,
        )

    def entry(self, change: Change) -> Entry:
        """The same members as an entry, for one that needs a body."""
        chained = change.version is not None
        named = change.transaction
        shared: dict[str, Any] = self._shared
        return Entry(
            **shared,
            after=Raw(change.after) if change.after is not None else UNSET,
            before=Raw(change.before) if change.before is not None else UNSET,
            captured_at=str(change.captured_at),
            committed_at=str(change.committed_at),
            epoch=change.epoch if change.epoch is not None else UNSET,
            flags=change.flags or UNSET,
            key=Raw(change.key),
            kind="change",
            linked_key=Raw(change.linked_key) if change.linked_key is not None else UNSET,
            offset=str(change.offset),
            operation=change.operation,  # type: ignore[arg-type]
            ordered_at=str(change.ordered_at),
            ordinal=str(change.ordinal),
            position=change.position,
            prev=(str(change.prev) if change.prev is not None else None) if chained else UNSET,
            produced_at=str(change.produced_at),
            replay_of=change.replay_of if change.replay_of is not None else UNSET,
            salt=change.salt,
            seq=str(change.seq),
            subject=Subject(after=change.subject_after or UNSET, before=change.subject_before or UNSET),
            transaction=Transaction(id=named[0], order=str(named[1]), end=change.end or UNSET) if named else UNSET,
            version=str(change.version) if chained else UNSET,
        )


_NO_PREV = b',"prev":null'


def _images(after: bytes | None, before: bytes | None) -> bytes:
    if after is None:
        return b'"before":%b,' % before if before is not None else b""
    return b'"after":%b,"before":%b,' % (after, before) if before is not None else b'"after":%b,' % after


def _subjects(after: str | None, before: str | None) -> bytes:
    if before is None:
        return f'"after":"{after}"'.encode() if after is not None else b""
    return f'"after":"{after}","before":"{before}"'.encode() if after is not None else f'"before":"{before}"'.encode()


def _transaction(named: tuple[str, int], end: End | None) -> bytes:
    if end is not None:
        return b',"transaction":' + _json(Transaction(id=named[0], order=str(named[1]), end=end))
    return b',"transaction":{"id":%b,"order":"%d"}' % (_json(named[0]), named[1])

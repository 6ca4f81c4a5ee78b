"""Entries of kind ``change``, written in one step: nearly all entries are changes, and most of their members are known.

What is written here is what :func:`cdc.entry.encode` writes of the same members (a property test compares the two);
building an :class:`~cdc.entry.Entry` first would take as long as everything else that is done to an entry.
"""

from __future__ import annotations

import msgspec

from cdc.entry.model import End, Flag, Transaction

_json = msgspec.json.Encoder().encode


class ChangeForm:
    """The members that all changes of one table version share in one log, as bytes around those that differ."""

    def __init__(self, *, origin: str, partition: int, topic_id: str, table: str, schema: str, plan: str) -> None:
        own = {
            name: _json(text).replace(b"%", b"%%")
            for name, text in (
                ("origin", origin), ("partition", str(partition)), ("plan", plan), ("schema", schema),
                ("table", table), ("topic_id", topic_id),
            )
        }  # fmt: skip
        self._form = (
            b'{%b"captured_at":"%d","committed_at":"%d"%b%b,"format":"1","key":%b,"kind":"change"%b,"offset":"%d",'
            b'"operation":"%b","ordered_at":"%d","ordinal":"%d","origin":'
            + own["origin"] + b',"partition":' + own["partition"] + b',"plan":' + own["plan"]
            + b',"position":%b%b,"produced_at":"%d"%b,"salt":"%b","schema":' + own["schema"]
            + b',"seq":"%d","subject":{%b},"table":' + own["table"] + b',"topic_id":' + own["topic_id"]
        )  # fmt: skip

    def head(
        self,
        *,
        after: bytes | None,
        before: bytes | None,
        captured_at: int,
        committed_at: int,
        epoch: str | None,
        flags: tuple[Flag, ...],
        key: bytes,
        linked_key: bytes | None,
        offset: int,
        operation: str,
        ordered_at: int,
        ordinal: int,
        position: tuple[str | None, ...],
        head_of_row: tuple[int, int | None] | None,
        produced_at: int,
        replay_of: str | None,
        salt: str,
        seq: int,
        subject_after: str | None,
        subject_before: str | None,
    ) -> bytes:
        """The canonical bytes up to where the transaction stands: the rest is known when the next event is.

        Times are ns; ``key``, ``linked_key`` and the images canonical bytes; ``head_of_row``: version and prev.
        """
        return self._form % (
            _images(after, before),
            captured_at,
            committed_at,
            b',"epoch":' + _json(epoch) if epoch is not None else b"",
            b',"flags":' + _json(flags) if flags else b"",
            key,
            b',"linked_key":' + linked_key if linked_key is not None else b"",
            offset,
            operation.encode(),
            ordered_at,
            ordinal,
            _json(position),
            _prev(head_of_row),
            produced_at,
            b',"replay_of":' + _json(replay_of) if replay_of is not None else b"",
            salt.encode(),
            seq,
            _subjects(subject_after, subject_before),
        )

    @staticmethod
    def tail(transaction: tuple[str, int] | None, end: End | None, version: int | None) -> bytes:
        """What follows the head."""
        last = b',"version":"%d"}' % version if version is not None else b"}"
        if transaction is None:
            return last
        if end is not None:
            return b',"transaction":' + _json(Transaction(id=transaction[0], order=str(transaction[1]), end=end)) + last
        return b',"transaction":{"id":%b,"order":"%d"}%b' % (_json(transaction[0]), transaction[1], last)


def _prev(head_of_row: tuple[int, int | None] | None) -> bytes:
    if head_of_row is None:
        return b""
    return b',"prev":"%d"' % head_of_row[1] if head_of_row[1] is not None else b',"prev":null'


def _images(after: bytes | None, before: bytes | None) -> bytes:
    if after is None:
        return b'"before":%b,' % before if before is not None else b""
    return b'"after":%b,"before":%b,' % (after, before) if before is not None else b'"after":%b,' % after


def _subjects(after: str | None, before: str | None) -> bytes:
    if before is None:
        return f'"after":"{after}"'.encode() if after is not None else b""
    return f'"after":"{after}","before":"{before}"'.encode() if after is not None else f'"before":"{before}"'.encode()

"""Protected events → entries, in order: seq, clocks, versions, flags, folded transaction ends, and the batch they make.

Pure. Everything an entry says follows from the standing it continues, the events and the heads of the rows; so another
worker that reads the same records from the same standing makes the same bytes.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdc.assembly import Assembly, HeadOf
from cdc.batch import Batch, Standing
from cdc.event import Origin
from cdc.images import LastImages
from cdc.protect import Protected


@dataclass(frozen=True, slots=True)
class Identity:
    """What is the same in every entry of a log."""

    log: str
    origin: str
    topic_id: str
    partition: int


class Sequencer:
    """Continues one log from a standing.

    ``known`` holds the (table, schema digest, plan digest) triples that the log has introduced.
    """

    def __init__(
        self, identity: Identity, standing: Standing, salt_key: bytes, known: set[tuple[str, str, str]]
    ) -> None:
        self._standing = standing
        self._salt_key = salt_key
        self._known = known
        self._place = f"{identity.topic_id}/{identity.partition}"
        self._fixed = {
            "origin": identity.origin,
            "partition": str(identity.partition),
            "topic_id": identity.topic_id,
        }

    @property
    def standing(self) -> Standing:
        """Where the log stands after everything assembled so far."""
        return self._standing

    def assemble(
        self,
        events: Sequence[Protected],
        heads: HeadOf,
        suspended: Mapping[str, tuple[str, str]],
        next_offset: int,
        delivered: int,
    ) -> Batch:
        """The batch of these events.

        Args:
            events: consecutive, and ended where ``cdc.batch.cut`` says.
            heads: newest version of a row before this batch, by table and row key; asked once per row.
            suspended: tables whose state does not follow, with code and message.
            next_offset: the position after the last of them.
            delivered: records that the broker delivered for them, counted before decoding.

        Raises:
            Halted: the source's epoch changed, or a transaction does not add up.
            LedgerError: records, entries and skips do not balance.
        """
        run = Assembly(self._standing, self.members, self._known, heads, LastImages(suspended))
        for event in events:
            run.take(event)
        batch = run.batch(next_offset, delivered)
        self._standing = batch.end
        return batch

    def members(self, origin: Origin, ordinal: int) -> dict[str, Any]:
        """The members that every record-borne entry has."""
        members: dict[str, Any] = {
            **self._fixed,
            "offset": str(origin.offset),
            "ordinal": str(ordinal),
            "produced_at": str(origin.produced_at),
            "salt": self._salt(origin.offset, ordinal),
        }
        if origin.captured_at is not None:
            members["captured_at"] = str(origin.captured_at)
        if origin.committed_at is not None:
            members["committed_at"] = str(origin.committed_at)
        return members

    def _salt(self, offset: int, ordinal: int) -> str:
        """``docs/formats.md`` §3.5."""
        return hmac.digest(self._salt_key, f"{self._place}/{offset}/{ordinal}".encode(), "sha256")[:16].hex()

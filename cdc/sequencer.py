"""Protected events → entries, in order: seq, clocks, versions, flags, folded transaction ends, and the batch they make.

Pure. Everything an entry says follows from the standing it continues, the events and the heads of the rows; so another
worker that reads the same records from the same standing makes the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cdc.absence import Unseen
from cdc.assembly import Assembly, HeadOf
from cdc.batch import Batch, Standing
from cdc.errors import Halted
from cdc.identity import EntryIdentity, Identity
from cdc.images import LastImages
from cdc.protect import Protected
from cdc.waiting import Waiting


class Sequencer:
    """Continues one log from a standing.

    ``known`` holds the (table, schema digest, plan digest) triples that the log has introduced.
    """

    def __init__(
        self, identity: Identity, standing: Standing, salt_key: bytes, known: set[tuple[str, str, str]]
    ) -> None:
        self._standing = standing
        self._known = known
        self.identity = EntryIdentity(identity, salt_key)

    @property
    def standing(self) -> Standing:
        """Where the log stands after everything assembled so far."""
        return self._standing

    @property
    def known(self) -> frozenset[tuple[str, str, str]]:
        """Table, schema digest and plan digest of the table versions that the log has described."""
        return frozenset(self._known)

    def go_on(self, batch: Batch) -> None:
        """A batch that was not assembled here continues the log."""
        self._known.update(version[:3] for version in batch.versions)
        self._standing = batch.end

    def assemble(
        self,
        events: Sequence[Protected],
        heads: HeadOf,
        suspended: Mapping[str, tuple[str, str]],
        next_offset: int,
        delivered: int,
        unseen: Sequence[Unseen] = (),
        waiting: Waiting | None = None,
    ) -> Batch:
        """The batch of these events.

        Args:
            events: consecutive, and ended where ``cdc.batch.cut`` says.
            heads: newest version of a row before this batch, by table and row key; asked once per row.
            suspended: tables whose state does not follow, with code and message.
            next_offset: the position after the last of them.
            unseen: rows that the snapshot did not show whose end is the first of the events (:mod:`cdc.absence`).
            delivered: records that the broker delivered for them, counted before decoding.
            waiting: rows whose state waits; afterwards those that wait behind the batch.

        Raises:
            Halted: the source's epoch changed, or a transaction does not add up.
            LedgerError: records, entries and skips do not balance.
        """
        run = Assembly(self._standing, self.identity, self._known, heads, LastImages(suspended, waiting), unseen)
        try:
            for event in events:
                run.take(event)
        except Halted:
            self._known.difference_update(run.introduced)  # nothing of this batch is written
            raise
        batch = run.batch(next_offset, delivered)
        self._standing = batch.end
        return batch

"""The source transaction in which the log stands, between its BEGIN and its END (docs/formats.md §3.6)."""

from __future__ import annotations

from cdc.entry import End as FoldedEnd
from cdc.event import Begin, End, Transaction
from cdc.mariadb import demand_server, is_gtid
from cdc.torn import begun_again, ended, torn, unended


class OpenTransaction:
    """``id``: None outside any. ``count``: events of it so far that END counts. ``unread``: quarantined records since
    its BEGIN, which END may count, and which may stand between two events.
    """

    __slots__ = ("count", "id", "unread")

    def __init__(self, name: str | None, count: int, unread: int) -> None:
        self.id, self.count, self.unread = name, count, unread

    def begin(self, event: Begin, epoch: str | None) -> str | None:
        """Enter the next one; returns the id of a DDL of MariaDB's, which has no END and which this BEGIN closes.

        Raises:
            Halted: the one before has not ended, or is this one; or this is of another MariaDB server than ``epoch``
                names.
        """
        gtid = is_gtid(event.id)
        if gtid:
            demand_server(event, epoch)
        closed = self.id
        if closed is not None and not (gtid and self.count == self.unread == 0):
            raise (begun_again if gtid and closed == event.id else unended)(event.origin.offset)
        self.id, self.count, self.unread = event.id, 0, 0
        return closed

    def end(self, event: End) -> FoldedEnd:
        """Leave it; returns what its last entry says of the END.

        Raises:
            Halted: it is another one that ends, or one with other events than the log has.
        """
        if self.id != event.id or not 0 <= event.count - self.count <= self.unread:
            raise ended(event.origin.offset, event.count, self.count)
        self.id, self.count, self.unread = None, 0, 0
        tables = {name: str(count) for name, count in event.tables}
        return FoldedEnd(count=str(event.count), offset=str(event.origin.offset), tables=tables)

    def take(self, transaction: Transaction, offset: int, counted: int) -> None:
        """An event of it, which END counts ``counted`` times.

        Raises:
            Halted: the event is not of this transaction, or not the next of it.
        """
        if self.id != transaction.id or not 0 <= transaction.order - self.count - 1 <= self.unread:
            raise torn(self.id, self.count, offset, transaction)
        self.count += counted

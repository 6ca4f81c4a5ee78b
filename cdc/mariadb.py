"""Debezium's ``source`` block of a MariaDB server, and what it means for an event's origin.

Source: Debezium 3.5 documentation, "MariaDB connector: data change events"; MariaDB documentation, "Global Transaction
ID".
"""

from __future__ import annotations

import re

import msgspec

from cdc.envelope import Block, Malformed
from cdc.errors import Halted
from cdc.event import Begin, Origin, Record, Transaction

CONNECTOR = "mariadb"
"""``source.connector`` of its records."""
_GTID = re.compile(r"(\d{1,10})-(\d{1,10})-(\d{1,20})")


class MariaSource(msgspec.Struct, frozen=True, gc=False, rename={"schema": "db"}):
    """What is used of the block. What MariaDB calls a database is the schema here."""

    schema: str
    table: str
    ts_ms: int
    ts_ns: int | None = None
    snapshot: str | None = None
    gtid: str | None = None
    file: str | None = None
    pos: int | None = None
    row: int | None = None


def is_gtid(text: str) -> bool:
    """Whether a transaction's id is one of MariaDB's: ``domain-server-sequence``."""
    return _GTID.fullmatch(text) is not None


def counts(transaction_id: str, kind: str) -> bool:
    """Whether an END would count an entry of this kind. A TRUNCATE of MariaDB's is a DDL: no END follows."""
    return kind != "truncate" or not is_gtid(transaction_id)


def demand_server(event: Begin, epoch: str | None) -> None:
    """See that a transaction is of the server and GTID domain that the source epoch names (``…/<domain>-<server>``).

    Raises:
        Halted: it is of another; its sequence says nothing about what the log has.
    """
    if epoch is not None and not event.id.startswith(f"{epoch.rpartition('/')[2]}-"):
        raise Halted(
            "source-epoch",
            f"the source was {epoch}, and the BEGIN at offset {event.origin.offset} is of another server or domain",
            hint="a restored or failed-over source may have lost commits: compare it with the warehouse first",
        )


def origin_of(record: Record, source: MariaSource, ts_ms: int, ts_ns: int | None, block: Block | None) -> Origin:
    """Clocks, position and transaction of a row or truncate.

    ``commit`` is the sequence of its GTID: within one domain it rises from transaction to transaction in the order of
    the binary log, which is the order of emission, and unlike file and offset it goes on across a fail-over. That all
    are of one domain and server is seen to at each BEGIN (:func:`demand_server`). Snapshot rows are not judged.

    Raises:
        Malformed: a change from the binary log without GTID.
    """
    commit: int | None = None
    if source.snapshot == "false" or source.snapshot is None:
        gtid = _GTID.fullmatch(source.gtid or "")
        if gtid is None:
            raise Malformed("no-gtid")
        commit = int(gtid[3])
    return Origin(
        record.offset,
        record.timestamp_ms * 1_000_000,
        ts_ns if ts_ns is not None else ts_ms * 1_000_000,
        source.ts_ns if source.ts_ns is not None else source.ts_ms * 1_000_000,
        (source.gtid, source.file, _text(source.pos), _text(source.row)),
        commit,
        Transaction(block.id, block.total_order) if block is not None else None,
    )


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)

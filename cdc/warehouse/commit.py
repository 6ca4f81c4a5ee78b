"""The one commit: entries, current state, edge of the log and position, in one transaction behind one compare-and-set.

Steps, in order: (1) *fence*: move ``pipeline.stream`` and ``audit.log`` from where this batch continues; no row means
that another worker owns the stream, and nothing is written. (2) *entries*: COPY them and their bodies. (3) *state*:
last image per row key. (4) *count*: what COPY stored is what the batch holds. (5) *commit*. A crash before (5) leaves
nothing, after it everything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psycopg2

from cdc.batch import Batch
from cdc.copytext import escape
from cdc.errors import Fenced, LedgerError
from cdc.warehouse import standing
from cdc.warehouse.bulk import copy
from cdc.warehouse.projection import quoted
from cdc.warehouse.release import apply_waits
from cdc.warehouse.sqlstate import classify
from cdc.warehouse.state import apply_state

ENTRY_COLUMNS = (
    "seq", "kind", "ordered_at", "committed_at", "table_name", "row_key", "operation", "version", "prev",
    "transaction_id", "subject", "subject_before", "kafka_offset", "ordinal", "entry", "leaf",
)  # fmt: skip

Observer = Callable[[str], None]
"""Told the name of each step just before it is taken: begin, fence, entries, state, commit, committed."""


@dataclass(frozen=True, slots=True)
class Fence:
    """What proves ownership in every commit."""

    log: str
    topic_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class PrivacyMark:
    """Identity and high-water of the privacy store, as seen when the batch was protected."""

    identity: str
    high_water: int


def commit(
    connection: psycopg2.extensions.connection, fence: Fence, batch: Batch, privacy: PrivacyMark, observe: Observer
) -> None:
    """Write one batch.

    Raises:
        Fenced: another worker owns the stream. Nothing was written.
        StateRefused: PostgreSQL refuses a value in a table's state. Nothing was written.
        TransientError: the outcome may be unknown; the caller owns the stream anew and reads where it stands.
        LedgerError: the warehouse and the batch contradict each other.
    """
    try:
        with connection.cursor() as cursor:
            observe("begin")
            _advance(cursor, fence, batch, privacy, observe)
            observe("entries")
            _entries(cursor, fence.log, batch)
            observe("state")
            apply_state(cursor, fence.log, batch)
            apply_waits(cursor, fence.log, batch)
            observe("commit")
        connection.commit()
        observe("committed")
    except psycopg2.Error as error:
        _roll_back(connection)
        raise classify(error, f"commit of {fence.log}") from None
    except BaseException:
        _roll_back(connection)
        raise


def _roll_back(connection: psycopg2.extensions.connection) -> None:
    try:
        connection.rollback()
    except psycopg2.Error:
        connection.close()


def _advance(
    cursor: psycopg2.extensions.cursor, fence: Fence, batch: Batch, privacy: PrivacyMark, observe: Observer
) -> None:
    observe("fence")
    cursor.execute(
        standing.ADVANCE,
        standing.parameters(batch.end)
        | {
            "log": fence.log,
            "topic_id": fence.topic_id,
            "epoch": fence.epoch,
            "from_offset": batch.start.next_offset,
            "from_size": batch.start.edge.size,
            "privacy_identity": privacy.identity,
            "privacy_high_water": privacy.high_water,
        },
    )
    moved = cursor.fetchone()
    if moved is None:
        raise Fenced(f"stream {fence.log} is not where epoch {fence.epoch} left it: another worker owns it")
    if moved[0] is not True:
        raise LedgerError(f"log {fence.log} does not have the {batch.start.edge.size} entries that its stream says")


def _entries(cursor: psycopg2.extensions.cursor, log: str, batch: Batch) -> None:
    stored = 0
    if batch.rows:
        prefix = escape(log).encode() + b"\t"
        stored = copy(
            cursor,
            f"audit.{quoted('entry_' + log)} (log, {', '.join(ENTRY_COLUMNS)})",
            prefix + (b"\n" + prefix).join([row.line for row in batch.rows]) + b"\n",
        )
    added = batch.end.edge.size - batch.start.edge.size
    if stored != added:
        raise LedgerError(f"COPY stored {stored} entries; the log grew by {added}")
    if batch.bodies:
        copy(
            cursor,
            "audit.body (log, seq, body)",
            "".join([f"{escape(log)}\t{seq}\t{escape(body)}\n" for seq, body in batch.bodies]).encode(),
        )
    if batch.versions:
        cursor.executemany(
            "INSERT INTO pipeline.table_version (log, table_name, schema, plan, seq) VALUES (%s, %s, %s, %s, %s)",
            [(log, *version) for version in batch.versions],
        )

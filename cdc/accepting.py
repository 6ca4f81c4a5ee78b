"""Going on after a halt: which gap it leaves, judged from what the warehouse stored of it and what Kafka has now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cdc.debezium import Decoder
from cdc.errors import Conflict, RecordError, TransientError, Unreachable
from cdc.event import End, Event, Record
from cdc.gap import Gap, Going
from cdc.stream import Stream
from cdc.topic import Topic, describe
from cdc.warehouse.halts import Halt

_TRANSACTIONS = frozenset({"transaction-incomplete", "transaction-without-begin", "transaction-without-end"})
_BEGUN_AGAIN = "transaction-begun-again"
_TOPICS = frozenset({"topic-recreated", "topic-changed", "position-lost", "partition-count", "warehouse-behind"})
LOST = {
    "topic-recreated": "Records between the two topics, if there were any, are missing. How many, nobody can tell.",
    "topic-changed": "Records of the old topic that this log had not read are missing. How many, nobody can tell.",
    "position-lost": "The records of these offsets are missing for ever.",
    "warehouse-behind": "What the warehouse lost of these offsets is missing, unless a newer copy of it exists.",
    "source-epoch": "Commits that the old source had and the new one has not stay in the log; commits that neither"
    " delivered are missing. From here on source positions are judged anew.",
    "source-skipped": "Changes that the source committed between these two heartbeats may be missing. How many, nobody"
    " can tell.",
    "transaction-incomplete": "Events of this transaction are missing, or stand twice. Its END is not recorded.",
    "transaction-without-begin": "The events before this one, and its BEGIN, are missing from the log.",
    "transaction-without-end": "Events of the transaction that has no END may be missing.",
    _BEGUN_AGAIN: "Nothing, as far as anybody knows: the connector goes on behind what it has sent, and numbers the"
    " rest of this transaction from 1 again. That its events were sent once each is not checked.",
    "privacy-store-restored": "Cells and tokens made since the store's copy stay unreadable, and values get new tokens:"
    " a row whose key is a token may appear twice.",
    "state-diverged": "Some change of this table is missing. Its current state stands still from here on.",
}
"""Halt code → what is lost or unknown when the stream goes on all the same."""
SLOT_LOST = "slot-lost"
"""Cause of a gap that no halt tells: the source no longer has what its connector had not read."""
_SLOT_LOST = (
    "What the source committed since then, until its tables are read anew, is missing: the source no longer has it."
)

REREAD = _TOPICS | _TRANSACTIONS | {"source-epoch", "source-skipped"}
"""Codes after which current state may differ from the source, and reading the tables anew makes it right."""


def command_after(code: str, log: str) -> str:
    """The one command that goes on after a halt: with what is missing recorded, or when the cause has been removed."""
    if code in REREAD:
        return f"cdc stream rebaseline {log} --reason '…'"
    if code in LOST:
        return f"cdc stream accept-gap {log} --reason '…'"
    return f"cdc replicate {log}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the stream reads: the cluster's settings and the topic of the configuration."""

    kafka: Mapping[str, str]
    topic: str


def gap_of(halt: Halt, place: Place) -> Gap:
    """The gap that accepting this halt leaves.

    Raises:
        Conflict: the cause is gone, or it is none that accepting helps against; says what does.
        Halted: the topic has more than one partition still.
        ConfigError: Kafka has no such topic.
        Unreachable: Kafka does not answer.
    """
    if halt.code in _TOPICS:
        return _of_topic(halt, place)
    if halt.code in _TRANSACTIONS or halt.code == _BEGUN_AGAIN:
        return _of_transaction(halt)
    same = Going(halt.position, halt.topic_id, halt.epoch)
    here = f"offset {halt.position}"
    if halt.code == "source-epoch":
        epoch = halt.coordinates["epoch"]
        return Gap(halt.code, f"source {halt.epoch}", f"source {epoch}", None, replace(same, epoch=epoch))
    if halt.code == "source-skipped":
        since, through = (f"heartbeat {halt.coordinates[name]}" for name in ("since", "through"))
        return Gap(halt.code, since, through, None, same)
    if halt.code == "privacy-store-restored":
        return Gap(halt.code, here, here, None, same, forgets_store=True)
    if halt.code == "state-diverged":
        table = halt.coordinates["table"]
        return Gap(halt.code, here, f"table {table}", None, same, suspends=table)
    raise Conflict(f"{halt.code} leaves no gap to accept", hint=f"docs/operations.md, Halts, {halt.code}")


def told_lost(code: str) -> str:
    """What is lost or unknown after this cause, in a sentence."""
    return _SLOT_LOST if code == SLOT_LOST else LOST[code]


def gap_of_slot(stand: Halt, place: Place) -> Gap:
    """The gap that a lost slot leaves. ``stand``: of :func:`cdc.warehouse.halts.standing`; its ``message`` is the
    source commit that the log is complete through.

    Raises:
        Conflict: the log lacks records of the topic still, which come before the gap.
        ConfigError: Kafka has no such topic.
        Unreachable: Kafka does not answer.
    """
    topic = describe(place.kafka, place.topic)
    if topic.id != stand.topic_id or _unread(stand, place, topic):
        raise Conflict(
            f"{topic.name}/0 has records that the log of {stand.log} lacks",
            hint=f"cdc replicate {stand.log} --until-caught-up, then give this command again",
        )
    going = Going(stand.position, stand.topic_id, stand.epoch, closes=stand.open_transaction)
    return Gap(SLOT_LOST, f"source commit {stand.message}", "the next snapshot", None, going)


def _unread(stand: Halt, place: Place, topic: Topic) -> bool:
    stream = Stream(place.kafka, topic, f"{stand.log}-gap")
    try:
        stream.rewind(stand.position)
        return _next(stream) is not None
    except TransientError as error:
        raise Unreachable(str(error), hint="cdc local status") from None
    finally:
        stream.close()


def _of_transaction(halt: Halt) -> Gap:
    offset = int(halt.coordinates["offset"])
    if offset != halt.position:
        raise Conflict(
            f"the stream halted at offset {offset} and stands at {halt.position}", hint=f"cdc replicate {halt.log}"
        )
    here = Going(offset, halt.topic_id, halt.epoch, closes=halt.open_transaction)
    at = f"offset {offset}"
    if "has" in halt.coordinates:
        order, has = int(halt.coordinates["order"]), int(halt.coordinates["has"])
        going = replace(here, opens=(halt.coordinates["transaction"], order))
        return Gap(halt.code, at, at, max(0, order - 1 - has), going)
    if halt.code == "transaction-incomplete":
        return Gap(halt.code, at, at, None, replace(here, position=offset + 1, skips=1))
    if halt.code == _BEGUN_AGAIN and halt.open_transaction is not None:
        going = replace(here, position=offset + 1, opens=(halt.open_transaction, 1), skips=1)
        return Gap(halt.code, at, at, 0, going)
    if halt.code == "transaction-without-end":
        return Gap(halt.code, at, at, None, here)
    order = int(halt.coordinates["order"])
    opens = (halt.coordinates["transaction"], order)
    return Gap(halt.code, at, at, order - 1, replace(here, opens=opens))


def _of_topic(halt: Halt, place: Place) -> Gap:
    topic = describe(place.kafka, place.topic)
    low, high, first = _first(halt, place, topic)
    if topic.id == halt.topic_id and low <= halt.position <= high:
        raise Conflict("the cause of the halt is gone", hint=f"cdc replicate {halt.log}")
    if topic.id == halt.topic_id and halt.position > high:
        raise Conflict(
            f"{topic.name}/0 ends at offset {high}, before {halt.position}, where the log goes on: the same offsets"
            " would mean other records",
            hint="delete the topic, let the connector make it anew, and give this command again",
        )
    same = topic.id == halt.topic_id
    lost = "warehouse-behind" if halt.code == "warehouse-behind" else "position-lost"
    code = lost if same else "topic-changed" if topic.name != halt.topic else "topic-recreated"
    opens = None
    if first is not None and first.origin.transaction is not None and first.origin.transaction.order > 1:
        opens = (first.origin.transaction.id, first.origin.transaction.order)
    skips = int(isinstance(first, End))
    going = Going(low + skips, topic.id, halt.epoch, halt.open_transaction, opens, skips)
    since = f"offset {halt.position}" if same else f"topic {halt.topic} {halt.topic_id} offset {halt.position}"
    through = f"offset {low - 1}" if same else f"topic {topic.name} {topic.id} offset {low}"
    return Gap(code, since, through, low - halt.position if same else None, going)


def _first(halt: Halt, place: Place, topic: Topic) -> tuple[int, int, Event | None]:
    """The offsets that the topic holds, and the first event of them: it may be inside a transaction."""
    stream = Stream(place.kafka, topic, f"{halt.log}-gap")
    try:
        low, high = stream.bounds()
        stream.rewind(low)
        record = _next(stream)
        return low, high, None if record is None else Decoder().decode(record)
    except RecordError:  # the worker will say so
        return low, high, None
    except TransientError as error:
        raise Unreachable(str(error), hint="cdc local status") from None
    finally:
        stream.close()


def _next(stream: Stream) -> Record | None:
    """The first record from where the stream reads, if there is one."""
    for _ in range(25):
        records = stream.read(1)
        if records:
            return records[0]
        if stream.lag() == 0:
            break
    return None

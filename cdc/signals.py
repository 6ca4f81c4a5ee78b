"""What a connector is asked by a row of its table ``cdc.signal`` (Debezium documentation, "Sending signals"). Pure.

A signal's id says where the topic ended when it was sent, so that what the connector says of it is found again without
anything else being kept: ``snapshot-<offset>-<random>``, and ``snapshot-pause-<offset>-<random>`` for what follows.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from cdc.entry import split_qualified_name
from cdc.errors import Conflict

LONGEST = 2048
"""Characters that ``cdc.signal.data`` holds."""
PREFIX = "snapshot-"
"""Ids of the signals that are made here begin so."""
_ID = re.compile(rf"{PREFIX}(?:(pause|resume|stop)-)?(\d{{1,19}})-[0-9a-f]{{6}}")


@dataclass(frozen=True, slots=True)
class Signal:
    """A row of the table. ``data`` may hold a condition with values."""

    id: str
    type: str
    data: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Begun:
    """What the id of a signal that asked for a snapshot says: where the topic ended then."""

    id: str
    offset: int


def start(offset: int, tables: Sequence[str], where: str | None = None) -> Signal:
    """Read these tables beside the stream; of a single one, rows under a condition alone.

    Raises:
        Conflict: there are too many for one signal, or the condition is too long.
    """
    return Signal(_id("", offset), "execute-snapshot", data("incremental", tables, where))


def pause(offset: int) -> Signal:
    """Read no further chunk for now."""
    return Signal(_id("pause-", offset), "pause-snapshot", '{"type":"incremental"}')


def resume(offset: int) -> Signal:
    """Read on."""
    return Signal(_id("resume-", offset), "resume-snapshot", '{"type":"incremental"}')


def stop(offset: int, names: Sequence[str]) -> Signal:
    """Give the snapshot up: these tables, named as Debezium names them.

    Without names Debezium 3.7 takes all that are captured, and one of them whose name it does not read (with a blank)
    leaves the snapshot neither stopped nor going on.
    """
    document = {"type": "incremental", "data-collections": [re.escape(name) for name in names]}
    return Signal(_id("stop-", offset), "stop-snapshot", json.dumps(document, ensure_ascii=False))


def data(kind: str, tables: Sequence[str], where: str | None = None) -> str:
    """What an ``execute-snapshot`` signal holds: these tables, each as Debezium writes it, and no other.

    Raises:
        Conflict: it is too long for the column.
    """
    patterns = [re.escape(_name(table)) for table in tables]
    document: dict[str, object] = {"type": kind, "data-collections": patterns}
    if where is not None:
        document["additional-conditions"] = [{"data-collection": patterns[0], "filter": where}]
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    if where is not None and kind == "incremental":
        # The warehouse takes a signal with this word for a whole re-snapshot that reads a part, and then judges no row
        # absent (docs/formats.md §3.7). An incremental one says nothing of absence: the same JSON, without the word.
        text = text.replace('"additional-conditions":', '"additional\\u002dconditions":', 1)
    if len(text) <= LONGEST:
        return text
    raise Conflict(
        f"{len(tables)} names are too long for one signal ({LONGEST:,} characters)"
        if where is None
        else f"the condition is too long for a signal ({LONGEST:,} characters)",
        hint="name some of the tables, and the others after them" if where is None else "a shorter one",
    )


def last_begun(ids: Sequence[str]) -> Begun | None:
    """The snapshot that was asked for last, of the ids in the table; None when none was asked for here."""
    begun = [Begun(id_, int(found[2])) for id_ in ids if (found := _ID.fullmatch(id_)) and found[1] is None]
    return max(begun, key=lambda each: (each.offset, each.id), default=None)


def _id(what: str, offset: int) -> str:
    return f"{PREFIX}{what}{offset}-{uuid.uuid4().hex[:6]}"


def _name(table: str) -> str:
    return ".".join(split_qualified_name(table))

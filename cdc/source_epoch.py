"""What the heartbeat table says of the source with every beat: which one it is, and that no beat in between is missing.

The connector updates one row every few seconds, and the before image of each beat is the beat before it. A beat that
Kafka did not get was skipped with whatever else the source committed around it: its publication was missing for a while
(PostgreSQL 18 goes on without, with a warning in the server's log), the slot was made anew or moved on, or somebody set
the connector's offsets.
"""

from __future__ import annotations

import msgspec

from cdc.errors import Halted
from cdc.protect import ProtectedEvent
from cdc.torn import SHOW

HEARTBEAT_TABLE = "cdc.heartbeat"


def source_epoch(event: ProtectedEvent, before: str | None) -> str | None:
    """``<system identifier>/<timeline>`` after a change of the heartbeat table; ``before`` is the one in force.

    Raises:
        Halted: it is another source than before, or the policy hides which one it is.
    """
    if event.after is None:
        return before
    image = msgspec.json.decode(event.after)
    system, timeline = image.get("system_identifier"), image.get("timeline")
    if not (isinstance(system, str) and isinstance(timeline, str)):
        raise Halted(
            "heartbeat-protected",
            f"the policy protects {HEARTBEAT_TABLE}, which tells which source this is",
            hint=f"list system_identifier and timeline of {HEARTBEAT_TABLE} as clear in the policy",
        )
    epoch = f"{system}/{timeline}"
    if before is not None and before != epoch:
        raise Halted(
            "source-epoch",
            f"the source was {before} and is {epoch} (system identifier/timeline) from offset {event.origin.offset} on",
            hint=SHOW,
            coordinates={"offset": str(event.origin.offset), "epoch": epoch},
        )
    return epoch


def beat(event: ProtectedEvent, before: str | None) -> str | None:
    """``beat_at`` after a change of the heartbeat table that is no replay; ``before`` is the one in force.

    None: not known, so that the next beat is not judged: after a snapshot, whose rows may be newer than the changes
    that follow, and where the policy does not leave the column clear.

    Raises:
        Halted: the beat before this one is not the one in force.
    """
    clear = {column.name for column in event.table.state_columns if column.protect == "clear"}
    if event.operation == "r" or "beat_at" not in clear:
        return None
    was = _beat_at(event.before)
    if before is not None and was is not None and was != before:
        raise Halted(
            "source-skipped",
            f"the heartbeat before that of offset {event.origin.offset} was at {was}, and the last one that came was at"
            f" {before}: what the source committed between the two may be missing",
            hint=SHOW,
            coordinates={"offset": str(event.origin.offset), "since": before, "through": was},
        )
    return _beat_at(event.after)


def _beat_at(image: bytes | None) -> str | None:
    told = None if image is None else msgspec.json.decode(image).get("beat_at")
    return told if isinstance(told, str) else None

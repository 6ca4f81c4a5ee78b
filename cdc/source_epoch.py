"""Which source a stream comes from: the heartbeat table says it with every beat, and it must stay the same one."""

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

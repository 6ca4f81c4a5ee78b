"""Streams as the warehouse has them: what stands still, what is missing, what waits for a person."""

from __future__ import annotations

from collections.abc import Iterator

from cdc.accepting import command_after
from cdc.warehouse.status import StreamStatus
from connectors.finding import Finding


def stream(source: str, found: StreamStatus | None) -> Iterator[Finding]:
    """What is to be known of a source's stream; None: no worker has ever taken it."""
    if found is None:
        yield Finding("stream_absent", f"no worker has taken stream {source} yet", command=f"cdc replicate {source}")
        return
    if found.halted_code is not None:
        command = f"cdc stream show {found.log}, then {command_after(found.halted_code, found.log)}"
        yield Finding("stream_halted", f"halted: {found.halted_code}", place=found.halted_code, command=command)
    elif not found.owned:
        yield Finding("stream_unowned", f"nobody owns stream {found.log}", command=f"cdc replicate {found.log}")
    for gap in found.gaps:
        yield Finding("stream_gap", f"gap at entry {gap.seq:,} ({gap.cause}); {gap.state}", place=f"entry {gap.seq}")
    if found.quarantine is not None:
        problem = (
            f"{found.quarantine.records:,} records in quarantine, the oldest is entry {found.quarantine.oldest_seq:,}"
        )
        yield Finding("quarantine_open", problem, command=f"cdc quarantine list {found.log}")
    for each in found.suspended:
        problem = f"state of {each.table} is suspended since entry {each.seq:,}: {each.code}"
        yield Finding("state_suspended", problem, place=each.table, command=each.command(found.log))


def source_epoch(found: StreamStatus | None, now: str | None) -> Iterator[Finding]:
    """Whether the source is still the cluster and timeline that the stream is of."""
    if found is not None and found.source_epoch is not None and now is not None and found.source_epoch != now:
        problem = f"the stream is of {found.source_epoch}, the source is {now} (system identifier/timeline)"
        yield Finding("source_epoch", problem)

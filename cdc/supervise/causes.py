"""Whether a restart may mend a failed task, told by its Java stack trace. Pure.

A task that failed because the source no longer has what it has not read would, restarted, fail again or, configured
otherwise, go on with a hole. Such causes need a person, and evidence. Texts are Debezium's and the servers':
``tests/golden/traces`` has those that were produced with PostgreSQL; those of binary logs are from their sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from cdc.supervise.seen import ConnectorSeen, SourceSeen

_DATA_LOSS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "slot-invalidated",
        re.compile(
            r"can(?:not| no longer) (?:access|get changes from|be acquired|read from) (?:logical )?replication slot"
            r"|replication slot \"[^\"]*\" (?:was|has been) invalidated|This (?:replication )?slot has been invalidated"
            r"|requested WAL segment \S+ has already been removed",
            re.IGNORECASE,
        ),
    ),
    (
        "slot-missing",
        re.compile(
            r"replication slot \"[^\"]*\" does not exist|slot .{0,80}(?:does not exist|was dropped)", re.IGNORECASE
        ),
    ),
    (
        "position-gone",
        re.compile(
            r"no longer available on the (?:server|source)|is no longer available|offset .{0,200}no longer available"
            r"|(?:last recorded|stored|saved|known) offset .{0,300}(?:mismatch|behind|ahead|before)"
            r"|offset\.mismatch\.strategy|Offset LSN .{0,200}(?:slot|behind|ahead)",
            re.IGNORECASE,
        ),
    ),
    (
        "binlog-gone",
        re.compile(
            r"Could not find first log file name in binary log|has purged (?:required )?(?:binary logs|binlogs?)"
            r"|binary log(?:s)? .{0,120}(?:purged|missing|not available)|purged binary logs containing GTIDs"
            r"|errorCode=1236|error code: 1236",
            re.IGNORECASE,
        ),
    ),
    (
        "schema-history-missing",
        re.compile(
            r"(?:db|database) (?:schema )?history topic .{0,200}(?:missing|not exist|doesn't exist|could not)"
            r"|The db history topic is missing|schema history topic .{0,60}missing",
            re.IGNORECASE | re.DOTALL,
        ),
    ),
)


def told_loss(traces: Iterable[str]) -> str | None:
    """The stable word of the first cause of that kind that a trace tells."""
    for trace in traces:
        for code, pattern in _DATA_LOSS:
            if pattern.search(trace):
                return code
    return None


def data_loss(connector: ConnectorSeen, source: SourceSeen | None) -> str | None:
    """Why nothing may be restarted, as a stable word; None: a restart may mend it.

    The slot is asked too, not the trace alone: Debezium 3.7 tries for half an hour to open a slot that was invalidated,
    without a word in its status, and makes a slot that is missing anew when it starts, if nothing came between.
    """
    if source is not None and source.slot is not None:
        if not source.slot.present:
            return "slot-missing"
        if source.slot.lost:
            return "slot-invalidated"
    return told_loss(connector.traces)

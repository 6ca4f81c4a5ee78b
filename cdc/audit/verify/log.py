"""One log, entry by entry, and then what the warehouse claims of it."""

from __future__ import annotations

from . import claims, report
from .findings import Findings, LogReport
from .given import Given
from .passing import Pass
from .state import Compared


def verify_log(given: Given) -> LogReport:
    """Take every step of this package's list that ``given`` allows."""
    findings = Findings(given.log, given.findings)
    origin = given.tree.origin if given.tree is not None else f"{given.log}/1"
    read = Pass(origin, given, findings)
    for row in given.entries:
        read.row(row)
    read.end()
    claims.tree(given.log, given.tree, read.next_seq, read.tree, findings)
    claims.checkpoints(given.checkpoints, given.tree, read.tree, findings)
    claims.stream(given.log, given.stream, read, findings)
    claims.table_versions(given.versions, read.changes.schemas, findings)
    compared: tuple[tuple[str, Compared], ...] = ()
    if given.state is not None and given.entries_at is not None:
        compared = claims.state(read, given.state, given.entries_at, findings)
    return report.of_log(given, origin, read, compared, findings)

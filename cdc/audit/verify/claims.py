"""What the warehouse, and whoever kept a checkpoint, claims of a log, against what its entries give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from . import stream as streams
from .checkpoint import Checkpoint
from .findings import Findings
from .history import Table
from .passing import Pass
from .rows import EntriesAt, StatedTree, StateRow, StateTable, Stream, TableVersionRow
from .schemas import Schemas
from .state import Compared, StateCheck
from .tree import Tree, subtrees
from .waits import settle


def tree(log: str, stated: StatedTree | None, size: int, grown: Tree, findings: Findings) -> None:
    """Size and edge in ``audit.log`` against the tree over the hashes computed here."""
    if stated is None:
        findings.say(None, "tree", "audit.log has no row for this log")
        return
    if not stated.origin.startswith(log + "/"):
        findings.say(None, "tree", "audit.log gives it the origin of another log")
    if size < stated.size:
        missing = "it is missing" if size == stated.size - 1 else f"entries {size} to {stated.size - 1} are missing"
        findings.say(size, "seq", f"{missing}: audit.log says that there are {stated.size}")
    elif size > stated.size:
        findings.say(stated.size, "seq", f"it is beyond the {stated.size} entries that audit.log says there are")
    if len(stated.edge) != stated.size.bit_count():
        findings.say(None, "tree", "the edge in audit.log has not as many hashes as its size gives")
    elif size == stated.size == grown.size:
        for (first, last), node, hashed in zip(subtrees(grown.size), stated.edge, grown.edge, strict=False):
            if node != hashed.hex():
                among = f"entry {first} does" if first == last else f"entries {first} to {last} do"
                findings.say(None, "tree", f"{among} not hash to the edge in audit.log")


def checkpoints(kept: Sequence[Checkpoint], stated: StatedTree | None, grown: Tree, findings: Findings) -> None:
    """Each checkpoint is of this log as it once was: its first ``size`` entries have the checkpoint's root."""
    for checkpoint in kept:
        if stated is None or checkpoint.origin != stated.origin:
            mine = stated.origin if stated is not None else "nothing"
            findings.say(None, "checkpoint", f"the checkpoint is of {checkpoint.origin}, the log of {mine}")
        elif checkpoint.size > grown.size:
            cause = f"it is missing: the log has {grown.size} entries, and had {checkpoint.size} at the checkpoint"
            findings.say(grown.size, "checkpoint", cause)
        elif grown.roots[checkpoint.size] != checkpoint.root:
            cause = f"the first {checkpoint.size} entries are not those that the checkpoint was made of"
            findings.say(None, "checkpoint", cause)


def stream(log: str, stated: Stream | None, read: Pass, findings: Findings) -> None:
    """The stream's row: its counts balance, and it stands where the log ends."""
    if stated is None:
        if read.tree.size and log != "operations":
            findings.say(None, "stream", "pipeline.stream has no row for this log")
        return
    described = read.kinds["schema"] + read.kinds["absent"] + read.kinds["gap"]
    described += read.resolutions.extra
    for cause in streams.faults(stated, read.tree.size, described, read.order, read.replays, read.transactions):
        findings.say(None, "stream", cause)


def table_versions(stated: Sequence[TableVersionRow], schemas: Schemas, findings: Findings) -> None:
    """``pipeline.table_version`` lists the table versions that the log has described."""
    rows = {(table, schema, plan): seq for table, schema, plan, seq in stated}
    for triple in sorted(rows.keys() | schemas.seqs.keys()):
        described = schemas.seqs.get(triple)
        if rows.get(triple) != described:
            seq = described if described is not None else rows[triple]
            cause = "pipeline.table_version is not what the schema entries say"
            findings.say(seq, "table versions", cause, table=triple[0])


def state(
    read: Pass, rows: Callable[[StateTable], Iterable[StateRow]], entries_at: EntriesAt, findings: Findings
) -> tuple[tuple[str, Compared], ...]:
    """Every state table against the fold of the log. Returns what was compared, by table."""
    compared = []
    for name, table in sorted(read.changes.tables.items()):
        if table.stated is not None:
            compared.append((name, _state_table(name, table, table.stated, read, rows, entries_at, findings)))
        elif table.changes:
            findings.say(None, "state", "pipeline.state_table has no row for this table", table=name)
    return tuple(compared)


def _state_table(
    name: str, table: Table, stated: StateTable, read: Pass,
    rows: Callable[[StateTable], Iterable[StateRow]], entries_at: EntriesAt, findings: Findings,
) -> Compared:  # fmt: skip
    def say(seq: int | None, key: str | None, cause: str) -> None:
        findings.say(seq, "state", cause, table=name, row_key=key)

    truncated = table.shown.truncated
    if stated.truncated_through not in table.shown.truncated_through:
        cause = "truncated_through in pipeline.state_table is not the table's last truncate"
        say(truncated if truncated >= 0 else None, None, cause)
    if not table.suspended and table.key not in {None, () if stated.keyless else stated.key}:
        say(None, None, "key or keyless in pipeline.state_table is not that of the table's schema entries")
    settle(name, table, stated, read.resolutions.open, say)
    return StateCheck(table, stated, read.changes.schemas, entries_at, say).run(rows(stated))

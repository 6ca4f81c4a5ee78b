"""Rows as the verifier takes them, of logs that are in no warehouse; and what it says, in few words."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from cdc.audit.verify import Given, LogReport, StatedTree, verify_log
from tests.independent import canonical, tree

Row = tuple[int, str, "str | None", str]
"""Seq, entry, body, leaf in hex: as the independent reader takes them."""


def realistic(entries: list[tuple[dict[str, Any], dict[str, Any]]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The example log's entries with source positions that rise from one to the next, as PostgreSQL's do; a replay has
    the position of an entry before it.
    """
    for seq, (entry, _) in enumerate(entries):
        if entry.get("position"):
            commit = 24_023_128 + 100 * (6 if "replay_of" in entry else seq)
            entry["position"] = [str(commit), str(commit + 56)]
            if "replay_of" in entry:
                entry["replay_of"] = f"{commit}/0"
    return entries


def projected(seq: int, text: str, leaf: str) -> tuple[str | None, ...]:
    """A row of ``audit.entry``; its columns are read out of the entry here, whatever the code under test makes of them."""
    entry = json.loads(text)
    subject, transaction = entry.get("subject", {}), entry.get("transaction", {})
    after, before = subject.get("after"), subject.get("before")
    key = entry.get("key")
    return (
        str(seq), entry.get("kind"), entry.get("ordered_at"), entry.get("committed_at"), entry.get("table"),
        key if key is None or isinstance(key, str) else canonical.write(key), entry.get("operation"), entry.get("version"),
        entry.get("prev"), transaction.get("id"), after or before, before if after and before and before != after else None,
        entry.get("offset"), entry.get("ordinal"), text, "\\x" + leaf,
    )  # fmt: skip


def given(rows: Iterable[Row], log: str = "trading", **more: object) -> Given:
    """What the verifier is given for these rows: size and edge as they are, entries again on demand."""
    rows = list(rows)
    edge = tuple(node.hex() for node in tree.edge([bytes.fromhex(leaf) for _, _, _, leaf in rows]))
    entries = [(str(seq), text, body) for seq, text, body, _ in rows]
    return Given(**{
        "log": log,
        "tree": StatedTree(f"{log}/1", len(rows), edge),
        "entries": [projected(seq, text, leaf) for seq, text, _, leaf in rows],
        "bodies": [(str(seq), body) for seq, _, body, _ in rows if body is not None],
        "entries_at": lambda seqs: [entry for entry in entries if int(entry[0]) in set(seqs)],
        **more,
    })  # fmt: skip


def findings(report: LogReport) -> list[tuple[int | None, str, str]]:
    """Seq, check, cause; without those about rows that a warehouse has beside the log."""
    return [(one.seq, one.check, one.cause) for one in report.findings if not one.cause.startswith("pipeline.")]


def judge(rows: Iterable[Row], log: str = "trading", **more: object) -> list[tuple[int | None, str, str]]:
    """What is found in these rows."""
    return findings(verify_log(given(rows, log, **{"findings": 1000, **more})))

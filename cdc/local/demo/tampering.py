"""Act 9: a database superuser tampers with the log, and verification says where."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from cdc.local.demo.claims import ClaimFailed, claim
from cdc.local.demo.forging import Superuser, Tamper, Victim, victim
from cdc.local.demo.stage import Stage
from cdc.warehouse.sqlstate import classify

TITLE = "A superuser tampers with the log"
_AT_A_TIME = 2
"""Clones that are verified at once."""


@dataclass(frozen=True, slots=True)
class Tampering:
    """What is done, in words and in SQL; the entry that the first finding must name (None: the whole log)."""

    what: str
    tamper: Tamper
    check: str
    entry: int | None = None
    fits: bool = False
    """Whether nothing within the warehouse contradicts it, so that only the saved checkpoint does."""


@dataclass(frozen=True, slots=True)
class Detected:
    """How many tamperings were made, and how many verification found."""

    made: int
    found: int


def play(stage: Stage, order: str) -> Detected:
    """Save a checkpoint, then tamper with one clone of the warehouse after the other, and verify each.

    Raises:
        ClaimFailed: verification does not say what was done.
    """
    kept = stage.settings.state / "checkpoint"
    stage.cdc("audit", "checkpoint", "--save", str(kept))
    one = victim(stage.settings.warehouse_auditor_dsn, order)
    with stage.beside("clone_untouched", "warehouse") as clone:
        claim(_verified(clone, kept)["verdict"] == "PASS", "the untouched log does not pass cdc audit verify")
    stage.say(
        "cdc audit checkpoint --save: each log's size and root, outside the warehouse."
        f" cdc audit verify: PASS, {one.size:,} entries"
    )
    stage.say(
        "then, each on a fresh clone, as superuser with triggers off (session_replication_role = replica): grants and"
        " triggers do not stop a superuser, the hashes give the change away"
    )
    tamperings = _tamperings(one, order)
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        tried = [pool.submit(_tried, stage, kept, one, number, each) for number, each in enumerate(tamperings)]
        try:
            for each in tried:
                stage.say(each.result())
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return Detected(len(tamperings), len(tried))


def _tamperings(one: Victim, order: str) -> list[Tampering]:
    edited = f"a price of order {order} becomes {one.forged} instead of {one.price}"
    return [
        Tampering(f"entry {one.seq:,}: {edited}", Superuser.edit_entry, "leaf", one.seq),
        Tampering("the same, its leaf hashed anew, current state edited alike", Superuser.edit_with_leaf, "tree"),
        Tampering("the same, the whole tree hashed anew", Superuser.edit_with_tree, "checkpoint", fits=True),
        Tampering(f"current state alone: {edited}", Superuser.edit_state, "state", one.seq),
        Tampering("the last entry is deleted", Superuser.delete_last, "seq", one.size - 1),
        Tampering(f"entries {one.seq:,} and {one.seq + 1:,} change places", Superuser.swap, "order", one.seq),
    ]


def _tried(stage: Stage, kept: Path, one: Victim, number: int, tampering: Tampering) -> str:
    """Tamper and verify; what was done, and what verification said."""
    with stage.beside(f"clone_{number + 1}", "warehouse") as clone:
        try:
            with closing(Superuser(clone.settings.warehouse_admin_dsn)) as superuser:
                tampering.tamper(superuser, one)
        except psycopg2.Error as error:
            raise classify(error, f"tampering: {tampering.what}") from None
        alone = _verified(clone)
        said = _finding(alone, tampering) if not tampering.fits else ""
        if tampering.fits:
            claim(
                alone["verdict"] == "PASS", f"{tampering.what}: {alone['verdict']}: the forgery does not fit together"
            )
            said = f"PASS without the saved checkpoint; with it {_finding(_verified(clone, kept), tampering)}"
    return f"{tampering.what} → {said}"


def _verified(clone: Stage, kept: Path | None = None) -> dict[str, Any]:
    """The report of ``cdc audit verify`` on trading."""
    with_checkpoint = ["--checkpoint", str(kept)] if kept else []
    said = clone.cdc("audit", "verify", "trading", *with_checkpoint, "--output", "json", codes=(0, 6))
    report: dict[str, Any] = json.loads(said)["logs"][0]
    return report


def _finding(report: dict[str, Any], tampering: Tampering) -> str:
    """The verdict, and the first of its findings that names what this tampering did.

    Raises:
        ClaimFailed: none does.
    """
    for found in report["findings"]:
        if found["check"] == tampering.check and tampering.entry in {None, found["seq"]}:
            return f"FAIL: {_said(found)}"
    said = "; ".join(_said(found) for found in report["findings"][:3]) or "no finding"
    raise ClaimFailed(f"not detected as what it is: {tampering.what}: {report['verdict']}, {said}")


def _said(found: dict[str, Any]) -> str:
    """A finding in the words of ``cdc audit verify``."""
    place = f"entry {found['seq']}" if found["seq"] is not None else None
    where = " ".join(filter(None, (place, found["table"], found["row_key"])))
    return ": ".join(filter(None, (where, found["check"], found["cause"])))

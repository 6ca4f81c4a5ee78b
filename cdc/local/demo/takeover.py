"""Act 3: an owner that stops without dying is replaced, and what it still holds in its hands is worth nothing."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from cdc.local.demo.claims import Standing, ask, claim, connected, standing
from cdc.local.demo.stage import Stage
from cdc.local.demo.traffic import Traffic
from cdc.local.demo.worker import Worker

TITLE = "An owner that stops without dying is replaced, and fenced"
_OWNED = """
SELECT seq, c ->> 'epoch', c ->> 'position', c ->> 'size', c ->> 'worker'
  FROM audit.entry, LATERAL (SELECT entry::jsonb #> '{content,detail}') AS detail (c)
 WHERE log = 'operations' AND entry::jsonb #>> '{content,name}' = 'stream-owned'
   AND c ->> 'log' = 'trading' AND (c ->> 'epoch')::bigint > %s ORDER BY seq
"""
"""Who took the stream since an owner's epoch, as the log ``operations`` says."""


@dataclass(frozen=True, slots=True)
class Failover:
    """Seconds from SIGSTOP until the spare owned the stream, and until it had committed."""

    owned_s: float
    committed_s: float


def play(stage: Stage, traffic: Traffic) -> Failover:
    """SIGSTOP the owner while a spare stands by and changes flow; SIGCONT it once the spare has gone on.

    Raises:
        ClaimFailed: nobody or somebody else took over, or the old owner wrote.
    """
    zombie = stage.workers["trading"]
    spare = stage.worker("trading-spare", "trading")
    stage.wait(lambda: spare.says("standing by"), "the spare to stand by")
    begun = standing(stage.settings, "trading").size
    stage.wait(lambda: standing(stage.settings, "trading").size > begun, "the owner to commit")
    zombie.signal(signal.SIGSTOP)
    changes = traffic.changes
    stage.say(f"a spare stands by: process {spare.pid}. SIGSTOP to the owner, process {zombie.pid}; changes go on")
    frozen, took = _taken(stage, spare)
    committed = took + stage.wait(
        lambda: standing(stage.settings, "trading").size > frozen.size, "the spare's first commit"
    )
    stage.say(
        f"the spare owns the stream after {took:.1f} s (the lease runs out 10 s after its last renewal) and goes on at"
        f" entry {frozen.size:,}; trading has committed {traffic.changes - changes:,} row changes meanwhile"
    )
    zombie.mark()
    zombie.signal(signal.SIGCONT)
    stage.wait(lambda: zombie.says("standing by"), "the old owner to stand by")
    stage.say(f"SIGCONT to the old owner: “{'”, “'.join(zombie.said[-2:])}”")
    stage.say(_wrote_nothing(stage, zombie, spare, frozen))
    return Failover(took, committed)


def _taken(stage: Stage, spare: Worker) -> tuple[Standing, float]:
    """Wait for the take-over; where the old owner left the stream, and the seconds it took."""
    seen = [standing(stage.settings, "trading")]

    def taken() -> bool:
        now = standing(stage.settings, "trading")
        if now.epoch == seen[0].epoch:
            seen.append(now)
        return now.epoch > seen[0].epoch and now.owned_by(spare.pid)

    took = stage.wait(taken, "the spare to take over")
    return seen[-1], took


def _wrote_nothing(stage: Stage, zombie: Worker, spare: Worker, frozen: Standing) -> str:
    """Hold the old owner's silence against the warehouse and against its own log."""
    taken = ask(stage.settings.warehouse_auditor_dsn, _OWNED, frozen.epoch)
    claim(len(taken) == 1, f"{len(taken)} take-overs since the owner was stopped, instead of one")
    seq, epoch, position, size, worker = taken[0]
    claim(
        (epoch, position, size) == (str(frozen.epoch + 1), str(frozen.position), str(frozen.size)),
        f"the spare began at offset {position}, entry {size}; the stopped owner had left the stream at"
        f" offset {frozen.position}, entry {frozen.size}",
    )
    claim(str(worker).endswith(f"/{spare.pid}"), "another process than the spare took over")
    now = standing(stage.settings, "trading")
    claim(now.owned_by(spare.pid) and now.fence == now.epoch == frozen.epoch + 1, "the spare lost the stream again")
    claim(not connected(stage.settings, frozen.backend), "the old owner's writing connection is still there")
    claim(zombie.says("owns stream trading (") is None, "the old owner owned the stream again")
    return (
        f"it wrote nothing: its writing connection is gone, and entries {frozen.size:,} to {now.size - 1:,} came under"
        f" owner's epoch {epoch}, which only process {spare.pid} has (log operations, entry {seq})"
    )

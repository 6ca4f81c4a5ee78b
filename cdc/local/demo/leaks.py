"""Act 5: the personal values that were planted are looked for, everywhere and in every spelling."""

from __future__ import annotations

from cdc.local.demo.stage import Stage
from cdc.local.workload import canaries

TITLE = "Planted personal data: in the sources, and nowhere else"


def play(stage: Stage, seed: int, passport: str) -> int:
    """Sweep for the workload's planted values and the passport; returns how many values were looked for.

    Raises:
        ClaimFailed: one is in clear somewhere, or is not even in the sources.
    """
    values = {canary.family: canary.value for canary in canaries(seed)} | {"passport": passport}
    stage.judge("leaks", str(stage.settings.path), given=values)
    stage.say("Kafka is the exception: its topics hold what Debezium sent, in clear, until their retention ends")
    return len(values)

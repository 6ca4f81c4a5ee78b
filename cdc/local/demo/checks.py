"""Act 6: source = Kafka = warehouse, judged by other code; and the same log once more, from the same topic."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cdc.local.demo.claims import ClaimFailed, ask
from cdc.local.demo.stage import SOURCES, Stage

TITLE = "Source, Kafka and warehouse agree, in the eyes of code that imports nothing of this project"


@dataclass(frozen=True, slots=True)
class Drain:
    """An empty warehouse filled from one topic: row changes, and seconds from owning the stream to the end."""

    changes: int
    seconds: float

    @property
    def rate(self) -> float:
        """Row changes per second."""
        return self.changes / self.seconds


def play(stage: Stage) -> Drain:
    """Have everything compared, then fill a second warehouse and compare the logs.

    Raises:
        ClaimFailed: something is not equal.
    """
    path = str(stage.settings.path)
    with ThreadPoolExecutor(len(SOURCES)) as pool:  # both sources at once, a process each
        for judged in [pool.submit(stage.judge, "evidence", path, source) for source in SOURCES]:
            judged.result()
    with stage.beside("warehouse_again") as again:
        again.cdc("migrate")
        drain = _drained(again)
        stage.say(
            "a second, empty warehouse, filled from the same topic by cdc replicate --until-caught-up:"
            f" {drain.changes:,} row changes in {drain.seconds:.1f} s, {drain.rate:,.0f}/s with every protection on"
            " (its keys and tokens existed)"
        )
        stage.judge("again", path, str(again.settings.path), "trading")
    return drain


def _drained(again: Stage) -> Drain:
    """Run a worker to the end of the topic, and take its time from where it owns the stream."""
    command = [sys.executable, "-m", "cdc", "replicate", "trading", "--until-caught-up", "--config"]
    with subprocess.Popen([*command, str(again.settings.path)], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            said = next((line for line in process.stderr if "owns stream" in line), "")
            began = time.monotonic()
            rest = process.stderr.read()
            process.wait()
            seconds = time.monotonic() - began
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0 or not said:
        raise ClaimFailed(f"filling a second warehouse failed: {(said + rest).strip().splitlines()[-1:]}")
    ((changes,),) = ask(
        again.settings.warehouse_auditor_dsn,
        "SELECT count(*) FROM audit.entry WHERE log = 'trading' AND kind = 'change'",
    )
    return Drain(changes, seconds)

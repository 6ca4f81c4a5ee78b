"""The whole story, on one screen."""

from __future__ import annotations

from collections.abc import Iterator

from cdc.local.demo import checks, column, flow, kill, leaks, life, next_commands, scoreboard, takeover, tampering
from cdc.local.demo.next_commands import Next
from cdc.local.demo.scoreboard import Score
from cdc.local.demo.settling import settle
from cdc.local.demo.stage import Stage
from cdc.local.demo.telling import Teller
from cdc.local.stack import Stack
from cdc.warehouse.status import streams

ACTS = (
    flow.TITLE, kill.TITLE, takeover.TITLE, column.TITLE, leaks.TITLE, checks.TITLE, life.TITLE, life.TITLE_AS_OF,
    tampering.TITLE, scoreboard.TITLE, next_commands.TITLE,
)  # fmt: skip


def play(stack: Stack, say: Teller, scale: float, seed: int) -> Next:
    """Play it on a new stack, up to the scoreboard; returns what the next commands are about.

    Raises:
        ClaimFailed: a claim does not hold; the message says which.
        CdcError: the stack does not come up, or something else that is no claim goes wrong.
    """
    act = _acts(say)
    next(act)
    stack.up(say)
    with Stage.of(stack, say) as stage:
        traffic = flow.play(stage, scale, seed)
        next(act)
        kill.play(stage, traffic)
        next(act)
        failover = takeover.play(stage, traffic)
        next(act)
        passport = column.play(stage)
        committed = settle(stage, traffic)
        next(act)
        swept = leaks.play(stage, seed, passport)
        next(act)
        drain = checks.play(stage)
        next(act)
        order = life.play(stage)
        next(act)
        instant = life.play_as_of(stage, order)
        next(act)
        detected = tampering.play(stage, order.number)
        found = tuple(streams(stage.settings.warehouse_auditor_dsn))
        score = Score(committed, found, failover, swept, len(stage.held), detected, drain)
    next(act)
    say.text(scoreboard.table(score, say.seconds))
    return Next(stack.state, order.number, instant, order.last_transaction)


def close(say: Teller, about: Next, *, kept: bool) -> None:
    """The last act, after the stack has been dealt with."""
    say.act(len(ACTS), ACTS[-1])
    for line in next_commands.lines(about, kept=kept):
        say.line(line)


def _acts(say: Teller) -> Iterator[None]:
    """Each step opens the next act."""
    for number, title in enumerate(ACTS, 1):
        say.act(number, title)
        yield

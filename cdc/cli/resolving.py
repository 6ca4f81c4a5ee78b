"""``cdc quarantine resolve`` and ``replay``: a person asks; the worker that owns the stream carries it out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.audit.options import config_option, unicode_text
from cdc.cli.completion import sources
from cdc.errors import CheckFailed, Conflict, NotFound

if TYPE_CHECKING:
    import psycopg2

    from cdc.warehouse.requests import How, Outcome

_LONGEST_REASON = 1000
_LOOK_S = 0.2
_source = click.argument("source", shell_complete=sources)
_wait = click.option(
    "--wait", "wait_s", type=click.FloatRange(0), default=60.0, show_default=True,
    help="Seconds to wait for the worker. What was asked stays asked.",
)  # fmt: skip


@click.command()
@_source
@click.argument("seq", type=click.IntRange(0))
@click.option("--reason", required=True, help="Why nothing is lost without it; it stands in the log for ever.")
@_wait
@config_option
def resolve(source: str, seq: int, reason: str, wait_s: float, path: Path | None) -> None:
    """Dismiss the record at SEQ: say that what it holds shall not count, and why.

    The worker that owns the stream writes an entry of kind resolved. The sealed bytes stay in the log.
    """
    _ask(source, [seq], "dismissed", _checked(reason), wait_s, path)


@click.command()
@_source
@click.argument("seq", type=click.IntRange(0), required=False)
@click.option("--all", "everything", is_flag=True, help="All records of SOURCE that are in quarantine, in their order.")
@click.option("--reason", help="Why it can be read by now; it stands in the log for ever.")
@_wait
@config_option
def replay(
    source: str, seq: int | None, everything: bool, reason: str | None, wait_s: float, path: Path | None
) -> None:
    """Decode the record at SEQ again, with the decoder and the policy of today, and take it as what it is.

    The worker that owns the stream does it. Exit code 6 when a record still cannot be read: it stays in quarantine.
    """
    if everything == (seq is not None):
        raise click.UsageError("either SEQ or --all")
    checked = None if reason is None else _checked(reason)
    _ask(source, None if seq is None else [seq], "replayed", checked, wait_s, path)


def _checked(reason: str) -> str:
    text = unicode_text(reason, "--reason")
    if not text.strip() or len(text) > _LONGEST_REASON or "\0" in text:
        raise click.BadParameter(f"between 1 and {_LONGEST_REASON} characters", param_hint="--reason")
    return text


def _ask(
    source: str, seqs: Sequence[int] | None, how: How, reason: str | None, wait_s: float, path: Path | None
) -> None:
    from cdc.warehouse import lease, requests

    settings = config.load(path)
    log = settings.source(unicode_text(source, "SOURCE")).name
    with closing(lease.connect(settings.warehouse_dsn, f"cdc quarantine {log}")) as connection:
        if seqs is None:
            with connection:
                seqs = sorted(requests.still_open(connection, log))
            if not seqs:
                click.echo(f"{log}: nothing is in quarantine", err=True)
        asked = {seq: requests.ask(connection, log, seq, how, reason) for seq in seqs}
        wrong = [seq for seq, request in asked.items() if request is None]
        if wrong:
            raise NotFound(
                f"entry {wrong[0]:,} of {log} is no record in quarantine", hint=f"cdc quarantine list {log} --all"
            )
        outcomes = _outcomes(connection, {seq: request for seq, request in asked.items() if request}, wait_s)
    refused = [seq for seq in sorted(asked) if _told(log, seq, how, outcomes.get(seq))]
    if len(outcomes) < len(asked):
        raise Conflict(
            f"{len(asked) - len(outcomes)} of {len(asked)} not carried out within {wait_s:g} s; they stay asked",
            hint=f"cdc status: does a worker own stream {log}, and is it between two transactions?",
        )
    if refused:
        raise CheckFailed(
            f"{len(refused)} of {len(asked)} stay in quarantine", hint=f"cdc quarantine resolve {log} {refused[0]}"
        )


def _outcomes(connection: psycopg2.extensions.connection, asked: dict[int, int], wait_s: float) -> dict[int, Outcome]:
    """What came of the requests within the time; those that nobody has carried out by then are missing."""
    from cdc.warehouse import requests

    found: dict[int, Outcome] = {}
    ends = time.monotonic() + wait_s
    while True:
        for seq in asked.keys() - found.keys():
            came_of_it = requests.outcome(connection, asked[seq])
            if came_of_it is not None:
                found[seq] = came_of_it
        if len(found) == len(asked) or time.monotonic() >= ends:
            return found
        time.sleep(_LOOK_S)


def _told(log: str, seq: int, how: str, came_of_it: Outcome | None) -> bool:
    """Say what came of one; whether it was refused."""
    if came_of_it is None:
        return False
    if came_of_it.refused is not None:
        click.echo(f"{log}: entry {seq:,} stays in quarantine: {came_of_it.refused}", err=True)
        return True
    by = "" if came_of_it.seq is None else f" (entry {came_of_it.seq:,})"
    click.echo(f"{log}: entry {seq:,} is {how}{by}", err=True)
    return False

"""``cdc audit verify``: whether the log is what it must be, and what it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config

if TYPE_CHECKING:
    from cdc.audit.verification import Verification
    from cdc.audit.verify import Checkpoint, Finding

_LONGEST_KEY = 60
"""Characters of a row key that the table shows."""


@click.command()
@click.argument("logs", nargs=-1, metavar="[LOG]...")
@click.option(
    "--checkpoint",
    "files",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    help="A file of `cdc audit checkpoint --save`: each log in it must continue it. Can be given several times.",
)
@click.option(
    "--findings", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many to show for each log."
)
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="Configuration file; default: $CDC_CONFIG, ./cdc.toml, ./.cdc/cdc.toml.",
)
def verify(logs: tuple[str, ...], files: tuple[Path, ...], findings: int, output: str, path: Path | None) -> None:
    """Check LOG (all logs by default): each entry, the tree, columns, chains, transactions, and current state.

    A second reader derives everything again from the entries' bytes, in one snapshot; a worker may write meanwhile.
    PASS: all of it holds. FAIL: the first bad entries, and why. INCOMPLETE: something could not be checked, or there
    was nothing to check. Exit code 0 for PASS only, else 6.

    Without a checkpoint kept elsewhere, a log that was rewritten together with its tree passes.
    """
    from cdc.audit import checkpoints
    from cdc.audit.snapshot import open_snapshot
    from cdc.audit.verification import verify as verify_warehouse
    from cdc.cli.audit.progress import Bar

    settings = config.load(path)
    kept: list[Checkpoint] = []
    signed = False
    for file in files:
        found, has_signatures = checkpoints.read(file)
        kept += found
        signed |= has_signatures
    with open_snapshot(settings.warehouse_auditor_dsn, name="cdc audit verify") as snapshot:
        stated = snapshot.logs()
        with Bar({log: tree.size for log, tree in stated.items() if tree and (not logs or log in logs)}) as bar:
            done = verify_warehouse(snapshot, logs, kept, findings, bar.advance)
    notes = _notes(done, kept, signed=signed)
    if output == "json":
        click.echo(json.dumps(_document(done, notes), indent=2, ensure_ascii=False))
    else:
        _print(done, notes)
    if done.verdict != "PASS":
        raise SystemExit(6)


def _notes(done: Verification, kept: list[Checkpoint], *, signed: bool) -> list[str]:
    """What of the checkpoint files was not used."""
    scope = {report.log for report in done.logs}
    notes = [f"the checkpoint of {one.origin}: that log is not in the scope" for one in kept if one.log not in scope]
    if signed:
        notes.append("signatures in the checkpoint file")
    return notes


def _document(done: Verification, notes: list[str]) -> dict[str, object]:
    return {
        "verdict": done.verdict,
        "entries": done.entries,
        "seconds": round(done.seconds, 3),
        "not_checked": notes,
        "logs": [
            {
                "log": report.log,
                "origin": report.origin,
                "verdict": report.verdict,
                "entries": report.entries,
                "findings": [_finding(finding) for finding in report.findings],
                "findings_in_all": report.found,
                "checked": dict(report.checked),
                "incomplete": report.incomplete,
                "not_checked": report.unchecked,
            }
            for report in done.logs
        ],
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "seq": finding.seq,
        "table": finding.table,
        "row_key": finding.row_key,
        "kafka_offset": None if finding.offset is None else int(finding.offset),
        "check": finding.check,
        "cause": finding.cause,
    }


def _print(done: Verification, notes: list[str]) -> None:
    for report in done.logs:
        click.echo(f"{report.verdict:<10}  {report.origin or report.log}: {report.entries:,} entries")
        for finding in report.findings:
            click.echo(f"  {_place(finding)}: {finding.check}: {finding.cause}")
        if report.found > len(report.findings):
            click.echo(f"  … {report.found:,} findings in all, the first {len(report.findings)} shown")
        for what in report.incomplete:
            click.echo(f"  could not be checked: {what}")
    click.echo("\nchecked")
    counts: dict[str, int] = {}
    for report in done.logs:
        for what, count in report.checked:
            counts[what] = counts.get(what, 0) + count
    for what, count in counts.items():
        if count:
            click.echo(f"  {count:>12,}  {what}")
    click.echo("\nnot checked")
    for what in dict.fromkeys([*(what for report in done.logs for what in report.unchecked), *notes]):
        click.echo(f"  {what}")
    rate = done.entries / done.seconds if done.seconds else 0
    click.echo(f"\n{done.verdict}: {done.entries:,} entries in {done.seconds:.1f} s, {rate:,.0f} entries/s")


def _place(finding: Finding) -> str:
    """Where it is: entry, table, row key, Kafka offset."""
    parts = ["the log" if finding.seq is None and finding.table is None else ""]
    if finding.seq is not None:
        parts.append(f"entry {finding.seq}")
    if finding.table is not None:
        parts.append(finding.table)
    if finding.row_key is not None:
        key = finding.row_key
        parts.append(key if len(key) <= _LONGEST_KEY else key[:_LONGEST_KEY] + "…")
    if finding.offset is not None:
        parts.append(f"offset {finding.offset}")
    return " ".join(part for part in parts if part)

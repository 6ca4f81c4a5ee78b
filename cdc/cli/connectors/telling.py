"""What ``cdc connectors init`` says of what it has decided, on standard error."""

from __future__ import annotations

from pathlib import Path

import click

from cdc.cli.connectors.enrolment import Enrolment


def tell(enrolment: Enrolment) -> None:
    """What is captured, what is not and why, what was written and what was kept."""
    name = enrolment.definition.name
    tables = f"{enrolment.captured} tables of database {enrolment.login.database}"
    click.echo(f"{name}: {tables} will be captured", err=True)
    for reason in enrolment.left_out:
        click.echo(f"{name}: not captured: {reason}", err=True)
    for path in enrolment.files:
        click.echo(f"{name}: wrote {short(path)}", err=True)
    for path in enrolment.kept:
        click.echo(f"{name}: kept {short(path)}, which was edited (--force writes it anew)", err=True)
    if not enrolment.files and not enrolment.kept:
        click.echo(f"{name}: every file is as it would be written", err=True)


def short(path: Path) -> str:
    """A path as a person types it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)

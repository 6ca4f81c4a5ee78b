"""``cdc audit``: the auditor's questions, a file each."""

from __future__ import annotations

import click

from cdc.cli.lazy import LazyGroup

QUESTIONS = {
    "history": ("cdc.cli.audit.history:history", "One row's whole life."),
    "as-of": ("cdc.cli.audit.as_of:as_of", "A table as it was at an instant."),
    "transaction": ("cdc.cli.audit.transaction:transaction", "Everything that one source transaction changed."),
    "verify": ("cdc.cli.audit.verify:verify", "Check the log: entries, tree, chains, counts, current state."),
    "checkpoint": ("cdc.cli.audit.checkpoint:checkpoint", "Save size and root of the logs, for a later verify."),
}


@click.group(cls=LazyGroup, places=QUESTIONS)
def audit() -> None:
    """What happened, when, in which transaction; and whether the log is still what it was."""

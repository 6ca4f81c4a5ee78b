"""``cdc connectors delete``: take a connector out of Kafka Connect, and say what of it stays where."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.accept_gap import demand_consent
from cdc.cli.connectors.cluster import cluster_options, one_name, opened, reason_option, timeout_option, yes_option
from cdc.cli.connectors.recording import Act, recorded
from cdc.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connectors.client import ConnectClient
    from connectors.model import ConnectorStatus


@click.command()
@one_name
@click.option("--keep-offsets", is_flag=True, help="A later connector of this name goes on where this one was.")
@click.option("--reset-offsets", is_flag=True, help="A later connector of this name begins with a new snapshot.")
@timeout_option
@reason_option
@yes_option
@cluster_options
def delete(
    name: str,
    keep_offsets: bool,
    reset_offsets: bool,
    timeout_s: float,
    reason: str | None,
    yes: bool,
    path: Path | None,
    context: str | None,
) -> None:
    """Delete connector NAME. Shows its stored offsets, and wants to know what becomes of them.

    What it leaves in the source database (slot, publication) is named with the SQL that drops it; nothing is dropped.
    One that is not there is deleted already: exit code 0.
    """
    from connectors.apply import present
    from connectors.lifecycle import Patience
    from connectors.lifecycle import delete as delete_it
    from connectors.plan import digest

    settings = config.load(path, context)
    with opened(settings) as client:
        live = present(client, name)
        if live is None:
            click.echo(f"{name}: Kafka Connect has no such connector; nothing to do", err=True)
            return
        status = client.status(name)
        _show(status, live, _offsets(client, name))
        if keep_offsets == reset_offsets:
            raise ConfigError(
                f"{name}: stored offsets outlive the connector: say what becomes of them",
                hint=f"cdc connectors delete {name} --keep-offsets, or --reset-offsets",
            )
        demand_consent(yes)
        act = Act("delete", name, before=digest(live), more={"offsets": "reset" if reset_offsets else "kept"})
        with recorded(settings, act, reason):
            patience = Patience(timeout_s, lambda line: click.echo(line, err=True))
            delete_it(client, status, patience, reset_offsets=reset_offsets)
            act.outcome = "deleted"
    click.echo(f"{name}: deleted; its offsets {'are gone' if reset_offsets else 'stay'}", err=True)
    _tell_remains(live)


def _offsets(client: ConnectClient, name: str) -> Sequence[str]:
    """Stored offsets in lines. That they cannot be read keeps nobody from deleting the connector."""
    from connectors.errors import ConnectorError, Unreachable
    from connectors.lifecycle import offset_lines

    try:
        return offset_lines(client.offsets(name)) or ("none",)
    except Unreachable:
        raise
    except ConnectorError as error:
        return (f"cannot be read: {error}",)


def _show(status: ConnectorStatus, live: Mapping[str, str], offsets: Sequence[str]) -> None:
    from connectors.plan import writes_to

    topics = ", ".join(sorted(writes_to(live))) or "unknown"
    click.echo(f"{status.name}: {status.state}, {len(status.tasks)} tasks, topic {topics} (which stays)", err=True)
    for line in offsets:
        click.echo(f"  stored offset  {line}", err=True)


def _tell_remains(live: Mapping[str, str]) -> None:
    from connectors.lifecycle import remains

    for what, sql in remains(live):
        click.echo(f"  stays in the source: {what}", err=True)
        click.echo(f"    {sql}", err=True)

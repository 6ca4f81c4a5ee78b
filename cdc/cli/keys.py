"""``cdc keys``: the keyring and the privacy store's keys."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cdc import config

_config = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file; default: $CDC_CONFIG, ./cdc.toml, ./.cdc/cdc.toml.",
)
_HELD = {
    "kek": "key-encryption keys",
    "secret": "index and salt keys",
    "subject": "subjects",
    "data_key": "data keys",
    "token": "tokens",
}


@click.group()
def keys() -> None:
    """The keyring file (the root key) and the privacy store (everything wrapped under it)."""


@keys.command()
@_config
def init(config_path: Path | None) -> None:
    """Set up the privacy store and make the keyring. Repeatable: what is there stays."""
    from governance.setup import set_up

    settings = config.load(config_path)
    done = set_up(settings.privacy_admin_dsn, settings.keyring)
    for name in done.applied:
        click.echo(f"privacy store: {name} applied", err=True)
    if done.keyring_created:
        click.echo(
            f"keyring: {settings.keyring} made. Keep a copy, apart from the privacy store's backups: without it",
            err=True,
        )
        click.echo("  nobody reads a protected value again; with it and the store, anybody does.", err=True)
    click.echo(f"ready: key-encryption key of epoch {done.epoch}", err=True)


@keys.command()
@_config
@click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def status(config_path: Path | None, output: str) -> None:
    """Check that keyring and store belong together, and show how much the store holds. Shows no key."""
    from governance import store
    from governance.connection import StoreConnection
    from governance.keys import Keys
    from governance.roots import keyring

    settings = config.load(config_path)
    root = keyring.load(settings.keyring)
    connection = StoreConnection(settings.privacy_dsn, application_name="cdc keys status")
    try:
        mark = Keys(connection, root).mark
        held = connection.run(store.counts)
    finally:
        connection.close()
    if output == "json":
        document = {"keyring": str(settings.keyring), "identity": mark.identity, "high_water": mark.high_water}
        click.echo(json.dumps(document | {"held": held}, indent=2))
        return
    click.echo(f"keyring        {settings.keyring}: opens the store's keys")
    click.echo(f"privacy store  {mark.identity}, high-water {mark.high_water}")
    for table, what in _HELD.items():
        click.echo(f"{held[table]:>13}  {what}")

"""``cdc migrate``: schemas, roles and grants of the warehouse and the privacy store."""

from __future__ import annotations

from pathlib import Path

import click

from cdc import config


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="Configuration file; default: $CDC_CONFIG, ./cdc.toml, ./.cdc/cdc.toml.",
)
def migrate(path: Path | None) -> None:
    """Bring the warehouse and the privacy store to the newest version. Safe to repeat."""
    from cdc.warehouse.migrate import migrate as migrate_warehouse
    from governance.setup import set_up

    settings = config.load(path)
    applied = migrate_warehouse(settings.warehouse_admin_dsn)
    click.echo(f"warehouse: {', '.join(applied) or 'up to date'}", err=True)
    store = set_up(settings.privacy_admin_dsn, settings.keyring)
    click.echo(f"privacy store: {', '.join(store.applied) or 'up to date'}", err=True)
    if store.keyring_created:
        click.echo(f"keyring: made {settings.keyring}; back it up apart from the databases", err=True)

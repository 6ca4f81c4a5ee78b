"""``cdc migrate``: schemas, roles and grants of the warehouse and the privacy store."""

from __future__ import annotations

from pathlib import Path

import click

from cdc import config


@click.command()
@click.option("--config", "path", type=click.Path(path_type=Path), help="Configuration file; default: $CDC_CONFIG, ./cdc.toml, ./.cdc/cdc.toml.")
def migrate(path: Path | None) -> None:
    """Bring the warehouse and the privacy store to the newest version. Safe to repeat."""
    from cdc.warehouse.migrate import migrate as migrate_warehouse
    from governance.migrate import migrate as migrate_privacy

    settings = config.load(path)
    for name, applied in (
        ("warehouse", migrate_warehouse(settings.warehouse_admin_dsn)),
        ("privacy store", migrate_privacy(settings.privacy_admin_dsn)),
    ):
        click.echo(f"{name}: {', '.join(applied) if applied else 'up to date'}", err=True)

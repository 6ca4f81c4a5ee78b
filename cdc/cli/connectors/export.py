"""``cdc connectors export``: what runs, as files without secrets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.connectors.cluster import cluster_options, names_argument, opened, picked
from cdc.errors import ConfigError, Conflict

if TYPE_CHECKING:
    from connectors.client import ConnectClient
    from connectors.export import Exported
    from connectors.model import ConnectorInfo


@click.command()
@names_argument
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write NAME.yaml into it; default: standard output.",
)
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.option("--raw", is_flag=True, help="In the form of Connect's REST interface, not as definitions.")
@cluster_options
def export(
    names: tuple[str, ...], folder: Path | None, force: bool, raw: bool, path: Path | None, context: str | None
) -> None:
    """Write existing connectors (all of Kafka Connect, or those named) as definitions, without secrets.

    A secret that stands in plain is replaced by a reference and named on standard error. What no definition can say,
    such as a connector of another kind, is written in the form of Connect's REST interface.
    """
    settings = config.load(path, context)
    with opened(settings) as client:
        found = client.connectors()
        chosen = picked(settings, found, names, everything=False) if names else found
        exported = [_export(client, info, raw=raw) for info in chosen]
    for each in exported:
        if each.replaced:
            told = ", ".join(f"{setting} → {reference}" for setting, reference in each.replaced.items())
            click.echo(f"{each.name}: a secret stood in plain: {told}", err=True)
        for note in each.notes:
            click.echo(f"{each.name}: {note}", err=True)
    if folder is None:
        click.echo("---\n".join(each.text for each in exported), nl=False)
        return
    for each in exported:
        _write(folder, each, force=force)


def _export(client: ConnectClient, info: ConnectorInfo, *, raw: bool) -> Exported:
    from connectors.errors import ConnectorError
    from connectors.export import export as exported

    try:
        secrets = client.secret_settings(info.config.get("connector.class", ""))
    except ConnectorError:
        secrets = None
    return exported(info.name, info.config, secrets, raw=raw)


def _write(folder: Path, each: Exported, *, force: bool) -> None:
    from urllib.parse import quote

    file = folder / f"{quote(each.name, safe='')}.yaml"
    if file.exists() and not force:
        raise Conflict(f"{file} exists", hint="--force, or another --folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(each.text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from None
    click.echo(f"{each.name}: wrote {file}", err=True)

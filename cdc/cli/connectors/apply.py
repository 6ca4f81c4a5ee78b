"""``cdc connectors apply``: what is defined becomes what runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.completion import sources
from cdc.errors import ConfigError

if TYPE_CHECKING:
    from connectors.definition import Definition
    from connectors.secrets import SecretLookup


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=sources)
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="Configuration file; default: $CDC_CONFIG, ./cdc.toml, ./.cdc/cdc.toml.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=1),
    default=120,
    show_default=True,
    help="Seconds to wait for each.",
)
def apply(names: tuple[str, ...], path: Path | None, timeout_s: float) -> None:
    """Create or update connectors (all, or those named) and wait until every task runs.

    The source database is looked at first: one that would lose evidence is refused, with the SQL that mends it.
    Repeating it changes nothing.
    """
    from connectors.apply import apply as apply_one
    from connectors.check import demand_fit
    from connectors.client import ConnectClient

    settings = config.load(path)
    for name in () if names else settings.unfinished:
        click.echo(f"{name}: not applied: it has no policy yet (cdc policy init {name})", err=True)
    chosen = names or tuple(name for name in settings.sources if name not in settings.unfinished)
    definitions = [_definition(settings.source(name)) for name in chosen]
    secrets = _secrets(settings)
    with ConnectClient(settings.connect_url) as client:
        for definition in definitions:
            dsn = settings.source(definition.name).dsn
            for finding in demand_fit(definition, dsn) if dsn is not None else ():
                click.echo(f"{definition.name}: warning: {finding.problem}", err=True)
            outcome = apply_one(
                client, definition, secrets, timeout_s=timeout_s, report=lambda line: click.echo(line, err=True)
            )
            click.echo(f"{outcome.name}: {outcome.action}; running, into topic {definition.topic}", err=True)


def _definition(source: config.SourceConfig) -> Definition:
    from connectors.definition import load

    definition = load(source.definition)
    for setting, here, there in (("name", source.name, definition.name), ("topic", source.topic, definition.topic)):
        if here != there:
            raise ConfigError(
                f"{source.definition}: {setting} is {there!r}, but the configuration file says {here!r}",
                hint="make both the same: the replicator reads what the connector writes",
            )
    return definition


def _secrets(settings: config.Config) -> SecretLookup:
    from connectors.secrets import in_folder

    try:
        return in_folder(settings.state / "secrets")
    except ValueError as error:
        raise ConfigError(f"{settings.path}: {error}") from None

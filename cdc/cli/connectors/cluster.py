"""What the commands of ``cdc connectors`` share: which Connect cluster, which definitions, which connectors."""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cdc import config
from cdc.cli.completion import connector_names
from cdc.errors import ConfigError, NotFound

if TYPE_CHECKING:
    from connectors.client import ConnectClient
    from connectors.definition import Definition
    from connectors.model import ConnectorInfo
    from connectors.secrets import SecretLookup

_F = TypeVar("_F", bound=Callable[..., Any])

names_argument = click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=connector_names)
one_name = click.argument("name", shell_complete=connector_names)
timeout_option = click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=1),
    default=120,
    show_default=True,
    help="Seconds to wait for each.",
)
reason_option = click.option("--reason", help="Why; it stands in the log `operations`.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def cluster_options(command: _F) -> _F:
    """``--config`` and ``--context``."""
    where = click.option(
        "--config",
        "path",
        type=click.Path(path_type=Path),
        help="Configuration file; default: $CDC_CONFIG, ./cdc.toml, ./.cdc/cdc.toml.",
    )
    which = click.option("--context", help="Which Connect cluster, [connect.contexts.NAME]; default: $CDC_CONTEXT.")
    return where(which(command))


def opened(settings: config.Config, timeout_s: float = 100) -> ConnectClient:
    """A client of the Connect cluster that was chosen; a context manager.

    Raises:
        ConfigError: a credential's file or variable is missing.
        ConnectorError: a URL or a certificate cannot be used.
    """
    from cdc.connect_client import opened as client

    return client(settings, timeout_s=timeout_s)


def installation(settings: config.Config) -> str:
    """Who marks connectors here: ``[connect] installation``, else made of where the warehouse is."""
    from psycopg2.extensions import parse_dsn

    if settings.connect.installation is not None:
        return settings.connect.installation
    parts = parse_dsn(settings.warehouse_dsn)
    place = f"{parts.get('host', '')}:{parts.get('port', '')}/{parts.get('dbname', '')}"
    return "cdc-" + hashlib.sha256(place.encode()).hexdigest()[:12]


def definitions(settings: config.Config, names: Sequence[str]) -> list[Definition]:
    """The definitions of these sources, or of all that have a policy; who has none is named on standard error.

    Raises:
        NotFound, ConfigError, ConnectorError: no such source, a definition is wrong. Nothing was opened.
    """
    for name in () if names else settings.unfinished:
        click.echo(f"{name}: not applied: it has no policy yet (cdc policy init {name})", err=True)
    chosen = names or [name for name in settings.sources if name not in settings.unfinished]
    return [definition(settings.source(name)) for name in dict.fromkeys(chosen)]


def definition(source: config.SourceConfig) -> Definition:
    """The definition of one source.

    Raises:
        ConfigError: name or topic differ from the configuration file's.
        ConnectorError: the file is wrong.
    """
    from connectors.definition import load

    found = load(source.definition)
    for setting, here, there in (("name", source.name, found.name), ("topic", source.topic, found.topic)):
        if here != there:
            raise ConfigError(
                f"{source.definition}: {setting} is {there!r}, but the configuration file says {here!r}",
                hint="make both the same: the replicator reads what the connector writes",
            )
    return found


def secrets(settings: config.Config) -> SecretLookup:
    """Where ``${secret:…}`` of definitions is kept.

    Raises:
        ConfigError: the folder's path cannot be expressed as a reference.
    """
    from connectors.secrets import in_folder

    try:
        return in_folder(settings.state / "secrets")
    except ValueError as error:
        raise ConfigError(f"{settings.path}: {error}") from None


def ours(settings: config.Config, found: Iterable[ConnectorInfo]) -> list[ConnectorInfo]:
    """The connectors of this installation: those of its sources, and those that carry its mark."""
    from connectors.plan import INSTALLATION

    mark = installation(settings)
    return [info for info in found if info.name in settings.sources or info.config.get(INSTALLATION) == mark]


def picked(
    settings: config.Config, found: Sequence[ConnectorInfo], names: Sequence[str], *, everything: bool
) -> list[ConnectorInfo]:
    """The connectors that are named: whole names of any, patterns (``*``, ``?``, ``[…]``) and ``--all`` of our own.

    Raises:
        ConfigError: neither names nor ``--all``, or both.
        NotFound: a name or pattern that no connector has.
    """
    if bool(names) == everything:
        raise ConfigError("name connectors, or give --all", hint="cdc connectors list")
    own = ours(settings, found)
    if everything:
        return own
    by_name = {info.name: info for info in found}
    chosen: dict[str, ConnectorInfo] = {}
    for name in names:
        matching = [by_name[name]] if name in by_name else [i for i in own if fnmatch.fnmatchcase(i.name, name)]
        if not matching:
            raise NotFound(f"Kafka Connect has no connector {name!r}", hint="cdc connectors list")
        chosen |= {info.name: info for info in matching}
    return list(chosen.values())

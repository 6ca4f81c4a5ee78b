"""``cdc connectors rollback``: put back the configuration that the last apply replaced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.connectors.apply import keep, previous
from cdc.cli.connectors.cluster import cluster_options, installation, one_name, opened, reason_option, timeout_option
from cdc.cli.connectors.planning import lines
from cdc.cli.connectors.recording import Act, recorded
from cdc.errors import ConfigError, NotFound

if TYPE_CHECKING:
    from connectors.plan import Desired


@click.command()
@one_name
@timeout_option
@reason_option
@cluster_options
def rollback(name: str, timeout_s: float, reason: str | None, path: Path | None, context: str | None) -> None:
    """Put back the configuration of NAME that `cdc connectors apply` replaced last, and wait until every task runs.

    The definition stays as it is, so the next apply brings the newer configuration again. A second rollback undoes the
    first. Only what was replaced from this folder is known here.
    """
    from connectors.apply import Options, Planned, bring, present
    from connectors.plan import Change, Plan, differences, digest, settings_between

    settings = config.load(path, context)
    wanted = _previous(settings, name)
    with opened(settings) as client:
        live = present(client, name)
        if live is None:
            raise NotFound(f"Kafka Connect has no connector {name!r}", hint=f"cdc connectors apply {name}")
        if not differences(live, wanted.config):
            click.echo(f"{name}: it has that configuration already; nothing to do", err=True)
            return
        change = Change(name, "update", wanted.topic, settings_between(live, wanted.config))
        click.echo("\n".join(lines(Plan((change,)))), err=True)
        act = Act("rollback", name, before=digest(live), after=digest(wanted.config))
        with recorded(settings, act, reason):
            options = Options(
                timeout_s,
                installation(settings),
                planned=Planned(live),
                keep=lambda replaced: keep(settings, name, replaced),
            )
            act.outcome = bring(client, wanted, options, lambda line: click.echo(line, err=True)).action
    click.echo(f"{name}: rolled back; running", err=True)


def _previous(settings: config.Config, name: str) -> Desired:
    from connectors.plan import Desired, unmarked, writes_to

    settings.source(name)
    file = previous(settings, name)
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFound(f"{name}: no apply from here has replaced a configuration of it ({file})") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: cannot be read: {type(error).__name__}") from None
    if not isinstance(read, dict) or not all(isinstance(value, str) for value in read.values()):
        raise ConfigError(f"{file}: not a configuration")
    return Desired(name, min(writes_to(read), default=name), unmarked(read))

"""``cdc connectors check``: sources, connectors, Kafka and Connect; and the SQL that mends a source."""

from __future__ import annotations

from pathlib import Path

import click

from cdc import config
from cdc.cli.checking import answered, strict_option
from cdc.cli.completion import sources
from cdc.cli.connectors.cluster import cluster_options
from cdc.cli.output import output_option
from cdc.errors import ConfigError


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=sources)
@click.option(
    "--fix-sql",
    is_flag=True,
    help="Print the SQL that mends the source NAME, for psql, and nothing else: what findings carry, and the role that"
    " Debezium needs.",
)
@strict_option
@output_option
@cluster_options
def check(
    names: tuple[str, ...], fix_sql: bool, strict: bool, output: str, path: Path | None, context: str | None
) -> None:
    """Look at source databases and the connectors on Kafka Connect (all, or those named), and at Kafka, for what could
    lose or change evidence: each known way by name. Reads only.

    Each finding says why it matters and what mends it; docs/checks.md lists all that can be found. Exit code 6 when
    there is an error, 5 when no part answers. `cdc connectors apply` refuses a source with an error.
    """
    settings = config.load(path, context)
    if fix_sql:
        click.echo(_script(settings, names), nl=False)
        return
    raise SystemExit(answered(settings, names, output, everything=False, strict=strict))


def _script(settings: config.Config, names: tuple[str, ...]) -> str:
    """Through the connector's own role; where that cannot log in, through the administrator's, which sees more."""
    from connectors.check import mending
    from connectors.check import source as look
    from connectors.definition import load
    from connectors.errors import Unreachable

    chosen = names or tuple(settings.sources)
    if len(chosen) != 1:
        raise ConfigError("--fix-sql writes for one source", hint=f"name one of {', '.join(settings.sources)}")
    source = settings.source(chosen[0])
    definition = load(source.definition)
    if source.dsn is None:
        raise ConfigError(f"source {source.name} has no dsn", hint=f"dsn = … under [sources.{source.name}]")
    dsn, through_admin = source.dsn, False
    try:
        found = look(definition, dsn)
    except Unreachable:
        if source.admin_dsn is None:
            raise
        dsn, through_admin = source.admin_dsn, True
        role = None if definition.kind == "mariadb" else mending.role_of(source.dsn)
        found = look(definition, dsn, role=role)
    if definition.kind == "mariadb":
        return mending.plain(found)
    if through_admin:
        found = tuple(finding for finding in found if not finding.code.startswith("role_"))
    return mending.script(definition, mending.role_of(source.dsn), mending.captured(definition, dsn), found)

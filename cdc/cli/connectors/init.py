"""``cdc connectors init``: everything that capturing a database needs, written from its catalog."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from cdc import config
from cdc.cli.connectors.enrolment import Enrolment, enrol
from cdc.cli.connectors.telling import short, tell
from cdc.cli.source_files import Places, places, write
from cdc.config import Config
from cdc.errors import ConfigError, Conflict
from connectors import inventory as inventories
from connectors import scram
from connectors.check import demand_fit
from connectors.preparation_run import run


@click.command()
@click.argument("name")
@click.option(
    "--dsn",
    envvar="CDC_SOURCE_DSN",
    show_envvar=True,
    help="The database, as a superuser or its owner: a libpq connection string or URL, or mariadb://…; `-` reads"
    " standard input."
    " A command line shows in the process list, so give one with a password through the variable or standard input.",
)
@click.option(
    "--schema", "schemas", multiple=True, help="Capture this schema only; repeatable. Default: all that have tables."
)
@click.option(
    "--role",
    help="The role that Debezium connects as; default: cdc_NAME, which the SQL makes. For one that exists put its"
    " password in $CDC_CONNECTOR_PASSWORD.",
)
@click.option(
    "--apply-sql", is_flag=True, help="Show the SQL on standard output, run it with the DSN, and check the result."
)
@click.option("--force", is_flag=True, help="Write every file anew, edited ones too.")
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="Configuration file; default: $CDC_CONFIG, ./cdc.toml, ./.cdc/cdc.toml.",
)
def init(
    name: str,
    dsn: str | None,
    schemas: tuple[str, ...],
    role: str | None,
    apply_sql: bool,
    force: bool,
    path: Path | None,
) -> None:
    """Prepare a PostgreSQL (13 or later) or MariaDB database as the source NAME, from its catalog. Reads no row.

    A DSN of MariaDB's is mariadb://root:PASSWORD@HOST:PORT/DATABASE; it captures that database, or those of --schema.

    Writes beside the configuration file: sources/NAME/definition.yaml (what is captured), sources/NAME/NAME.sql (what
    a superuser runs in the database), sources/NAME/source.toml (which makes NAME known to every command) and
    secrets/NAME.properties (the connector's password, for Connect).

    Repeating it changes nothing, and keeps what you have edited.
    """
    settings = config.load(path)
    config.demand_source_name(name)
    where = places(settings, name)
    _demand_free(settings, name, where)
    dsn = _dsn(dsn)
    if dsn.startswith("mariadb://"):
        from cdc.cli.connectors.mariadb_init import init as init_maria

        init_maria(settings, name, dsn, schemas, role, where, apply_sql=apply_sql, force=force)
        return
    with inventories.opened(dsn, "the database") as connection:
        inventory = inventories.read(connection)
        if inventory.server.standby:
            raise Conflict("the server is a standby: what captures it is made on the primary", hint="give its primary")
        if apply_sql and inventory.server.wal_level != "logical":
            raise Conflict(
                f"wal_level is {inventory.server.wal_level}: nothing can be captured, so nothing was written or run",
                hint="ALTER SYSTEM SET wal_level = 'logical', restart the server, then this again; without --apply-sql"
                " the files are written now",
            )
        password = os.environ.get("CDC_CONNECTOR_PASSWORD")
        enrolment = enrol(name, where, inventory, connection.info, schemas, role, password, force=force)
        write(enrolment.files)
        tell(enrolment)
        if apply_sql:
            click.echo(scram.masked(enrolment.sql))
            count = run(connection, enrolment.sql, short(where.sql))
            click.echo(f"{name}: {count} paragraphs of {short(where.sql)} done", err=True)
    if apply_sql:
        for finding in demand_fit(enrolment.definition, enrolment.login.dsn):
            click.echo(f"{name}: warning: {finding.problem}", err=True)
        click.echo(f"{name}: the database is fit to be captured", err=True)
    _tell_next(name, where, enrolment, applied=apply_sql)


def _demand_free(settings: Config, name: str, where: Places) -> None:
    source = settings.sources.get(name)
    if source is not None and source.declared != where.declaration:
        raise Conflict(f"{source.declared}: there is a source {name} already", hint="choose another NAME")


def _dsn(given: str | None) -> str:
    if given == "-":
        given = sys.stdin.read().strip()
    if not given:
        raise ConfigError(
            "no database is given", hint="set $CDC_SOURCE_DSN, or give --dsn - and write it to standard input"
        )
    return given


def _tell_next(name: str, where: Places, enrolment: Enrolment, *, applied: bool) -> None:
    if not applied:
        if enrolment.wal_level != "logical":
            click.echo(f"{name}: warning: wal_level is {enrolment.wal_level}; it must be logical first:", err=True)
            click.echo("  → ALTER SYSTEM SET wal_level = 'logical', then restart the server", err=True)
        click.echo(f"  → as a superuser: psql -v ON_ERROR_STOP=1 -f {short(where.sql)}", err=True)
        click.echo(f"    (or cdc connectors init {name} --apply-sql)", err=True)
    click.echo(f"  → cdc policy init {name}", err=True)

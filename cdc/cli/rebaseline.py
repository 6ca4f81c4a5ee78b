"""``cdc stream rebaseline``: go on after a halt, and have tables read anew, so that state is right again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.accept_gap import configured, demand_consent, demand_reason, plan, reasoned, unasked
from cdc.cli.completion import sources
from cdc.errors import ConfigError, Conflict

if TYPE_CHECKING:
    import psycopg2

    from cdc.config import Config, SourceConfig
    from cdc.rereading import Place


@click.command()
@click.argument("source", shell_complete=sources)
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@configured
@reasoned
@unasked
@click.option(
    "--dsn",
    envvar="CDC_SOURCE_DSN",
    show_envvar=True,
    help="Lock the tables through this DSN; default: the source's `admin_dsn`, else its `dsn`.",
)
@click.option(
    "--lock-timeout",
    "lock_s",
    type=click.FloatRange(0.1, 600),
    default=10,
    show_default=True,
    help="Seconds to wait for the locks.",
)
@click.option(
    "--catch-up",
    "catch_up_s",
    type=click.FloatRange(1, 86_400),
    default=300,
    show_default=True,
    help="Seconds to wait until the connector has read what is committed.",
)
def rebaseline(
    source: str,
    tables: tuple[str, ...],
    path: Path | None,
    reason: str,
    yes: bool,
    dsn: str | None,
    lock_s: float,
    catch_up_s: float,
) -> None:
    """Go on after the halt of SOURCE, and have TABLEs (without any: all that it captures) read anew at the source.

    Accepts the gap as `cdc stream accept-gap` does, if the stream is halted. Then Debezium reads the tables in a
    blocking snapshot: what it shows replaces current state, and rows that it does not show are gone (entries of kind
    absent). Writers of the tables wait for a SHARE lock until it has begun to read, not while it reads.
    """
    from cdc.accepting import LOST, gap_of
    from cdc.accepting import Place as Fed
    from cdc.rereading import Patience, reread
    from cdc.signals import data
    from cdc.warehouse import lease
    from cdc.warehouse.halts import accept, halt_in_force

    demand_reason(reason)
    settings = config.load(path)
    place = settings.source(source)
    with closing(lease.connect(settings.warehouse_dsn, f"cdc rebaseline {source}")) as connection:
        halt = halt_in_force(connection, place.name)
        gap = None if halt is None else gap_of(halt, Fed(settings.kafka, place.topic))
        where = _place(settings, place, dsn)
        named = _tables(place, where.dsn, tables)
        data("blocking", named)  # refuses what is too long, before anything is done
        _demand_running(settings, source)
        lines = [] if halt is None or gap is None else plan(halt, gap, LOST[gap.cause])
        lines.append(f"{'then' if lines else 'will'}      have {len(named)} tables of {source} read anew")
        lines.append(f"          their writers wait until that has begun, {lock_s:g} s for the locks at most")
        click.echo("\n".join(lines), err=True)
        demand_consent(yes)
        if halt is not None and gap is not None:
            seq = accept(connection, halt, place.topic, gap, reason)
            click.echo(f"gap recorded as entry {seq:,} of {source}", err=True)
        _record(connection, source, named, reason)
    done = reread(where, named, Patience(lock_s, catch_up_s), lambda line: click.echo(line, err=True))
    click.echo(
        f"{sum(done.rows.values()):,} rows of {len(done.rows)} tables are in the topic, through offset"
        f" {done.offset:,}; current state is right again when the worker has passed it: cdc replicate {source}",
        err=True,
    )


def _place(settings: Config, place: SourceConfig, dsn: str | None) -> Place:
    from cdc.rereading import Place, demand_source
    from cdc.topic import describe
    from connectors.definition import load

    definition = load(place.definition)
    go_on = f"cdc stream accept-gap {place.name} --reason '…' goes on without reading anew"
    if definition.kind != "postgres":
        raise Conflict(f"rebaseline reads PostgreSQL only, and {place.name} is {definition.kind}", hint=go_on)
    through = dsn or place.admin_dsn or place.dsn
    if through is None:
        raise ConfigError(
            f"{place.declared}: [sources.{place.name}] has neither admin_dsn nor dsn",
            hint=f"set one, or $CDC_SOURCE_DSN; {go_on}",
        )
    demand_source(through, place.name)
    return Place(place.name, through, definition.slot, settings.kafka, describe(settings.kafka, place.topic))


def _tables(place: SourceConfig, dsn: str, wanted: Sequence[str]) -> list[str]:
    """As entries have their names: those that are named, or all that the definition captures."""
    from cdc.audit.tables import Table, resolve
    from cdc.cli.policy_tables import captured_tables

    captured = [table.title for table in captured_tables(place, dsn, insist=True)]
    own = {"cdc.heartbeat", "cdc.signal"}
    if not wanted:
        return [title for title in captured if title not in own]
    known = [Table(place.name, title) for title in captured]
    return sorted({resolve(name, known).name for name in wanted})


def _demand_running(settings: Config, source: str) -> None:
    from cdc.cli.connectors.cluster import opened

    with opened(settings) as client:
        if not client.status(source).running:
            raise Conflict(f"connector {source} does not run", hint=f"cdc connectors apply {source}")


def _record(connection: psycopg2.extensions.connection, source: str, tables: Sequence[str], reason: str) -> None:
    """Into the log ``operations``: who had which tables read anew, and why."""
    detail = {"log": source, "reason": reason, "tables": ", ".join(tables)}
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT audit.append_operation('tables-read-anew', %s)", (json.dumps(detail),))

"""``cdc policy``: how each column of a source is protected."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from cdc import config
from cdc.cli.completion import sources
from cdc.cli.policy_tables import captured_tables
from cdc.cli.source_files import write
from cdc.config import SourceConfig
from cdc.errors import ConfigError, Conflict, NotFound
from connectors.errors import Unreachable
from governance import policy as policies
from governance.plan import Policy
from governance.policy_text import write as policy_text
from governance.review import OWN, Explained, Finding, as_listed, explain, review
from governance.suggest import Table, TableChoice, suggest

_config = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="Configuration file; default: $CDC_CONFIG, ./cdc.toml, ./.cdc/cdc.toml.",
)
_dsn = click.option(
    "--dsn",
    envvar="CDC_SOURCE_DSN",
    show_envvar=True,
    help="Read the catalog through this DSN; default: the source's own `dsn`. It shows in the process list: use the"
    " variable where it holds a password, which is passed over when it is another source's.",
)
_output = click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)


@click.group()
def policy() -> None:
    """How each column is protected: clear, token, seal or drop. One policy file per source."""


@policy.command()
@click.argument("name", shell_complete=sources)
@_dsn
@click.option(
    "--clear",
    "patterns",
    multiple=True,
    help="Leave columns in clear: [SCHEMA.]TABLE.COLUMN with * and ?, in quotes; repeatable. Otherwise only keys that"
    " are numbers, times, identifiers or enums are clear, and what refers to them.",
)
@click.option("--force", is_flag=True, help="Write over a policy that is there.")
@_config
def init(name: str, dsn: str | None, patterns: tuple[str, ...], force: bool, path: Path | None) -> None:
    """Suggest a policy for source NAME from its catalog, with the reason beside each column. Reads no row.

    What is not part of a key is sealed; keys of text are tokens, and what refers to them shares their domain, so that
    joins keep working. Review the file before you replicate.
    """
    source = config.load(path).source(name)
    chosen = suggest(name, captured_tables(source, dsn, insist=_typed()), patterns)
    text = policy_text(name, chosen)
    present = source.policy.read_text(encoding="utf-8") if source.policy.exists() else None
    if present == text:
        click.echo(f"{name}: {source.policy} is what would be written", err=True)
        return
    if present is not None and not force:
        raise Conflict(
            f"{source.policy}: it exists and says something else; nothing was written",
            hint=f"cdc policy check {name}   shows what it lacks; --force writes over it",
        )
    write({source.policy: text})
    _tell(name, source.policy, chosen)


@policy.command()
@click.argument("name", required=False)
@_dsn
@click.option("--require-database", is_flag=True, help="Exit code 5 when the catalog cannot be reached.")
@_output
@_config
def check(name: str | None, dsn: str | None, require_database: bool, output: str, path: Path | None) -> None:
    """Read the policy of NAME, or all, and compare it with the source's catalog when that can be reached.

    Exit code 6 when a captured table or column is missing in the policy, or the policy names one that is not there.
    """
    settings = config.load(path)
    if name is None and _typed():
        raise ConfigError("--dsn is of one source", hint="cdc policy check NAME")
    documents, wrong = [], False
    for source in [settings.source(name)] if name else settings.sources.values():
        if name is None and source.name in settings.unfinished:
            click.echo(f"{source.name}: it has no policy yet (cdc policy init {source.name})", err=True)
            wrong = True
            continue
        rules = _load(source)
        tables = _reachable(source, dsn, require_database)
        found = () if tables is None else review(rules, tables)
        documents.append(_checked(source, rules, tables, found))
        wrong = wrong or any(finding.wrong for finding in found)
        if output == "table":
            _print_findings(source, rules, tables, found)
    if output == "json":
        click.echo(json.dumps({"schema_version": 1, "policies": documents}, ensure_ascii=False, indent=2))
    if wrong:
        raise SystemExit(6)


@policy.command("explain")
@click.argument("name", shell_complete=sources)
@click.argument("table", required=False)
@_dsn
@_output
@_config
def explain_(name: str, table: str | None, dsn: str | None, output: str, path: Path | None) -> None:
    """Show how each column of NAME's tables is protected, and why: the plan that a worker compiles.

    STATE is the type of its column in current state.

    TABLE is [SCHEMA.]TABLE. Columns are those of the source's catalog; where it cannot be reached, those of the file.
    """
    source = config.load(path).source(name)
    rules = _load(source)
    tables = _reachable(source, dsn, required=False)
    rows = explain(rules, as_listed(rules) if tables is None else tables)
    if table is not None:
        rows = tuple(row for row in rows if table in {row.table, row.table.removeprefix("public.")})
        if not rows:
            raise NotFound(f"{name} has no table {table}", hint=f"cdc policy explain {name}   (lists all)")
    if output == "json":
        document = {
            "schema_version": 1,
            "source": name,
            "policy": str(source.policy),
            "from_catalog": tables is not None,
        }
        columns = [{("class" if key == "class_" else key): value for key, value in asdict(row).items()} for row in rows]
        click.echo(json.dumps(document | {"columns": columns}, ensure_ascii=False, indent=2))
    else:
        _print_rows(rows)


def _typed() -> bool:
    """Whether --dsn stands in the command line: then it is meant for this source."""
    return click.get_current_context().get_parameter_source("dsn") is click.core.ParameterSource.COMMANDLINE


def _load(source: SourceConfig) -> Policy:
    if not source.policy.exists():
        raise NotFound(f"{source.name} has no policy yet ({source.policy})", hint=f"cdc policy init {source.name}")
    rules = policies.load(source.policy)
    if rules.source != source.name:
        raise ConfigError(
            f"{source.policy}: this is the policy of source {rules.source!r}, not of {source.name!r}",
            hint=f"source: {source.name}",
        )
    return rules


def _reachable(source: SourceConfig, dsn: str | None, required: bool) -> tuple[Table, ...] | None:
    """The captured tables by the catalog; None, and a line that says so, where it cannot be reached."""
    if dsn is None and source.dsn is None and not required:
        click.echo(f"{source.name}: not compared with a catalog: the source has no dsn", err=True)
        return None
    try:
        return captured_tables(source, dsn, insist=_typed())
    except Unreachable as error:
        if required:
            raise
        click.echo(f"{source.name}: not compared with the catalog: {error}", err=True)
        return None


def _tell(name: str, path: Path, chosen: Sequence[TableChoice]) -> None:
    columns = [choice for table in chosen for choice in table.columns]
    counts = Counter(choice.protect for choice in columns)
    named = sum(choice.meaning is not None for choice in columns)
    click.echo(
        f"{name}: {len(chosen)} tables, {len(columns)} columns: {counts['seal']} seal, {counts['token']} token,"
        f" {counts['clear']} clear; the names of {named} suggest personal data",
        err=True,
    )
    for table in chosen:
        for choice in table.columns:
            if choice.protect == "clear" and choice.meaning:
                place = f"{table.table.title}.{choice.column.name}"
                click.echo(f"{name}: warning: {place} is clear, and its name suggests {choice.meaning}", err=True)
    click.echo(f"{name}: wrote {path}; review it", err=True)
    click.echo(f"  → cdc connectors apply {name}", err=True)


def _checked(
    source: SourceConfig, rules: Policy, tables: Sequence[Table] | None, found: Iterable[Finding]
) -> dict[str, object]:
    return {
        "source": source.name,
        "policy": str(source.policy),
        "tables": len(rules.tables),
        "compared_with_catalog": tables is not None,
        "findings": [asdict(finding) for finding in found],
    }


def _print_findings(
    source: SourceConfig, rules: Policy, tables: Sequence[Table] | None, found: Sequence[Finding]
) -> None:
    if found:
        _table([("SOURCE", "FINDING", "PLACE", "PROBLEM"), *((source.name, f.code, f.place, f.problem) for f in found)])
    listed = [rule for title, rule in rules.tables.items() if title not in OWN]
    columns = sum(len(rule.columns) for rule in listed)
    compared = "not compared with a catalog" if tables is None else f"compared with {len(tables)} captured tables"
    wrong = sum(finding.wrong for finding in found)
    click.echo(f"{source.name}: {len(listed)} tables, {columns} columns; {compared}; {wrong} wrong", err=True)


def _print_rows(rows: Sequence[Explained]) -> None:
    cells = [("TABLE", "COLUMN", "TYPE", "KEY", "PROTECTION", "STATE", "DOMAIN", "CLASS", "WHY")]
    cells += [
        (
            row.table,
            row.column,
            row.type or "-",
            "key" if row.in_key else "",
            row.protect if row.tier == 0 else f"{row.protect} (tier {row.tier})",
            row.state or "-",
            row.domain or "-",
            row.class_ or "-",
            row.why,
        )
        for row in rows
    ]
    _table(cells)


def _table(cells: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    for line in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())

"""``cdc audit history``: one row's whole life."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.audit.lines import change_csv, history_table
from cdc.cli.audit.options import config_option, foot, unicode_text
from cdc.cli.output import Answer, Foot, output_option, write
from cdc.errors import ConfigError

if TYPE_CHECKING:
    from cdc.audit.changes import Change
    from cdc.audit.reading import Reading
    from cdc.audit.tables import Table
    from cdc.audit.versions import TableVersion


@click.command()
@click.argument("table")
@click.argument("key", nargs=-1)
@click.option("--key-stdin", is_flag=True, help="Read the key's values from standard input, one a line: personal data.")
@click.option("--full", is_flag=True, help="Show all columns of every version, not only what changed.")
@output_option
@config_option
def history(table: str, key: tuple[str, ...], key_stdin: bool, full: bool, output: str, path: Path | None) -> None:
    """One row's whole life: every version, what changed in it, and the truncates that hid it.

    TABLE is [source.][schema.]table; the schema public may be left out. KEY is the value of each key column, in the
    order of the key; a tokenised one takes its token (tok_…), or its value through --key-stdin. A value that begins
    with a dash goes after `--`.
    """
    from cdc.audit import keys, tables, versions
    from cdc.audit.reading import reading
    from cdc.cli.audit.privacy import tokens

    settings = config.load(path)
    values = _values(key, key_stdin)
    with reading(settings.warehouse_auditor_dsn) as asked:
        named = tables.resolve(unicode_text(table, "TABLE"), tables.known(asked))
        described = versions.versions(asked, named)
        with tokens(settings, asked, named.log, wanted=key_stdin) as token_of:
            found = keys.find(asked, named, described, values, token_of)
        write(_answer(asked, named, described, found, full), output)


def _values(key: tuple[str, ...], key_stdin: bool) -> list[str]:
    if not key_stdin:
        return [unicode_text(value, "KEY") for value in key]
    if key:
        raise ConfigError("the key is given twice: as arguments and with --key-stdin")
    if sys.stdin.isatty():
        click.echo("the value of each key column, one a line, then Ctrl-D:", err=True)
    given = sys.stdin.buffer.read().decode(errors="surrogateescape")
    return unicode_text(given, "--key-stdin").removesuffix("\n").split("\n") if given else []


def _answer(
    asked: Reading, table: Table, described: Sequence[TableVersion], keys: Sequence[str], full: bool
) -> Answer[Change]:
    from cdc.audit import shown
    from cdc.audit.completeness import completeness
    from cdc.audit.history import life

    key = json.loads(keys[0])
    versions = 0
    last = ""

    def counted() -> Iterator[Change]:
        nonlocal versions, last
        for each in life(asked, table, described, keys):
            versions += each.entry.kind == "change" and each.applied
            last = each.what if each.applied else last
            yield each

    def ending() -> Foot:
        lines = [("versions", f"{versions:,}; the last thing that happened to the row: {last}")]
        return foot(completeness(asked, table.log, {table.name}), {"versions": versions}, lines)

    return Answer(
        title=f"{table.title}, row {shown.row_key(key)}",
        head={"question": "history", "source": table.log, "table": table.name, "key": key},
        name="changes",
        items=counted(),
        document=lambda each: each.document(full=full),
        table=history_table(full=full),
        csv=change_csv(full=full),
        foot=ending,
    )

"""``cdc connectors edit``: a definition in $EDITOR, then its plan, then apply."""

from __future__ import annotations

from pathlib import Path

import click

from cdc import config
from cdc.cli.accept_gap import demand_consent
from cdc.cli.completion import sources
from cdc.cli.connectors.apply import Wish, apply_one
from cdc.cli.connectors.cluster import cluster_options, definition, opened, reason_option, timeout_option, yes_option
from cdc.cli.connectors.plan import demand_possible, planned
from cdc.cli.connectors.planning import lines
from cdc.errors import ConfigError


@click.command()
@click.argument("name", shell_complete=sources)
@timeout_option
@reason_option
@yes_option
@cluster_options
def edit(name: str, timeout_s: float, reason: str | None, yes: bool, path: Path | None, context: str | None) -> None:
    """Edit the definition of source NAME in $VISUAL or $EDITOR, see what it would change, and apply it.

    A text that is not a definition changes no file: it is kept beside it as *.edited. Without consent the definition
    stays as it was.
    """
    settings = config.load(path, context)
    file = settings.source(name).definition
    old = _read(file)
    new = click.edit(old, extension=".yaml")
    if new is None or new == old:
        click.echo(f"{name}: not edited; nothing to do", err=True)
        return
    _demand_definition(new, file)
    file.write_text(new, encoding="utf-8")
    with opened(settings) as client:
        try:
            wanted = definition(settings.source(name))
            found = planned(settings, client, [wanted])
            click.echo("\n".join(lines(found)), err=True)
            demand_possible(found)
            if found.pending:
                demand_consent(yes)
        except BaseException:
            file.write_text(old, encoding="utf-8")
            click.echo(f"{name}: {file} is as it was", err=True)
            raise
        if found.pending:
            apply_one(settings, client, wanted, found.changes[0], Wish(timeout_s, rollback=False, reason=reason))


def _demand_definition(text: str, file: Path) -> None:
    """See that the text is a definition, and keep it if it is none.

    Raises:
        DefinitionError: it is not; the message has the line.
    """
    from connectors.definition import parse
    from connectors.errors import DefinitionError

    kept = file.with_name(f"{file.name}.edited")
    try:
        parse(text, file)
    except DefinitionError as error:
        kept.write_text(text, encoding="utf-8")
        raise DefinitionError(f"{error}; your text is in {kept}, {file} is as it was", hint=error.hint) from None
    kept.unlink(missing_ok=True)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None

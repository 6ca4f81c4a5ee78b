"""``cdc connectors explain``: every setting of one connector, why it is so, and who says it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cdc import config
from cdc.cli.audit.options import config_option
from cdc.cli.completion import sources
from cdc.cli.output import WIDEST, Answer, Foot, Sheet, output_option, write
from cdc.errors import ConfigError

if TYPE_CHECKING:
    from connectors.definition import Definition
    from connectors.overrides import Override
    from connectors.secrets import SecretLookup
    from connectors.setting import Setting

_COLUMNS = ("setting", "value", "from", "reason")


@click.command()
@click.argument("name", required=False, shell_complete=sources)
@click.option(
    "--definition",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A definition that is no source's yet, in place of NAME.",
)
@output_option
@config_option
def explain(name: str | None, file: Path | None, output: str, path: Path | None) -> None:
    """Print every setting that NAME's connector gets, with its reason and who says it: the profile of its kind of
    database, the definition, or an override among the definition's raw `settings`. Secrets stay references.

    What an override risks is named below. Nothing is asked of Kafka Connect or of the database.
    """
    from connectors import profile
    from connectors.definition import load

    if (name is None) == (file is None):
        raise ConfigError("one of NAME and --definition is needed", hint="cdc connectors explain trading")
    secrets: SecretLookup = profile.as_written
    if file is None:
        settings = config.load(path)
        file, secrets = settings.source(str(name)).definition, _secrets(settings)
    definition = load(file)
    write(_answer(definition, profile.expand(definition, secrets), profile.overrides(definition)), output)


def _secrets(settings: config.Config) -> SecretLookup:
    from connectors.secrets import in_folder

    try:
        return in_folder(settings.state / "secrets")
    except ValueError as error:
        raise ConfigError(f"{settings.path}: {error}") from None


def _answer(
    definition: Definition, found: dict[str, Setting], risks: Sequence[Override]
) -> Answer[tuple[str, Setting]]:
    from connectors.profile import CONNECTORS

    connector = CONNECTORS[definition.kind]
    severities = {risk.setting: risk.severity for risk in risks}

    def cells(item: tuple[str, Setting]) -> tuple[str, str, str, str]:
        name, setting = item
        return name, setting.value, setting.origin, setting.reason

    return Answer(
        title=f"{definition.name}: what {connector.plugin} is told, and why",
        head={"question": "explain", "connector": definition.name, "kind": definition.kind},
        name="settings",
        items=found.items(),
        document=lambda item: dict(zip(_COLUMNS, cells(item), strict=True)) | {"severity": severities.get(item[0])},
        table=Sheet(_COLUMNS, lambda item: _folded(cells(item))),
        csv=Sheet(_COLUMNS, lambda item: [cells(item)]),
        foot=lambda: Foot({"overrides": [_document(risk) for risk in risks]}, _told(risks)),
    )


def _folded(cells: Sequence[str]) -> Iterator[Sequence[str | None]]:
    """Long cells over several lines: a reason that is cut explains nothing."""
    columns = [textwrap.wrap(cell, WIDEST, break_on_hyphens=False) for cell in cells]
    yield from zip_longest(*columns, fillvalue="")


def _document(risk: Override) -> dict[str, Any]:
    return {
        "setting": risk.setting,
        "value": risk.value,
        "profile": risk.profile,
        "severity": risk.severity,
        "code": risk.code,
        "reason": risk.reason,
    }


def _told(risks: Sequence[Override]) -> list[tuple[str, str]]:
    if not risks:
        return [("overrides", "none that differs from the profile")]
    return [(risk.severity, f"{risk.setting}: {risk.reason}") for risk in risks]

"""What the auditor's commands share: options, and the end of every answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cdc.cli.output import Foot
from cdc.errors import ConfigError

if TYPE_CHECKING:
    from cdc.audit.completeness import Completeness

config_option = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="Configuration file; default: $CDC_CONFIG, ./cdc.toml, ./.cdc/cdc.toml.",
)


def foot(
    completeness: Completeness, members: dict[str, Any], lines: Sequence[tuple[str, str]], *, beyond: bool = False
) -> Foot:
    """The end of an answer: its own lines, then how complete it is. ``beyond``: it was asked about a later instant."""
    ending = completeness.lines()
    if beyond:
        ending.insert(
            1, ("beyond that", "you asked for a later instant: what was committed since is not in this answer")
        )
    return Foot(members | {"completeness": completeness.document()}, [*lines, *ending])


def text(value: Any) -> str | None:
    """A value as a field of CSV: texts and tokens as they are, everything else as canonical JSON; None for null."""
    from msgspec import UNSET

    from cdc.entry import canonical

    if value is None or value is UNSET:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and value.keys() == {"token"}:
        return str(value["token"])
    return canonical(value).decode()


def unicode_text(given: str, what: str) -> str:
    """An argument as the shell gave it.

    Raises:
        ConfigError: its bytes are not UTF-8.
    """
    try:
        given.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{what}: not UTF-8") from None
    return given

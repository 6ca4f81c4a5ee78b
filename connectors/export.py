"""Existing connectors as files that can be kept: a definition where one can say it, and references where secrets stood.

What no definition says is written in the form of ``PUT /connectors/NAME/config``, as YAML: ``name`` and ``config``.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

import yaml

from connectors import plan, redact
from connectors.errors import DefinitionError
from connectors.exported_definition import as_definition


@dataclass(frozen=True, slots=True)
class Exported:
    """``text``: YAML. ``replaced``: setting → the reference that stands where a secret was in plain. ``notes``: what a
    person is to know of it.
    """

    name: str
    text: str
    replaced: Mapping[str, str]
    notes: tuple[str, ...] = ()


def export(name: str, live: Mapping[str, str], secrets: Container[str] | None, *, raw: bool = False) -> Exported:
    """One connector without secrets.

    Args:
        name: of the connector.
        live: its configuration, as Connect answers.
        secrets: settings that its plugin declares as passwords; None where the worker does not say: then every setting
            that is not harmless by its form becomes a reference.
        raw: in the form of Connect's REST interface, whatever a definition could say.
    """
    kept, replaced = _without_secrets(name, plan.unmarked(live), secrets)
    head = f"# Connector {name}, as Kafka Connect had it.\n"
    if replaced:
        head += "# A secret stood in plain in: " + ", ".join(replaced) + ".\n"
        head += f"# Put each into secrets/{_bundle(name)}.properties, and change it: others may have seen it.\n"
    if raw:
        return Exported(name, head + _as_connect_has_it(name, kept), replaced)
    try:
        text, differs = as_definition(name, kept)
    except DefinitionError as error:
        note = f"not as a definition: {error}"
        return Exported(name, f"{head}# {_one_line(note)}\n" + _as_connect_has_it(name, kept), replaced, (note,))
    notes = []
    if differs.refused:
        notes.append("no definition says these, and applying it replaces them: " + ", ".join(differs.refused))
    if differs.added:
        notes.append(f"applying it adds {len(differs.added)} settings of the profile (cdc connectors plan shows them)")
    return Exported(name, head + "".join(f"# {_one_line(note)}\n" for note in notes) + text, replaced, tuple(notes))


def _without_secrets(
    name: str, live: Mapping[str, str], secrets: Container[str] | None
) -> tuple[dict[str, str], dict[str, str]]:
    kept: dict[str, str] = {}
    replaced: dict[str, str] = {}
    for setting, value in sorted(live.items()):
        if redact.value(setting, value, known=secrets is not None, secrets=secrets or ()) == value:
            kept[setting] = value
        else:
            kept[setting] = replaced[setting] = f"${{secret:{_bundle(name)}/{setting}}}"
    return kept, replaced


def _as_connect_has_it(name: str, config: Mapping[str, str]) -> str:
    return yaml.safe_dump({"name": name, "config": dict(config)}, sort_keys=False, allow_unicode=True, width=1000)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _bundle(name: str) -> str:
    """The name as references may spell it."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-.") else "_" for c in name)

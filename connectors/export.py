"""Existing connectors as files that can be kept: references stand where secrets stood in plain.

The form is that of ``PUT /connectors/NAME/config``, as YAML: ``name`` and ``config``. It is not a definition: what of
it our profile would write by itself is not told apart.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

import yaml

from connectors import plan, redact


@dataclass(frozen=True, slots=True)
class Exported:
    """``text``: YAML. ``replaced``: setting → the reference that stands where a secret was in plain."""

    name: str
    text: str
    replaced: Mapping[str, str]


def export(name: str, live: Mapping[str, str], secrets: Container[str] | None) -> Exported:
    """One connector's configuration without secrets.

    Args:
        name: of the connector.
        live: its configuration, as Connect answers.
        secrets: settings that its plugin declares as passwords; None where the worker does not say: then every setting
            that is not harmless by its form becomes a reference.
    """
    kept: dict[str, str] = {}
    replaced: dict[str, str] = {}
    for setting, value in sorted(plan.unmarked(live).items()):
        known = secrets is not None
        if redact.value(setting, value, known=known, secrets=secrets or ()) == value:
            kept[setting] = value
        else:
            kept[setting] = replaced[setting] = f"${{secret:{_bundle(name)}/{setting}}}"
    head = f"# Connector {name}, as Kafka Connect had it.\n"
    if replaced:
        head += "# A secret stood in plain in: " + ", ".join(replaced) + ".\n"
        head += f"# Put each into secrets/{_bundle(name)}.properties, and change it: others may have seen it.\n"
    body = yaml.safe_dump({"name": name, "config": kept}, sort_keys=False, allow_unicode=True, width=1000)
    return Exported(name, head + body, replaced)


def _bundle(name: str) -> str:
    """The name as references may spell it."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-.") else "_" for c in name)

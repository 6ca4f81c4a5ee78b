"""What would have to change so that Connect has what the definitions say: a pure comparison, as terraform's plan is.

Connect keeps settings that no plugin knows, so each connector carries who applied it and what:

* ``cdc.installation``: the installation. Only connectors of the own one are ever deleted by ``--prune``.
* ``cdc.applied``: SHA-256 of the configuration as it was applied. When the live one hashes to something else, somebody
  else has edited it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from connectors import redact
from connectors.errors import DefinitionError
from connectors.model import ConnectorInfo, ConnectorStatus

INSTALLATION = "cdc.installation"
APPLIED = "cdc.applied"
_MARKERS = frozenset({"name", INSTALLATION, APPLIED})
_ROUTED = re.compile(r"transforms\.[^.]+\.replacement")

Action: TypeAlias = Literal["create", "update", "restart", "resume", "delete", "refuse", "unchanged"]


@dataclass(frozen=True, slots=True)
class Desired:
    """A connector as its definition wants it. The configuration holds references, never a secret.

    ``notes``: what a person is to know of it, such as what an override risks.
    """

    name: str
    topic: str
    config: Mapping[str, str] = field(repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One setting; None where it is not there. The values are fit to be shown: see :func:`connectors.redact.value`."""

    setting: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """What one connector needs.

    ``edited``: the live configuration is not the one that was applied last. ``notes``: sentences for a person.
    ``live``: the configuration that the plan was made of, None without a connector; it may hold secrets of others.
    """

    name: str
    action: Action
    topic: str | None
    settings: tuple[SettingChange, ...] = ()
    edited: bool = False
    notes: tuple[str, ...] = ()
    live: Mapping[str, str] | None = field(default=None, repr=False)

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            "name": self.name,
            "action": self.action,
            "topic": self.topic,
            "edited": self.edited,
            "notes": list(self.notes),
            "settings": [{"setting": s.setting, "before": s.before, "after": s.after} for s in self.settings],
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes by name, those that need nothing too."""

    changes: tuple[Change, ...]

    @property
    def pending(self) -> tuple[Change, ...]:
        """Those that need something."""
        return tuple(change for change in self.changes if change.action != "unchanged")

    @property
    def refused(self) -> tuple[Change, ...]:
        """Those that cannot be applied."""
        return tuple(change for change in self.changes if change.action == "refuse")

    def counts(self) -> dict[Action, int]:
        """How many need what."""
        actions: tuple[Action, ...] = ("create", "update", "resume", "restart", "delete", "refuse", "unchanged")
        return {action: sum(change.action == action for change in self.changes) for action in actions}


def digest(config: Mapping[str, str]) -> str:
    """SHA-256 (hex) of a configuration: sorted JSON, without its name and our marks."""
    return hashlib.sha256(json.dumps(unmarked(config), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def unmarked(config: Mapping[str, str]) -> dict[str, str]:
    """The configuration without its name and our marks."""
    return {name: value for name, value in config.items() if name not in _MARKERS}


def marked(config: Mapping[str, str], installation: str) -> dict[str, str]:
    """The configuration as it is written: with who applies it, and its digest."""
    return {**config, **({INSTALLATION: installation} if installation else {}), APPLIED: digest(config)}


def differences(live: Mapping[str, str] | None, desired: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the settings that differ, our marks apart."""
    there = live or {}
    names = sorted((there.keys() | desired.keys()) - _MARKERS)
    return tuple(name for name in names if there.get(name) != desired.get(name))


def edited(live: Mapping[str, str]) -> bool:
    """Whether somebody else has written the configuration since it was applied. Without a mark nobody can tell."""
    return APPLIED in live and live[APPLIED] != digest(live)


def writes_to(config: Mapping[str, str]) -> frozenset[str]:
    """The topics that a source connector's configuration names as such; not all that it may write to."""
    found = {value for name, value in config.items() if _ROUTED.fullmatch(name) or name in {"topic", "kafka.topic"}}
    routed = any(name.startswith("transforms.") and value == ".*" for name, value in config.items())
    if not routed and "topic.prefix" in config:
        found.add(config["topic.prefix"])  # Debezium's schema changes
    return frozenset(found)


def plan(
    desired: Sequence[Desired], actual: Iterable[ConnectorInfo], *, installation: str = "", prune: bool = False
) -> Plan:
    """Compare.

    Args:
        desired: what is wanted.
        actual: all connectors of the cluster, as :meth:`connectors.client.ConnectClient.connectors` answers.
        installation: this installation.
        prune: also delete the connectors of this installation that are not wanted.

    Raises:
        DefinitionError: a setting's value is the mask of a secret, so it was copied from an answer.
    """
    there = {info.name: info for info in actual}
    wanted = {each.name for each in desired}
    writers = _writers(desired, there.values())
    changes = [_change(each, there.get(each.name), _rival(each, writers)) for each in desired]
    if prune and installation:
        changes += [
            Change(name, "delete", _topic(info.config), live=info.config, notes=_offsets_note(name))
            for name, info in there.items()
            if name not in wanted and info.config.get(INSTALLATION) == installation
        ]
    return Plan(tuple(sorted(changes, key=lambda change: change.name)))


def _change(desired: Desired, info: ConnectorInfo | None, rival: str | None) -> Change:
    for setting, value in desired.config.items():
        if value == redact.MASK:
            raise DefinitionError(f"{desired.name}: {setting} is {redact.MASK!r}: that stands for a secret in answers")
    live = None if info is None else info.config
    if rival is not None:
        return Change(desired.name, "refuse", desired.topic, live=live, notes=(rival,))
    if info is None:
        settings = settings_between(None, desired.config)
        return Change(desired.name, "create", desired.topic, settings, notes=desired.notes)
    settings = settings_between(info.config, desired.config)
    foreign = edited(info.config)
    notes = desired.notes
    if foreign:
        notes = (*notes, "the live configuration was edited since it was applied")
    action: Action = "update" if settings else _standing(info.status)
    if action == "restart":
        notes = (*notes, f"FAILED: {redact.causes(info.status.failed_traces[0])}")
    if action == "resume":
        notes = (*notes, f"it is {info.status.state}")
    return Change(desired.name, action, desired.topic, settings, foreign, notes, info.config)


def _standing(status: ConnectorStatus) -> Action:
    """What an equal configuration still needs."""
    if status.failed:
        return "restart"
    return "resume" if status.state in {"PAUSED", "STOPPED"} else "unchanged"


def settings_between(live: Mapping[str, str] | None, desired: Mapping[str, str]) -> tuple[SettingChange, ...]:
    """What differs, with values fit to be shown."""
    there = live or {}

    def shown(name: str, config: Mapping[str, str]) -> str | None:
        return redact.value(name, config[name], known=name in desired) if name in config else None

    return tuple(SettingChange(n, shown(n, there), shown(n, desired)) for n in differences(live, desired))


def _writers(desired: Sequence[Desired], there: Iterable[ConnectorInfo]) -> dict[str, list[tuple[str, str]]]:
    """Topic → who writes to it, as (``definition`` or ``connector``, name)."""
    found: dict[str, list[tuple[str, str]]] = {}
    for each in desired:
        found.setdefault(each.topic, []).append(("definition", each.name))
    for info in there:
        for topic in writes_to(info.config) if info.kind == "source" else ():
            found.setdefault(topic, []).append(("connector", info.name))
    return found


def _rival(desired: Desired, writers: Mapping[str, Sequence[tuple[str, str]]]) -> str | None:
    """Who else writes to the topic: two connectors in one topic would mix two sources' records."""
    for what, name in writers[desired.topic]:
        if name != desired.name:
            return f"{what} {name} writes to topic {desired.topic}, too: two would mix their records"
    return None


def _topic(config: Mapping[str, str]) -> str | None:
    return min(writes_to(config), default=None)


def _offsets_note(name: str) -> tuple[str, ...]:
    return (f"its offsets and what stands in its source stay: cdc connectors delete {name} shows them",)

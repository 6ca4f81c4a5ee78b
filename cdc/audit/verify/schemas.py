"""Schema entries (docs/formats.md §5): digests are those of the content, and no change comes before its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import canonical, values

_COLUMN = {"name", "type", "length", "scale", "wire", "optional"}
_STATED = _COLUMN | {"semantic", "state"}
_STEP = {"column", "protect", "domain", "class", "tier"}
_TEXT_OR_NULL = frozenset({str, type(None)})

Triple = tuple[str, str, str]
"""Table, schema digest, plan digest: names one table version."""


@dataclass(frozen=True, slots=True)
class TableVersion:
    """A table under a schema and a plan: what its images must look like.

    ``described`` maps a column to its part of the schema and of the plan.
    """

    names: tuple[str, ...]
    clear: tuple[str, ...]
    suits: tuple[tuple[str, Callable[[object, str], bool]], ...]
    key: tuple[str, ...]
    described: Mapping[str, tuple[Any, Any]]

    def image_fault(self, image: object, subject: object) -> str | None:
        """What is wrong with an image of this version, or None; names the column."""
        if type(image) is not dict or tuple(image) != self.names:
            return "an image does not have the columns of its schema"
        if type(subject) is not str or not values.is_subject(subject):
            return "an image is under no subject"
        if not _TEXT_OR_NULL.issuperset([type(image[name]) for name in self.clear]):
            unfit = [name for name in self.clear if not values.is_clear(image[name])]
            if unfit:
                return f"column {unfit[0]} does not hold what its plan says"
        for name, suits in self.suits:
            if image[name] is not None and not suits(image[name], subject):
                return f"column {name} does not hold what its plan says"
        return None

    def kept(self) -> frozenset[str]:
        """Columns of which the plan keeps something."""
        return frozenset(name for name, (_, step) in self.described.items() if step["protect"] != "drop")


class Schemas:
    """The table versions that the log has described so far."""

    def __init__(self) -> None:
        self.versions: dict[Triple, TableVersion] = {}
        self.seqs: dict[Triple, int] = {}
        self._announced: dict[str, Any] | None = None

    def version(self, entry: dict[str, Any]) -> TableVersion | None:
        """The table version of a change."""
        try:
            return self.versions.get((entry["table"], entry["schema"], entry["plan"]))
        except TypeError:
            return None

    def introduce(self, seq: int, entry: dict[str, Any]) -> str | None:
        """Take a schema entry; what is wrong with it, or None."""
        content, table = entry["content"], entry["table"]
        columns, key, plan = content["columns"], content["key"], content["plan"]
        described = canonical.digest({"columns": columns, "key": key, "table": table})
        if described != entry["schema"] or canonical.digest(plan) != entry["plan"]:
            return "its digests are not those of its content"
        triple = (table, described, entry["plan"])
        if triple in self.versions:
            return "it describes a table version that the log has described before"
        try:
            self.versions[triple] = _compile(columns, key, plan)
        except (TypeError, KeyError, ValueError):
            return "its content does not describe a table and a plan"
        self.seqs[triple] = seq
        self._announced = entry
        return None

    def follow(self, entry: dict[str, Any]) -> str | None:
        """A schema entry is followed by the own entry of its record."""
        announced, self._announced = self._announced, None
        if announced is None:
            return None
        same = all(entry.get(name) == announced[name] for name in ("table", "schema", "plan", "offset"))
        if same and entry.get("ordinal") == str(int(announced["ordinal"]) + 1):
            return None
        return "it does not belong to the record whose table version the schema entry before it describes"

    def finish(self) -> str | None:
        """The log does not end between a schema entry and its record's own."""
        return None if self._announced is None else "the log ends with a schema entry, without its record's own"


def _compile(columns: Sequence[Any], key: Sequence[Any], plan: Sequence[Any]) -> TableVersion:
    *steps, subject = plan
    if any(column.keys() - {"connector"} not in (_COLUMN, _STATED) for column in columns) or any(
        step.keys() != _STEP for step in steps
    ):
        raise ValueError
    names = [column["name"] for column in columns]
    if [step["column"] for step in steps] != names or subject.keys() != {"subject", "type"}:
        raise ValueError
    if len(set(names)) != len(names) or not set(key) <= set(names):
        raise ValueError
    if any(step["protect"] not in values.PROTECTIONS for step in steps):
        raise ValueError
    described = {name: (column, step) for name, column, step in zip(names, columns, steps, strict=True)}
    order = sorted(names, key=lambda name: name.encode("utf-16-be"))
    clear = tuple(step["column"] for step in steps if step["protect"] == "clear")
    suits = tuple((step["column"], _suits(step)) for step in steps if step["protect"] != "clear")
    return TableVersion(tuple(order), clear, suits, tuple(key), described)


def _suits(step: Mapping[str, Any]) -> Callable[[object, str], bool]:
    tier = int(step["tier"])
    if not 0 <= tier <= 255:
        raise ValueError
    if step["protect"] == "seal":
        return lambda value, subject: values.is_sealed(value, subject, tier)
    return values.is_token if step["protect"] == "token" else values.is_dropped

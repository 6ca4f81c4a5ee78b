"""How each column is protected: a policy, compiled to one flat plan per version of a table.

A column that the policy does not list is sealed, and a key column is never sealed: a cell is bound to its row's key, so
keys are clear or tokens. Both are decided when a plan is compiled, and the plan says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from governance.canonical import canonical

Protect = Literal["clear", "token", "seal", "drop"]
Retention = Literal["books-and-records", "operational"]
Messages = Literal["seal", "clear"]


@dataclass(frozen=True, slots=True)
class SubjectRule:
    """Whose keys protect a row: the subject of this type whose name is the text of this column."""

    type: str
    column: str


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """What the policy file says about one column. ``domain``: tokens only, None for the column's own domain."""

    protect: Protect
    domain: str | None = None
    class_: str | None = None
    tier: int = 0


@dataclass(frozen=True, slots=True)
class TableRule:
    """What the policy file says about one table. ``key``: its key columns, where the file names them."""

    subject: SubjectRule | None
    retention: Retention
    columns: Mapping[str, ColumnRule]
    key: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """How one column is protected. ``domain`` is set exactly where ``protect`` is ``token``."""

    column: str
    protect: Protect
    domain: str | None
    class_: str | None
    tier: int

    def content(self) -> dict[str, str | None]:
        """As it stands in a schema entry (``docs/formats.md`` §5)."""
        return {
            "column": self.column,
            "protect": self.protect,
            "domain": self.domain,
            "class": self.class_,
            "tier": str(self.tier),
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """How the rows of one table version are protected. Equal plans have equal digests.

    ``unlisted``: columns that the policy does not list. ``problems``: what to mend in the policy file; none of them
    exposes anything.
    """

    table: str
    columns: tuple[ColumnPlan, ...]
    subject: SubjectRule | None
    digest: str
    known_table: bool
    unlisted: tuple[str, ...]
    problems: tuple[str, ...]

    def content(self) -> list[dict[str, str | None]]:
        """The plan as it stands in a schema entry (``docs/formats.md`` §5)."""
        return _content(self.columns, self.subject)


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy file, checked."""

    source: str
    messages: Messages
    tables: Mapping[str, TableRule]

    def compile(self, table: str, columns: Sequence[str], key: Sequence[str]) -> Plan:
        """The plan for a table (``schema.table``) with these columns, in this order, and these key columns. Pure."""
        rule = self.tables.get(table)
        rules = {} if rule is None else rule.columns
        problems: list[str] = []
        plans = tuple(self._column(table, name, rules.get(name), name in key, problems) for name in columns)
        subject = None if rule is None else rule.subject
        if subject is not None and subject.column not in columns:
            problems.append(
                f"{table}: the subject column {subject.column} does not exist: rows are under the source's own subject"
            )
            subject = None
        absent = [name for name in rules if name not in columns]
        problems += [f"{table}.{name}: the policy lists it, but the table has no such column" for name in absent]
        return Plan(
            table=table,
            columns=plans,
            subject=subject,
            digest=hashlib.sha256(canonical(_content(plans, subject))).hexdigest(),
            known_table=rule is not None,
            unlisted=tuple(name for name in columns if name not in rules),
            problems=tuple(problems),
        )

    def _column(self, table: str, name: str, rule: ColumnRule | None, in_key: bool, problems: list[str]) -> ColumnPlan:
        own_domain = f"{self.source}.{table}.{name}"
        if rule is None:
            return ColumnPlan(name, "token", own_domain, None, 0) if in_key else ColumnPlan(name, "seal", None, None, 0)
        protect, domain = rule.protect, rule.domain
        if in_key and protect in {"seal", "drop"}:
            problems.append(f"{table}.{name}: {protect} in the policy, but it is part of the key: tokenised")
            protect, domain = "token", own_domain
        return ColumnPlan(name, protect, domain, rule.class_, rule.tier)


def _content(columns: Sequence[ColumnPlan], subject: SubjectRule | None) -> list[dict[str, str | None]]:
    last: dict[str, str | None] = {
        "subject": subject.column if subject else None,
        "type": subject.type if subject else None,
    }
    return [*(column.content() for column in columns), last]

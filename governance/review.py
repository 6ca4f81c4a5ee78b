"""A policy beside the tables that it protects: what it forgets, what it names in vain, which joins it breaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from governance.plan import ColumnPlan, ColumnRule, Policy, Protect
from governance.suggest import Column, Table

OWN = frozenset({"cdc.heartbeat", "cdc.signal"})
"""cdc's own tables in a source: captured like all others, and nobody's data."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is amiss at a place (``schema.table`` or ``schema.table.column``); ``code`` is stable.

    One that is not ``wrong`` exposes nothing and loses nothing, and may be meant so.
    """

    code: str
    place: str
    problem: str
    wrong: bool = True


@dataclass(frozen=True, slots=True)
class Explained:
    """One column of a compiled plan, and why. ``type``: empty where only the file was read. ``state``: the type of its
    column in current state; empty for that reason, or because the plan keeps nothing.
    """

    table: str
    column: str
    type: str
    in_key: bool
    protect: Protect
    domain: str | None
    class_: str | None
    tier: int
    why: str
    state: str


def as_listed(policy: Policy) -> tuple[Table, ...]:
    """The tables as the policy file describes them: columns without types, and the key where it names one."""
    return tuple(
        Table(title, "", title, tuple(Column(n, "", "", False, False, False) for n in rule.columns), rule.key or (), ())
        for title, rule in policy.tables.items()
    )


def explain(policy: Policy, tables: Sequence[Table]) -> tuple[Explained, ...]:
    """The plan that the policy compiles to for each table, column by column."""
    return tuple(
        Explained(
            table.title,
            column.name,
            column.type,
            column.name in table.key,
            plan.protect,
            plan.domain,
            plan.class_,
            plan.tier,
            _why(table, column.name, policy, plan),
            {"seal": "bytea", "token": "text", "drop": ""}.get(plan.protect, column.state),
        )
        for table in tables
        for column, plan in zip(table.columns, _plans(policy, table), strict=True)
    )


def _plans(policy: Policy, table: Table) -> tuple[ColumnPlan, ...]:
    return policy.compile(table.title, [column.name for column in table.columns], table.key).columns


def _why(table: Table, column: str, policy: Policy, plan: ColumnPlan) -> str:
    listed = policy.tables.get(table.title)
    rule: ColumnRule | None = listed.columns.get(column) if listed else None
    if rule is None:
        what = "not listed" if listed else "its table is not listed"
        return f"{what}, in the key: tokenised" if column in table.key else f"{what}: sealed"
    if rule.protect != plan.protect:
        return f"{rule.protect} in the policy, but in the key: tokenised"
    return "as listed"


def review(policy: Policy, tables: Sequence[Table]) -> tuple[Finding, ...]:
    """What is amiss between a policy and the tables that a source captures, by its catalog."""
    return tuple(_findings(policy, {table.title: table for table in tables}))


def _findings(policy: Policy, tables: dict[str, Table]) -> Iterator[Finding]:
    for title in policy.tables:
        if title not in tables and title not in OWN:
            yield Finding("table-missing", title, "the policy lists it, and the source captures no such table")
    for title, table in tables.items():
        if title not in policy.tables:
            yield Finding("table-unlisted", title, "it is captured, and the policy does not list it: sealed whole")
        else:
            yield from _table(policy, table)
    for table in tables.values():
        yield from _joins(policy, table, tables)


def _table(policy: Policy, table: Table) -> Iterator[Finding]:
    rule, title = policy.tables[table.title], table.title
    columns = {column.name for column in table.columns}
    for column in table.columns:
        if column.name not in rule.columns:
            what = "tokenised, in a domain of its own" if column.name in table.key else "sealed"
            yield Finding("column-unlisted", f"{title}.{column.name}", f"the policy does not list it: {what}")
    for name in rule.columns:
        if name not in columns:
            yield Finding("column-missing", f"{title}.{name}", "the policy lists it, and the table has no such column")
    for name in table.key:
        protect = rule.columns[name].protect if name in rule.columns else "token"
        if protect in {"seal", "drop"}:
            problem = f"{protect} on a key column: it will be tokenised, in a domain of its own"
            yield Finding("key-protection", f"{title}.{name}", problem)
    if rule.key is not None and rule.key != table.key:
        yield Finding("key-differs", title, f"its key is ({', '.join(table.key)}), not ({', '.join(rule.key)})")
    if rule.subject is not None and rule.subject.column not in columns:
        problem = f"the subject column {rule.subject.column} does not exist: rows are under the source's own subject"
        yield Finding("subject-missing", title, problem)


def _joins(policy: Policy, table: Table, tables: dict[str, Table]) -> Iterator[Finding]:
    """Foreign keys whose two ends are not comparable in the warehouse."""
    for reference in table.references:
        if reference.table not in tables:
            continue
        here = {plan.column: plan for plan in _plans(policy, table)}
        there = {plan.column: plan for plan in _plans(policy, tables[reference.table])}
        for column, target in zip(reference.columns, reference.references, strict=True):
            mine, its = here[column], there[target]
            if (mine.protect, mine.domain) != (its.protect, its.domain) or mine.protect in {"seal", "drop"}:
                problem = f"{_said(mine)}, but {reference.table}.{target}, which it refers to, is {_said(its)}: no join"
                yield Finding("join", f"{table.title}.{column}", problem, wrong=False)


def _said(plan: ColumnPlan) -> str:
    return f"token of domain {plan.domain}" if plan.protect == "token" else plan.protect

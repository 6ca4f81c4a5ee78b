"""A table version under a plan, described: digests, the content of its ``schema`` entry, the columns of its state."""

from __future__ import annotations

from cdc.copytext import escape
from cdc.entry import canonical, digest, state_column
from cdc.event import Column, TableVersion, Value
from cdc.protect.model import ProtectedTable, StateColumn
from cdc.values import postgres, typing_of
from cdc.values.typing import Typing
from governance.plan import Plan


def describe(source: str, name: str, version: TableVersion, plan: Plan) -> ProtectedTable:
    """The table ``name`` (``schema.table``) of a source as its entries and its state show it (docs/formats.md §5)."""
    typed = [(column, typing_of(column)) for column in version.columns]
    columns: list[Value] = [_described(column, typing) for column, typing in typed]
    key: list[Value] = list(version.key)
    state = tuple(
        StateColumn(
            state_column(column.name),
            {"seal": "bytea", "token": "text"}.get(rule.protect) or typing.state,
            rule.protect,
        )
        for rule, (column, typing) in zip(plan.columns, typed, strict=True)
        if rule.protect != "drop"
    )
    return ProtectedTable(
        source=source,
        version=version,
        plan=plan,
        table=name,
        schema_digest=digest({"columns": columns, "key": key, "table": name}),
        plan_digest=plan.digest,
        content=canonical({"columns": columns, "key": key, "plan": plan.content()}),
        state_columns=state,
        copied_name=escape(name).encode(),
        keyless=version.keyless,
    )


def _described(column: Column, typing: Typing) -> dict[str, Value]:
    found: dict[str, Value] = {
        "length": column.length,
        "name": column.name,
        "optional": "yes" if column.optional else "no",
        "scale": column.scale,
        "semantic": column.semantic or None,
        "state": typing.state,
        "type": column.type,
        "wire": column.wire,
    }
    if column.connector != postgres.CONNECTOR:
        found["connector"] = column.connector
    return found

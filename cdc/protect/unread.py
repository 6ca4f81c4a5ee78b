"""The row key of a record that could not be read, from its Kafka key: protected as the plan of its table protects it.

It is told only where it is sure to be the text that every other entry of the row has; else the whole table waits.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cdc.event import Column, Value
from cdc.protect.model import ProtectedTable
from cdc.values import INTEGERS, TEXTS
from governance.keys import Keys

_TEMPORAL = "io.debezium.time."
"""Semantic names of dates and times: a snapshot and the stream may spell one of them in two ways (docs/types.md)."""
_WIRES = INTEGERS | TEXTS | {"boolean"}
_json = msgspec.json.Encoder().encode


def row_key(table: ProtectedTable, values: Sequence[Value], keys: Keys, *, own: bool) -> str | None:
    """The row key, or None where it cannot be told: no key, an optional key column, one of a type with two spellings,
    or one whose token does not exist and would have to be made under a subject that only the row's image names.
    ``own``: the policy names no such subject. Of ``table`` no column is asked for but those of its key.

    Raises:
        governance.errors.GovernanceError: the privacy store is away, or was restored to the past.
    """
    if table.keyless or len(values) != len(table.version.key):
        return None
    columns = {column.name: column for column in table.version.columns}
    if not all(_one_spelling(columns[name]) for name in table.version.key):
        return None
    rules = {rule.column: rule for rule in table.plan.columns}
    parts: list[Value] = []
    for name, value in zip(table.version.key, values, strict=True):
        if type(value) is not str:
            return None
        rule = rules[name]
        if rule.protect == "token":
            token = _token(table.source, rule.domain or "", value, keys, own=own)
            if token is None:
                return None
            parts.append({"token": token})
        else:
            parts.append(value)
    return _json(parts).decode()


def _one_spelling(column: Column) -> bool:
    return not column.optional and column.wire in _WIRES and not column.semantic.startswith(_TEMPORAL)


def _token(source: str, domain: str, text: str, keys: Keys, *, own: bool) -> str | None:
    token = keys.existing_token(domain, text)
    if token is None and own:
        keys.ensure_tokens({domain: {text: keys.subject("source", source)}})
        token = keys.token(domain, text)
    return token

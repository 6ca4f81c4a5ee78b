"""Conditions on columns: ``COLUMN=VALUE`` and the like, to SQL that compares values in the column's own type."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from cdc.audit.reading import Reading
from cdc.audit.versions import CELL, Column, TableVersion
from cdc.errors import ConfigError, NotFound
from governance.tokens import PATTERN

FORMS = "COLUMN=VALUE (also != < <= > >=), 'COLUMN is null', 'COLUMN is not null'"
IMAGE = "image"
"""Name of the row's image, of type json, in the compiled SQL."""
_COMPARED = re.compile(r"(\s*)(=|!=|<=|>=|<|>)(.*)", re.DOTALL)
_NULL = re.compile(r"\s+is\s+(not\s+)?null\s*", re.IGNORECASE)
_LIKE_A_CONDITION = re.compile(r"[^=<>!]+(=|!=|<|>)|.+\sis\s", re.IGNORECASE | re.DOTALL)
_TYPED = "SELECT audit.common_type(%(types)s), audit.typed(%(value)s, audit.common_type(%(types)s))"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. ``value`` is None for ``is null`` and ``is not null``."""

    column: str
    operator: str
    value: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Compiled:
    """Conditions as SQL over :data:`IMAGE`. ``equal``: what columns must equal, in the spelling of their type."""

    sql: str
    parameters: dict[str, str] = field(repr=False)
    equal: dict[str, str] = field(repr=False)


def parse(text: str, columns: Sequence[str]) -> Condition:
    """One condition on one of these columns. A name may be quoted as in SQL; what follows the operator is the value.

    Raises:
        NotFound: no such column; those there are are named.
        ConfigError: not a condition.
    """
    for name in sorted(columns, key=len, reverse=True):
        for spelt in (name, '"' + name.replace('"', '""') + '"'):
            rest = text.removeprefix(spelt)
            if len(rest) == len(text):
                continue
            if (null := _NULL.fullmatch(rest)) is not None:
                return Condition(name, "is not null" if null[1] else "is null", None)
            if (compared := _COMPARED.fullmatch(rest)) is not None:
                blank, operator, value = compared.groups()
                return Condition(name, operator, value.removeprefix(" ") if blank else value)
    if _LIKE_A_CONDITION.match(text):
        raise NotFound("--where: the table has no such column", hint=f"its columns: {', '.join(columns)}")
    raise ConfigError("--where: not a condition", hint=FORMS)


def compile_all(reading: Reading, conditions: Sequence[Condition], described: Sequence[TableVersion]) -> Compiled:
    """All conditions, joined by AND. ``described``: the versions that rows may have, the one in force last.

    Raises:
        ConfigError: a condition cannot be judged: the column is sealed, or the value is not one of its type.
    """
    parts, parameters, equal = ["true"], {}, {}
    for number, condition in enumerate(conditions):
        name = f"column_{number}"
        parameters[name] = condition.column
        value = f"({IMAGE} -> %({name})s)"
        if condition.value is None:
            negated = "<>" if "not" in condition.operator else "="
            parts.append(f"json_typeof(coalesce({value}, 'null')) {negated} 'null'")
            continue
        column = next(each for each in described[-1].columns if each.name == condition.column)
        kinds = [each for version in described for each in version.columns if each.name == condition.column]
        _refuse(column, kinds, condition)
        types = sorted({str(each.type) for each in kinds})
        kind, typed = reading.rows(_TYPED, {"types": types, "value": value})[0]
        spelt = _spelt(reading, kind, condition)
        parameters[f"value_{number}"] = spelt
        if kind in {"text", "json"}:
            parts.append(f'audit.value_text({value}) COLLATE "C" {_sql(condition)} %(value_{number})s')
        else:
            parts.append(f"{typed} {_sql(condition)} %(value_{number})s::{kind}")
        if condition.operator == "=":
            equal[condition.column] = spelt
    return Compiled(" AND ".join(parts), parameters, equal)


def _refuse(column: Column, kinds: Sequence[Column], condition: Condition) -> None:
    if any(each.type == CELL for each in kinds):
        raise ConfigError(
            f"--where: column {column.name} is sealed: without its key a value cannot be compared with another",
            hint=f"of a sealed column only this can be asked: '{column.name} is null', '{column.name} is not null'",
        )
    if any(each.type is None for each in kinds):
        raise ConfigError(f"--where: column {column.name} is dropped by the policy: the log does not have its values")
    if column.protect == "token":
        if condition.operator not in {"=", "!="}:
            raise ConfigError(f"--where: column {column.name} holds tokens, which have no order: only = and !=")
        if not PATTERN.fullmatch(condition.value or ""):
            raise ConfigError(
                f"--where: column {column.name} is tokenised: it is compared with a token",
                hint="tok_ and 32 hex digits, as --output json shows them; never type the value itself",
            )
    if column.type == "json" and condition.operator not in {"=", "!="}:
        raise ConfigError(f"--where: column {column.name} is of type json, which has no order: only = and !=")


def _spelt(reading: Reading, kind: str, condition: Condition) -> str:
    """The value as PostgreSQL writes it in this type."""
    if kind in {"text", "json"}:
        return str(condition.value)
    rows = reading.attempt(f"SELECT (%(value)s::{kind})::text", {"value": condition.value})
    if rows is None:
        raise ConfigError(f"--where: the value for column {condition.column} is not one of type {kind}")
    return str(rows[0][0])


def _sql(condition: Condition) -> str:
    return "<>" if condition.operator == "!=" else condition.operator

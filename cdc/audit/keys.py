"""From the values of a row's key to its row key, the canonical text under which the log finds it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence

from cdc.audit.reading import Reading
from cdc.audit.tables import Table
from cdc.audit.versions import Column, TableVersion
from cdc.entry import Json, canonical, state_column
from cdc.errors import ConfigError, Conflict, NotFound
from governance.tokens import PATTERN

TokenOf = Callable[[str, str], str | None]
"""The token that a value has in a domain, or None. It mints nothing."""
_PRESENT = """
SELECT DISTINCT row_key FROM audit.entry WHERE log = %(log)s AND table_name = %(table)s AND row_key = ANY(%(keys)s)
"""
_STATE = """
SELECT state_schema, state_name, key FROM pipeline.state_table WHERE log = %(log)s AND table_name = %(table)s
"""
_FOUND = 10
"""Rows that one typed key may mean, at most."""


def row_keys(
    table: Table, described: Sequence[TableVersion], values: Sequence[str], token_of: TokenOf | None
) -> list[str]:
    """The row keys that these values (one for each key column, in key order) have had under any version of the table.

    ``token_of``: looks up plaintext of tokenised columns; None where the values were visible to others (arguments of a
    process), so that tokenised columns take tokens only. Empty when a value has no token.

    Raises:
        Conflict: the table has no key.
        ConfigError: another number of values, or plaintext where it must not be.
    """
    newest = _fitting(table, described, len(values))
    found: dict[str, None] = {}
    for version in reversed(described):
        parts = _parts(version, newest, values, token_of)
        if parts is not None:
            found[canonical(parts).decode()] = None
    return list(found)


def _fitting(table: Table, described: Sequence[TableVersion], count: int) -> TableVersion:
    """The newest version whose key has that many columns."""
    keyed = [version for version in described if version.key]
    if not keyed:
        raise Conflict(
            f"{table.title} has no key: its rows have no identity, and no history of their own",
            hint=f"cdc audit as-of {shlex.quote(table.title)} --at now --where COLUMN=VALUE; cdc audit transaction ID",
        )
    fitting = [version for version in keyed if len(version.key) == count]
    if not fitting:
        key = keyed[-1].key
        raise ConfigError(
            f"{table.title} has {len(key)} key column(s), {', '.join(key)}: {count} value(s) were given",
            hint=f"one value each, in that order: {' '.join(name.upper() for name in key)}",
        )
    return fitting[-1]


def _parts(
    version: TableVersion, newest: TableVersion, values: Sequence[str], token_of: TokenOf | None
) -> list[Json] | None:
    if len(version.key) != len(values):
        return None
    parts: list[Json] = []
    for column, value in zip(version.key_columns, values, strict=True):
        if column.protect != "token":
            parts.append(value)
        elif PATTERN.fullmatch(value):
            parts.append({"token": value})
        elif token_of is not None:
            token = token_of(str(column.domain), value)
            if token is None:
                return None
            parts.append({"token": token})
        elif version is newest:
            _refuse(column)
        else:
            return None
    return parts


def _refuse(column: Column) -> None:
    raise ConfigError(
        f"key column {column.name} holds personal data: the log has a token (tok_…) in its place, and others could see"
        " a value that is typed here",
        hint="--key-stdin reads the key's values from standard input, one a line",
    )


def find(
    reading: Reading, table: Table, described: Sequence[TableVersion], values: Sequence[str], token_of: TokenOf | None
) -> list[str]:
    """The row keys of :func:`row_keys` that the log has; else those of rows whose key means the same.

    Raises:
        NotFound: no such row. Also what :func:`row_keys` raises.
    """
    keys = row_keys(table, described, values, token_of)
    newest = _fitting(table, described, len(values))
    found = _present(reading, table, keys) or _present(reading, table, _typed(reading, table, newest, keys))
    if not found:
        raise NotFound(
            f"the log has no row of {table.title} with that key",
            hint=f"keys as the log spells them: cdc audit as-of {shlex.quote(table.title)} --at now",
        )
    return found


def _present(reading: Reading, table: Table, keys: Sequence[str]) -> list[str]:
    wanted = {"log": table.log, "table": table.name, "keys": list(keys)}
    return [key for (key,) in reading.rows(_PRESENT, wanted)] if keys else []


def _typed(reading: Reading, table: Table, newest: TableVersion, keys: Sequence[str]) -> list[str]:
    """Row keys by current state, for a value in another spelling (``007``, another zone).

    Reads the whole state table: it has no index on its typed columns.
    """
    state = reading.one(_STATE, {"log": table.log, "table": table.name})
    if not keys or state is None or tuple(state[2]) != newest.key:
        return []
    parts = [part["token"] if isinstance(part, dict) else part for part in json.loads(keys[0])]
    if all(column.type == "text" for column in newest.key_columns):
        return []
    conditions = " AND ".join(
        f"{_quoted(state_column(column.name))} = %(value_{n})s::{column.type}"
        for n, column in enumerate(newest.key_columns)
    )
    found = reading.attempt(
        f"SELECT _key FROM {_quoted(state[0])}.{_quoted(state[1])} WHERE {conditions} LIMIT {_FOUND}",
        {f"value_{n}": part for n, part in enumerate(parts)},
    )
    return [key for (key,) in found or []]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'

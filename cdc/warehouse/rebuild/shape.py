"""What a rebuilt state table looks like, and how images of older table versions become its rows.

A table gets the columns of the version in force. A row that was written under an older version shows of its image what
those columns can hold: what an older image lacks is NULL, and a column in which an older value is none of the new type,
or is protected otherwise, holds text instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from cdc.copytext import NULL, clear_text, sealed_text, token_text
from cdc.entry import canonical, state_column
from cdc.event import Value
from cdc.values import Typing, as_it_is, typing_of
from cdc.values import described as source_column

NUMBERS = frozenset({"smallint", "integer", "bigint", "numeric"})
"""Types between which a text may stay what it is."""
_FLOATS = frozenset({"real", "double precision"})


class UnfitError(Exception):
    """A column of the new table cannot hold a value of an older version. Names the column, never the value."""

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


@dataclass(frozen=True, slots=True)
class Column:
    """A column of one table version: its typing, name and type of its state column, and its protection.

    ``source``: its name at the source, and so in images. ``declared``: type, length and scale at the source.
    """

    name: str
    source: str
    typing: Typing
    type: str
    protect: str
    declared: tuple[str | None, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Version:
    """One table version, as its ``schema`` entry describes it (docs/formats.md §5); dropped columns left out."""

    schema: str
    plan: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    names: frozenset[str]

    @property
    def digests(self) -> tuple[str, str]:
        """Schema and plan digest: which version this is."""
        return self.schema, self.plan


def described(schema: str, plan: str, content: Mapping[str, Any]) -> Version:
    """The version that the content of a ``schema`` entry describes."""
    columns = [
        _column(column, step["protect"])
        for column, step in zip(content["columns"], content["plan"], strict=False)
        if step["protect"] != "drop"
    ]
    names = frozenset(column["name"] for column in content["columns"])
    return Version(schema, plan, tuple(content["key"]), tuple(columns), names)


def _column(column: Mapping[str, str | None], protect: str) -> Column:
    typing = typing_of(source_column(column))
    kept_as = {"seal": "bytea", "token": "text"}.get(protect) or column.get("state") or typing.state
    declared = (column["type"], column["length"], column["scale"])
    return Column(state_column(str(column["name"])), str(column["name"]), typing, kept_as, protect, declared)


class Renderer:
    """Images of one table version → lines of COPY's text format with the columns of another, the target."""

    def __init__(self, version: Version, target: Version, as_text: frozenset[str]) -> None:
        mine = {column.name: column for column in version.columns}
        self._cells = [
            (column.source, _cell(mine.get(column.name), column, as_text=column.name in as_text))
            for column in target.columns
        ]
        self._key = frozenset(target.key)
        self.lacks = tuple(c.name for c in target.columns if c.source not in version.names)

    def row(self, image: Mapping[str, Value]) -> str:
        """The whole row.

        Raises:
            UnfitError: a column of the target cannot hold what the image has there.
        """
        return "\t".join([cell(image.get(name)) for name, cell in self._cells])

    def deleted(self, image: Mapping[str, Value]) -> str:
        """What is left of a deleted row: its key."""
        return "\t".join([cell(image.get(name)) if name in self._key else NULL for name, cell in self._cells])


def _cell(mine: Column | None, target: Column, *, as_text: bool) -> Callable[[Value], str]:
    if mine is None:
        return lambda _: NULL
    if as_text or (target.type == "text" and mine.type != "text" and mine.protect == target.protect == "clear"):
        return _written(mine)
    fits = mine.protect == target.protect and (mine.type == target.type or _may_convert(mine.type, target.type))
    if not fits:
        return _refusing(target.name)
    if mine.protect != "clear":
        return sealed_text if mine.protect == "seal" else token_text
    return _without_nul(clear_text(mine.typing.text, mine.typing.structured))


def _written(mine: Column) -> Callable[[Value], str]:
    """The text that the log has: the column cannot say what is a value of its type."""
    if mine.protect != "clear":
        return sealed_text if mine.protect == "seal" else token_text
    return _without_nul(clear_text(as_it_is))


def _may_convert(was: str, now: str) -> bool:
    """Whether texts of one type may be values of the other. Each is tried; real conversions are the source's alone."""
    return {was, now} <= NUMBERS or (was in _FLOATS and now == "double precision")


def _refusing(name: str) -> Callable[[Value], str]:
    def cell(value: Value) -> str:
        if value is None or (type(value) is dict and ("unavailable" in value or "dropped" in value)):
            return NULL
        raise UnfitError(name)

    return cell


def _without_nul(cell: Callable[[Value], str]) -> Callable[[Value], str]:
    """PostgreSQL's text has no character NUL; its symbol stands for it, as in the history views."""
    return lambda value: text.replace("\0", "␀") if "\0" in (text := cell(value)) else text


def keyless_key(image: Mapping[str, Value], target: Version) -> str:
    """The row key of a row without a key under the target version (docs/formats.md §3.1): gone columns do not count."""
    return sha256(canonical({n: v for n, v in image.items() if v is not None and n in target.names})).hexdigest()


decode: Callable[[str], dict[str, Any]] = msgspec.json.Decoder(dict[str, Any]).decode
"""An entry or a body as plain objects."""

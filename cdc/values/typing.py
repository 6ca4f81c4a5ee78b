"""What a registry of source types says of one column: the type of its state column, and how values get there.

A registry is one module per kind of database (``postgres.py``). It is asked once per column of a table version, never
per value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cdc.event import Column, Value

Text: TypeAlias = Callable[[str], str]
"""A scalar's text, as entries hold it → the text that PostgreSQL reads into the state column. Never raises."""
Structured: TypeAlias = Callable[[Value], str]
"""The same for an array or a struct; anything else is a TypeError or KeyError."""
Fidelity: TypeAlias = Literal["exact", "text", "limit"]
"""exact: the state column's text is what the source's column says. text: the value is not typed, and its text is what
the note says. limit: Debezium writes less than the value; the note says what is lost."""


def as_it_is(text: str) -> str:
    """The conversion of types whose text PostgreSQL reads as Debezium writes it."""
    return text


@dataclass(frozen=True, slots=True)
class Typing:
    """How a clear column lands in current state.

    ``state``: a type as PostgreSQL resolves it. ``structured``: None where arrays and structs are kept as their
    canonical JSON text. ``note``: for people; empty where there is nothing to say.
    """

    state: str
    text: Text = as_it_is
    structured: Structured | None = None
    fidelity: Fidelity = "exact"
    note: str = ""


Registry: TypeAlias = Callable[[Column], Typing]
"""How a column of one kind of database is typed."""

UNKNOWN = Typing("text", fidelity="text", note="a type that this version does not know: the text of the wire")


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of ``docs/types.md``: a source type as people write it, and what becomes of it on the way."""

    source: str
    wire: str
    entry: str
    typing: Typing

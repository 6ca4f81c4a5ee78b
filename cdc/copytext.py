"""Values as fields of PostgreSQL's COPY text format (PostgreSQL documentation, COPY, "Text Format")."""

from __future__ import annotations

import base64
from collections.abc import Callable

from cdc.entry import canonical
from cdc.event import Value

NULL = "\\N"


def escape(text: str) -> str:
    """Backslash, tab, newline and carriage return are all that COPY's text format reserves."""
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "\n" in text or "\t" in text or "\r" in text:
        text = text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return text


def sealed_text(value: Value) -> str:
    """A sealed cell as ``bytea`` input. Nothing else may stand in such a column."""
    if type(value) is dict and "seal" in value:
        return "\\\\x" + base64.b64decode(str(value["seal"])).hex()
    return NULL


def token_text(value: Value) -> str:
    """A token as text."""
    return str(value["token"]) if type(value) is dict and "token" in value else NULL


def clear_text(
    convert: Callable[[str], str], structured: Callable[[Value], str] | None = None
) -> Callable[[Value], str]:
    """The function for a clear column whose state type reads what ``convert`` makes of a value's text, and
    ``structured`` of an array or a struct (without it they are their canonical JSON).
    """

    def copy(value: Value) -> str:
        if value is None or (type(value) is dict and "unavailable" in value):
            return NULL
        if structured is not None:
            return escape(structured(value))
        return escape(convert(value) if type(value) is str else canonical(value).decode())

    return copy

"""What a protected row is written as, generated once per table version: canonical bytes, and a line for COPY.

Generated code holds positions only: a column's name never becomes code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from cdc.copytext import NULL, clear_text, sealed_text, token_text
from cdc.entry import member_order
from cdc.event import Column, Value
from cdc.values import Typing, as_it_is, typing_of
from governance.plan import ColumnPlan

Cells = Sequence[Value]
"""The values of a row in wire order, with tokens and sealed cells in their places."""
SealedBytes = Mapping[int, bytes]
"""Position → the bytes of its sealed cell."""

_json = msgspec.json.Encoder().encode
_UNNAMEABLE = frozenset('"\\') | {chr(code) for code in range(32)}


def image_encoder(names: Sequence[str]) -> Callable[[Cells], bytes]:
    """Cells → the canonical bytes of an image: a struct whose fields are declared in canonical order."""
    order = member_order(names)
    at = [names.index(name) for name in order]
    if any(_UNNAMEABLE & set(name) for name in names):  # no struct field can be renamed to these
        return lambda cells: _json(dict(zip(order, [cells[n] for n in at], strict=True)))
    fields = [(f"c{n}", Any) for n in at]
    row = msgspec.defstruct("Image", fields, rename={f"c{n}": names[n] for n in at}, gc=False)
    source = f"lambda c: encode(Image({', '.join(f'c[{n}]' for n in at)}))"
    encoder: Callable[[Cells], bytes] = eval(source, {"encode": _json, "Image": row})  # noqa: S307 - numbers only
    return encoder


class StateLine:
    """Cells → one line of COPY's text format with the columns that state has, in wire order, separated by tabs."""

    def __init__(self, plans: Sequence[ColumnPlan], columns: Sequence[Column], key_at: Sequence[int]) -> None:
        kept = [n for n, plan in enumerate(plans) if plan.protect != "drop"]
        typed = {n: typing_of(columns[n]) for n in kept}
        self._exact = [(n, _copy_texts(plans[n].protect, typed[n])) for n in kept]
        self._key_at = frozenset(key_at)
        self._seals = sum(plans[n].protect == "seal" for n in kept)
        self._tabs = len(kept) - 1
        self._plain = _plain_line([(n, plans[n].protect, typed[n]) for n in kept])

    def row(self, cells: Cells, sealed: SealedBytes) -> str:
        """The whole row."""
        if len(sealed) == self._seals:
            try:
                line = self._plain(cells, sealed)
            except (TypeError, KeyError):  # a null, an array, a marker: nothing that joins
                pass
            else:
                # Only the two backslashes before each sealed cell: what COPY reserves is nowhere in the values.
                if (
                    line.count("\\") == 2 * self._seals
                    and line.count("\t") == self._tabs
                    and "\n" not in line
                    and "\r" not in line
                ):
                    return line
        return "\t".join([copy(cells[n]) for n, copy in self._exact])

    def deleted(self, cells: Cells) -> str:
        """What is left of a deleted row: its key."""
        return "\t".join([copy(cells[n]) if n in self._key_at else NULL for n, copy in self._exact])


def _plain_line(kept: Sequence[tuple[int, str, Typing]]) -> Callable[[Cells, SealedBytes], str]:
    """One generated expression, right for rows without nulls and without anything that COPY reserves."""
    parts: list[str] = []
    names: dict[str, Callable[..., str]] = {}
    for n, protect, typing in kept:
        if protect == "seal":
            parts.append(f"r'\\\\x' + s[{n}].hex()")
        elif protect == "token":
            parts.append(f"c[{n}]['token']")
        elif typing.structured is not None:
            names[f"f{n}"] = typing.structured
            parts.append(f"f{n}(c[{n}])")
        elif typing.text is as_it_is:
            parts.append(f"c[{n}]")
        else:
            names[f"f{n}"] = typing.text
            parts.append(f"f{n}(c[{n}])")
    source = f"lambda c, s: '\\t'.join(({' '.join(part + ',' for part in parts)}))"
    line: Callable[[Cells, SealedBytes], str] = eval(source, dict(names))  # noqa: S307 - numbers only
    return line


def _copy_texts(protect: str, typing: Typing) -> Callable[[Value], str]:
    if protect == "seal":
        return sealed_text
    return token_text if protect == "token" else clear_text(typing.text, typing.structured)

"""Values: from Connect's wire types to exact texts (``wire``), and from those to typed current state.

Each kind of database has a registry of its types, one module each; :func:`typing_of` asks the right one. The table of
``docs/types.md`` is printed from the registries: ``python -m cdc.values``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cdc.event import Column
from cdc.values import mariadb, postgres
from cdc.values.typing import UNKNOWN, Registry, Typing, as_it_is
from cdc.values.wire import INTEGERS, TEXTS, field_type, from_header, from_json, value_of

__all__ = [
    "INTEGERS",
    "TEXTS",
    "Typing",
    "as_it_is",
    "described",
    "field_type",
    "from_header",
    "from_json",
    "rendering_of",
    "typing_of",
    "value_of",
]

REGISTRIES: dict[str, Registry] = {postgres.CONNECTOR: postgres.typing_of, mariadb.CONNECTOR: mariadb.typing_of}
"""By the name that a connector gives itself in the ``source`` block of its records."""


def described(column: Mapping[str, str | None]) -> Column:
    """A column as the content of a ``schema`` entry describes it (docs/formats.md §5)."""
    return Column(
        name=str(column["name"]),
        type=str(column["type"]),
        length=column["length"],
        scale=column["scale"],
        wire=str(column["wire"]),
        optional=column["optional"] == "yes",
        semantic=column.get("semantic") or "",
        connector=column.get("connector") or postgres.CONNECTOR,
    )


def rendering_of(column: Column) -> Callable[[str], str] | None:
    """How the text of a column on the wire becomes the text that entries hold (docs/formats.md §2); None: it is the
    same. The function raises ValueError without content for what is no text of its type.
    """
    if column.connector == mariadb.CONNECTOR:
        return mariadb.rendering_of(column)
    return postgres.rendering_of(column)


def typing_of(column: Column) -> Typing:
    """How a column lands in current state where the policy leaves it clear. A kind of database without a registry: as
    the text of the wire.
    """
    registry = REGISTRIES.get(column.connector)
    return registry(column) if registry is not None else UNKNOWN

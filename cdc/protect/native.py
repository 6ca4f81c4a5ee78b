"""Protection of one table version by the native kernel, where there is one and the table has a key."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from cdc import native
from cdc.entry import member_order
from cdc.event import ChangeEvent
from cdc.protect.model import ProtectedEvent, ProtectedTable
from cdc.values import as_it_is, texts, typing_of
from cdc.values.typing import Structured, Text
from governance.keys import Keys
from governance.seal import tail_prefix

_json = msgspec.json.Encoder().encode
_SHORTCUTS: dict[Callable[[str], str], str] = {
    as_it_is: "same",
    texts.numeric: "numeric",
    texts.iso: "dated",
    texts.iso_without_zone: "dated-without-zone",
}
"""What the kernel calls a conversion whose plainest texts it knows; all other texts it asks Python for."""

Protect = Callable[[ChangeEvent], ProtectedEvent | None]
"""None for an event that is not ordinary."""


def native_protection(table: ProtectedTable, keys: Keys) -> Protect | None:
    """The kernel's way to protect rows of this table version; None: there is only Python's."""
    kernel, version, plan = native.kernel(), table.version, table.plan
    if kernel is None or table.keyless:
        return None
    names = [column.name for column in version.columns]
    columns = []
    for rule, column in zip(plan.columns, version.columns, strict=True):
        typing = typing_of(column)
        convert: Structured | Text = typing.structured or typing.text
        prefix = tail_prefix(table.source, table.table, rule.column)
        shortcut = _SHORTCUTS.get(convert, "")
        columns.append((_json(column.name), rule.protect, rule.domain or "", rule.tier, prefix, shortcut, convert))
    subject = plan.subject
    made = kernel.Table(
        columns=columns,
        order=[names.index(name) for name in member_order(names)],
        key_at=[names.index(name) for name in version.key],
        subject_at=names.index(subject.column) if subject and subject.column in names else None,
        subject_type=subject.type if subject else "",
        source=table.source,
        keys=keys,
        event=ProtectedEvent,
        table=table,
    )
    protect: Protect = made.protect
    return protect

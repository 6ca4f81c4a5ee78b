"""Protects a batch of events: what the privacy store must know first, then every event in order."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence

from cdc.entry import canonical
from cdc.event import ChangeEvent, Event, LogicalMessage, Quarantined, TableVersion, Value
from cdc.protect.model import Protected, ProtectedMessage, ProtectedQuarantine
from cdc.protect.table import TableProtection
from cdc.protect.unread import row_key
from governance.keys import Keys, Subject
from governance.policy import Policy
from governance.seal import STRUCTURE, TEXT, tail_prefix


class Protector:
    """Protects the events of one source under one policy. Not thread-safe: one stream, one protector."""

    def __init__(self, source: str, policy: Policy, keys: Keys) -> None:
        self._source = source
        self._policy = policy
        self._keys = keys
        self._tables: dict[TableVersion, TableProtection] = {}

    def protect(self, events: Sequence[Event]) -> list[Protected]:
        """The same events, protected, in order.

        Raises:
            governance.errors.GovernanceError: the privacy store is away, was restored to the past, or does not fit the
            keyring.
        """
        self._ensure(events)
        return [self._one(event) for event in events]

    def _ensure(self, events: Iterable[Event]) -> None:
        """Subjects first, then tokens, each in one round trip when anything is new."""
        changes: dict[TableVersion, list[ChangeEvent]] = {}
        for event in events:
            if type(event) is ChangeEvent:
                changes.setdefault(event.table, []).append(event)
        subjects: dict[str, set[str]] = {"source": {self._source}}
        for version, group in changes.items():
            self._table(version).subjects(group, subjects)
        self._keys.ensure_subjects(subjects)
        tokens: dict[str, dict[str, Subject]] = {}
        for version, group in changes.items():
            self._tables[version].tokens(group, tokens)
        if tokens:
            self._keys.ensure_tokens(tokens)

    def _table(self, version: TableVersion) -> TableProtection:
        table = self._tables.get(version)
        if table is None:
            table = self._tables[version] = TableProtection(self._source, version, self._policy, self._keys)
        return table

    def _one(self, event: Event) -> Protected:
        if type(event) is ChangeEvent:
            return self._tables[event.table].protect(event)
        if type(event) is LogicalMessage:
            return self._message(event)
        if type(event) is Quarantined:
            return self._quarantined(event)
        return event  # type: ignore[return-value]  # the plaintext kinds are handled above

    def _message(self, event: LogicalMessage) -> ProtectedMessage:
        content: Value = event.content
        if self._policy.messages != "clear":
            cipher = self._keys.cipher(self._keys.subject("source", self._source), 0)
            tail = tail_prefix(self._source, "", event.prefix) + b"[]]"
            content = {"seal": base64.b64encode(cipher.seal(TEXT + event.content.encode(), tail)).decode()}
        return ProtectedMessage(event.origin, canonical({"content": content, "prefix": event.prefix}))

    def _quarantined(self, event: Quarantined) -> ProtectedQuarantine:
        """Sealed whatever the policy says: nobody knows what is in it."""
        cipher = self._keys.cipher(self._keys.subject("source", self._source), 0)
        tail = tail_prefix(self._source, "", "quarantined") + canonical([str(event.origin.offset)]) + b"]"
        sealed = base64.b64encode(cipher.seal(STRUCTURE + event.content, tail)).decode()
        content = canonical({"reason": event.reason, "sealed": {"seal": sealed}})
        key = None
        if event.row is not None:
            version, values = event.row
            table = self._table(version).table
            rule = self._policy.tables.get(table.table)
            own = rule is None or rule.subject is None
            key = row_key(table, values, self._keys, own=own)
        return ProtectedQuarantine(event.origin, event.table, content, key)

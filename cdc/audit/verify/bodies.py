"""Bodies beside their entries: both come in the order of seq, so they are merged as they come."""

from __future__ import annotations

from collections.abc import Iterable

from .findings import Findings
from .rows import BodyRow


class Bodies:
    """Gives each entry its body; a body without an entry is a finding."""

    def __init__(self, rows: Iterable[BodyRow], findings: Findings) -> None:
        self.count = 0
        self._rows = iter(rows)
        self._next = next(self._rows, None)
        self._findings = findings

    def of(self, seq: int) -> str | None:
        """The body stored for this entry, if any. Asked in the order of seq."""
        while self._next is not None and int(self._next[0]) < seq:
            self._orphan(self._next)
        if self._next is None or int(self._next[0]) != seq:
            return None
        body = self._next[1]
        self.count += 1
        self._next = next(self._rows, None)
        return body

    def end(self) -> None:
        """No entry follows."""
        while self._next is not None:
            self._orphan(self._next)

    def _orphan(self, row: BodyRow) -> None:
        self._findings.say(int(row[0]), "body", "a body is stored for an entry that is not there")
        self._next = next(self._rows, None)

"""What became of quarantined records (docs/formats.md §3.9): each at most once, and what replays one stands with it."""

from __future__ import annotations

from typing import Any, NamedTuple

from .replays import commit_of

_SAME = ("topic_id", "partition", "offset", "produced_at")


class Unread(NamedTuple):
    """A quarantined record: the members that say which it is, and its table where that is known.

    ``high``: the last source position that was applied before it. ``again``: a quarantined record before it stands in a
    transaction of the same id.
    """

    record: tuple[str, ...]
    table: str | None
    high: tuple[int, int] | None
    again: bool


class Resolutions:
    """Follows the entries that resolve others. ``open``: by seq, the records of which nothing has become yet.

    ``extra``: entries that no record was read for: ``resolved``, and what resolves, but ``schema`` entries.
    """

    def __init__(self) -> None:
        self.open: dict[int, Unread] = {}
        self.replayed = 0
        self.dismissed = 0
        self.extra = 0
        self._of: int | None = None
        self._ordinal = 0
        self._taken = False
        self._inside: set[str] = set()

    @property
    def waiting(self) -> bool:
        """Whether an entry that resolves a record still waits for the one that says so."""
        return self._of is not None

    def faults(self, seq: int, entry: dict[str, Any], high: tuple[int, int] | None) -> list[str]:
        """What is wrong with the entry as far as it resolves another, or should. ``high``: the last source position
        that was applied before it.
        """
        if "resolves" in entry:
            return self._replay(seq, entry)
        if entry["kind"] == "resolved":
            return self._resolved(entry["content"])
        if entry["kind"] == "quarantined":
            inside = entry.get("transaction", {}).get("id", "")
            record = tuple(entry[name] for name in _SAME)
            self.open[seq] = Unread(record, entry.get("table"), high, inside in self._inside)
            self._inside.update({inside} - {""})
        found = []
        if self._of is not None:
            self._of = None
            found.append("what resolves a record before it is not followed by an entry of kind resolved")
        if "replay_of" in entry and entry["replay_of"].startswith("entry/"):
            found.append("it names a later entry, and resolves nothing")
        return found

    def _replay(self, seq: int, entry: dict[str, Any]) -> list[str]:
        self.extra += entry["kind"] != "schema"
        resolves, before = entry["resolves"], self._of
        if not {"seq"} <= resolves.keys() <= {"seq", "transaction"}:
            return ["resolves is not the seq of an entry, and the transaction of its record"]
        of = self._of = int(resolves["seq"])
        if before is None:
            self._ordinal, self._taken = 0, False
        self._ordinal += 1
        unread = self.open.get(of)
        found = []
        if before not in {None, of} or self._taken:
            found.append("what resolves a record before it is not followed by an entry of kind resolved")
        self._taken = entry["kind"] != "schema"
        if unread is None:
            found.append("it resolves an entry that is no quarantined record, or no longer")
        elif unread.record != tuple(entry[name] for name in _SAME) or entry["ordinal"] != str(self._ordinal):
            found.append("its record is not that of the entry that it resolves")
        elif "table" in entry and unread.table not in {None, entry["table"]}:
            found.append("it is of another table than the entry that it resolves")
        if unread is not None:
            found += _unapplied(seq, of, entry, unread)
        return found

    def _resolved(self, content: dict[str, Any]) -> list[str]:
        self.extra += 1
        of, before, taken = int(content["of"]), self._of, self._taken
        self._of, self._taken = None, False
        found = []
        if self.open.pop(of, None) is None:
            found.append("it resolves an entry that is no quarantined record, or no longer")
        if content["how"] == "replayed":
            self.replayed += 1
            if before != of or not taken:
                found.append("it says that a record was replayed, and the entry before it does not resolve that")
        elif content["how"] == "dismissed":
            self.dismissed += 1
            if before is not None or type(content["reason"]) is not str:
                found.append("a record is dismissed with a reason, and without a replay")
        else:
            found.append("a record is replayed or dismissed")
        return found


def _unapplied(seq: int, of: int, entry: dict[str, Any], unread: Unread) -> list[str]:
    """What is wrong with the reason why it is recorded and not applied."""
    stated = entry.get("replay_of")
    if stated is None:
        return []
    if stated.startswith("entry/"):
        return [] if of < int(stated[6:]) < seq else ["replay_of is not a later entry than the one that it resolves"]
    if _had(stated, entry, unread):
        return []
    return ["it is called a replay, and the log did not have its source position before its record"]


def _had(position: str, entry: dict[str, Any], unread: Unread) -> bool:
    """Whether the log can have had the event at this source position before its record: by what it had applied, or
    because a record of the same transaction was quarantined before.
    """
    commit, fault = commit_of(entry["position"])
    order = entry["resolves"].get("transaction", {}).get("order")
    if fault is not None or commit is None or order is None or position != f"{commit}/{order}":
        return False
    return unread.again or (unread.high is not None and (int(commit), int(order)) <= unread.high)

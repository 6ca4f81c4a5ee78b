"""Reads a whole log, from seq 0, and says what docs/formats.md does not allow in it.

``verify(rows)`` takes (seq, entry text, body text or None, leaf in hex) and returns what is wrong, each with its seq;
nothing, when nothing is. What a problem says names tables, columns and members, never a value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from tests.independent import canonical, chain, images, shape, tree
from tests.independent.transactions import Transactions

Row = tuple[int, str, "str | None", str]
MAX_ENTRY = 65_535


class Problem(NamedTuple):
    seq: int
    reason: str


def verify(rows: Iterable[Row], *, edge: list[str] | None = None, root: str | None = None) -> list[Problem]:
    """Everything wrong with these rows; ``edge`` and ``root`` (hex) as the log states them, where they are known."""
    reader = Reader()
    for row in rows:
        reader.read(*row)
    return reader.finish(edge=edge, root=root)


class Reader:
    """The same, row by row. ``leaves`` are those computed from the entries, not those that the rows state."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.leaves: list[bytes] = []
        self.kinds: dict[str, int] = {}
        self._seq = -1
        self._origin: str | None = None
        self._epoch: str | None = None
        self._ordered_at = 0
        self._stream: tuple[str, str] | None = None
        self._record: tuple[int, int] = (-1, 0)  # offset and ordinal of the entry before
        self._salts: set[str] = set()
        self._schemas: dict[tuple[str, str, str], dict] = {}
        self._announced: dict | None = None  # a schema entry whose record has not followed yet
        self._transactions = Transactions()
        self._rows = chain.Rows()
        self._unread: dict[int, dict] = {}  # quarantined entries of which nothing has become yet
        self._late: dict | None = None  # what resolves one, until its entry of kind resolved

    def read(self, seq: int, text: str, body: str | None, leaf: str) -> None:
        """Judge the next row."""
        self._seq += 1
        self.leaves.append(tree.leaf(text.encode()))
        if seq != self._seq:
            self._say(f"seq {seq} stands at leaf {self._seq}")
        if leaf != self.leaves[-1].hex():
            self._say("the leaf is not the hash of the entry")
        try:
            entry, aside = self._parse(text, body)
        except canonical.NotCanonical as error:
            self._say(f"not canonical: {error}")
            return
        found = shape.faults(entry, aside)
        self._say(*found)
        if not found:
            self.kinds[entry["kind"]] = self.kinds.get(entry["kind"], 0) + 1
            try:
                self._judge(entry | (aside or {}))
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                self._say(f"shaped so that it cannot be judged further ({type(error).__name__})")

    def finish(self, *, edge: list[str] | None = None, root: str | None = None) -> list[Problem]:
        """Compare the tree, and return every problem found."""
        if edge is not None and edge != [digest.hex() for digest in tree.edge(self.leaves)]:
            self._say("the edge of the log is not the edge of its entries")
        if root is not None and root != tree.root(self.leaves).hex():
            self._say("the root of the log is not the root of its entries")
        return self.problems

    def _parse(self, text: str, body: str | None) -> tuple[dict, dict | None]:
        if len(text.encode()) > MAX_ENTRY:
            self._say(f"longer than {MAX_ENTRY} bytes")
        entry = canonical.read(text)
        if not isinstance(entry, dict):
            raise canonical.NotCanonical("not an object")
        if body is None:
            return entry, None
        moved = body.encode()
        if entry.get("body") != {"length": str(len(moved)), "sha256": hashlib.sha256(moved).hexdigest()}:
            self._say("the body is not the one that the entry names")
        aside = canonical.read(body)
        if not isinstance(aside, dict) or not aside or not set(aside) <= {"after", "before", "content"}:
            raise canonical.NotCanonical("the body is not images or content")
        whole = {name: value for name, value in (entry | aside).items() if name != "body"}
        if len(canonical.write(whole).encode()) <= MAX_ENTRY:
            self._say("a body where none is needed")
        return entry, aside

    def _judge(self, entry: dict) -> None:
        if int(entry["seq"]) != self._seq:
            self._say(f"the entry says seq {entry['seq']}")
        self._origin = self._origin or entry["origin"]
        if entry["origin"] != self._origin:
            self._say("another origin than the entries before")
        if (entry["kind"] == "operation") != entry["origin"].startswith("operations/"):
            self._say("kind and origin disagree")
        if entry["salt"] in self._salts:
            self._say("the salt of another entry")
        self._salts.add(entry["salt"])
        if "offset" in entry and entry.get("epoch") != (self._epoch or entry.get("epoch")):
            self._say("another source epoch than the entries before")
        self._epoch = entry.get("epoch", self._epoch)
        if entry["kind"] == "gap":
            self._judge_gap(entry["content"]["effect"])
        self._judge_clock(entry)
        if "offset" in entry and "resolves" not in entry:
            self._judge_identity(entry)
        self._judge_late(entry)
        if self._announced is not None:
            self._judge_announced(entry)
        if entry["kind"] in ("change", "schema"):
            self._judge_schema(entry)
        self._say(*self._transactions.judge(entry))
        if entry["kind"] == "change" and (entry["table"], entry["schema"], entry["plan"]) not in self._schemas:
            return
        self._say(*self._rows.judge(entry, self._schemas))

    def _judge_gap(self, effect: dict) -> None:
        self._epoch = effect["epoch"]
        if self._stream is not None:
            self._stream = (effect["topic_id"], self._stream[1])
        self._record = (int(effect["position"]) - 1, 0)
        self._transactions.gap(effect)
        self._rows.gap(self._seq)

    def _judge_clock(self, entry: dict) -> None:
        clocks = [int(entry[name]) for name in ("captured_at", "committed_at") if name in entry]
        ordered_at = int(entry["ordered_at"])
        if clocks and ordered_at != max(self._ordered_at, min(clocks)):
            self._say("ordered_at does not follow from the clocks")
        if ordered_at < self._ordered_at:
            self._say("ordered_at goes back")
        self._ordered_at = max(self._ordered_at, ordered_at)

    def _judge_identity(self, entry: dict) -> None:
        stream = (entry["topic_id"], entry["partition"])
        self._stream = self._stream or stream
        if stream != self._stream:
            self._say("another topic or partition than the entries before")
        offset, ordinal = int(entry["offset"]), int(entry["ordinal"])
        next_of_record = (self._record[0], self._record[1] + 1)
        if (offset, ordinal) != next_of_record and not (offset > self._record[0] and ordinal == 0):
            self._say("offset and ordinal do not follow the entry before")
        end = entry.get("transaction", {}).get("end")
        if end and int(end["offset"]) < offset + (entry["kind"] != "end"):
            self._say("the end of a transaction before its last entry")
        self._record = (max(offset, int(end["offset"])) if end else offset, ordinal)

    def _judge_late(self, entry: dict) -> None:
        """§3.9: what resolves a quarantined entry is of its record, and directly before the entry that says so."""
        late, self._late = self._late, None
        names = ("topic_id", "partition", "offset", "produced_at")
        if "resolves" in entry:
            of = int(entry["resolves"]["seq"])
            unread = self._unread.get(of, {})
            ordinal = 1 if late is None else 2
            if [entry[name] for name in names] != [unread.get(name) for name in names] or entry["ordinal"] != str(ordinal):
                self._say("it does not resolve a quarantined entry of the same record")
            if late is not None and (late["kind"], late["resolves"]["seq"]) != ("schema", str(of)):
                self._say("a late entry between another and its resolved")
            named, _, place = entry.get("replay_of", "").partition("/")
            if named == "entry" and not of < int(place) < self._seq:
                self._say("a late entry that names no later one")
            if named not in ("", "entry") and (named, place) != (self._commit(entry["position"]), entry["resolves"].get("transaction", {}).get("order")):
                self._say("a late entry that is a replay of another position than its own")
            self._late = entry
        elif entry["kind"] == "resolved":
            of = int(entry["content"]["of"])
            if self._unread.pop(of, None) is None:
                self._say("a resolved entry without its quarantined one")
            if (late is not None and late["kind"] != "schema" and late["resolves"]["seq"] == str(of)) != (entry["content"]["how"] == "replayed"):
                self._say("replayed, and no late entry directly before; or dismissed, and there is one")
        elif late is not None or str(entry.get("replay_of")).startswith("entry/"):
            self._say("a late entry without its resolved")
        if entry["kind"] == "quarantined":
            self._unread[self._seq] = entry

    @staticmethod
    def _commit(position: list) -> str | None:
        """§3: the part of a source position that `replay_of` has: PostgreSQL's last commit LSN (the event's own before the first), MariaDB's sequence of the GTID."""
        known = [part for part in position if part is not None]
        return known[0].rpartition("-")[2] if known else None

    def _judge_announced(self, entry: dict) -> None:
        names = ("table", "schema", "plan", "offset")
        announced = {name: self._announced[name] for name in names}
        if announced != {name: entry.get(name) for name in names} or entry.get("ordinal") != str(int(self._announced["ordinal"]) + 1):
            self._say("a schema entry that is not followed by its record's own")
        self._announced = None

    def _judge_schema(self, entry: dict) -> None:
        pair = (entry["table"], entry["schema"], entry["plan"])
        if entry["kind"] != "schema":
            if pair not in self._schemas:
                self._say("schema and plan that no entry before introduces")
            return
        content = entry["content"]
        faults = images.content_faults(content)
        self._say(*faults)
        if faults:
            return
        described = {"columns": content["columns"], "key": content["key"], "table": entry["table"]}
        if canonical.digest(described) != entry["schema"] or canonical.digest(content["plan"]) != entry["plan"]:
            self._say("the digests are not those of the content")
        if pair in self._schemas or (entry["ordinal"] != "0" and "resolves" not in entry):
            self._say("a schema introduced again, or not before its record's own entry")
        self._schemas[pair] = content
        self._announced = entry

    def _say(self, *reasons: str) -> None:
        self.problems += [Problem(self._seq, reason) for reason in reasons]

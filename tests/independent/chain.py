"""docs/formats.md §3, §3.1: rows through time — keys, versions, and each before image equal to the after image before it."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import NamedTuple

from tests.independent import canonical, images

Schemas = dict[tuple[str, str, str], dict]


class Version(NamedTuple):
    seq: int
    version: int
    image: str | None  # canonical text of the after image; None once the row is deleted
    subject: str
    pair: tuple[str, str, str]


def keyless_key(image: dict) -> str:
    """§3.1: the digest of the image without the members that are null."""
    return canonical.digest({name: value for name, value in image.items() if value is not None})


class Rows:
    def __init__(self) -> None:
        self._latest: dict[tuple[str, str], Version] = {}
        self._truncated: dict[str, int] = {}
        self._complete = False  # once the initial snapshot is: an absent row is absent, no longer unknown
        self._copies: dict[str, Counter[str]] = {}
        self._counted: dict[str, Counter[str]] = {}  # copies when the re-snapshot began
        self._gap = -1
        self._pairs: dict[str, set[tuple[str, str, str]]] = {}
        self._snapshot: tuple[int, set[str]] | None = None  # a re-snapshot under way: where it began, what it has read
        self._shown: tuple[str, int, set[str]] | None = None  # the one that has ended: at which offset
        self._unread: dict[str | None, int] = {}  # table → its last quarantined entry, or the change with which its key became another; None: of any table
        self._keys: dict[str, list[str]] = {}
        self._torn = False  # the record before was quarantined
        self._late: dict[int, int] = {}  # replayed quarantined records: where each stood
        self._moving: dict | None = None  # the delete of a key change, until its create

    def gap(self, seq: int) -> None:
        """Changes are missing here: what they did to rows is not known."""
        self._gap, self._moving = seq, None

    def judge(self, entry: dict, schemas: Schemas) -> list[str]:
        """What is wrong with this entry, given the rows as the entries before it left them."""
        kind, table = entry["kind"], entry.get("table", "")
        if kind == "baseline":
            self._complete |= entry["content"]["notification"] == "COMPLETED"
            self._judge_baseline(entry)
        elif kind == "quarantined":
            self._unread[entry.get("table")] = int(entry["seq"])
            self._moving, self._torn = None, True
        elif kind == "absent":
            return self._judge_absent(entry)
        elif kind == "truncate" and "replay_of" not in entry:
            self._truncated[table] = int(entry["seq"])
            self._copies.pop(table, None)
            self._counted.pop(table, None)
        elif kind == "change":
            pair = (table, entry["schema"], entry["plan"])
            self._pairs.setdefault(table, set()).add(pair)
            found = self._judge_images(entry, schemas[pair])
            if "replay_of" in entry:  # recorded, not applied
                return found
            if self._keys.setdefault(table, schemas[pair]["key"]) != schemas[pair]["key"]:  # rows from before have row keys of another kind
                self._unread[table] = int(entry["seq"])
            self._keys[table] = schemas[pair]["key"]
            if isinstance(entry["key"], str):
                return found + self._judge_copies(entry)
            if "resolves" in entry:
                return found + self._judge_late(entry) + self._judge_version(entry, pair, schemas)
            return found + self._judge_key_change(entry) + self._judge_version(entry, pair, schemas)
        return []

    def _judge_late(self, entry: dict) -> list[str]:
        """§3.9: applied only where nothing of the row came after the record."""
        of = self._late[int(entry["seq"])] = int(entry["resolves"]["seq"])
        last = self._latest.get((entry["table"], canonical.write(entry["key"])))
        newest = max(self._truncated.get(entry["table"], -1), self._late.get(last.seq, last.seq) if last else -1)
        return ["a late change is applied over a later one"] if newest > of else []

    def _judge_baseline(self, entry: dict) -> None:
        """§3.7: where a re-snapshot begins, what it reads, where it ends."""
        notification, detail = entry["content"]["notification"], entry["content"]["detail"]
        if notification == "STARTED":
            self._snapshot = (int(entry["seq"]), set())
            self._counted = {table: Counter(copies) for table, copies in self._copies.items()}
        elif notification == "TABLE_SCAN_COMPLETED":
            if self._snapshot and detail.get("status") == "SUCCEEDED":
                self._snapshot[1].add(detail["scanned_collection"])
        else:
            self._shown = (entry["offset"], *self._snapshot) if self._snapshot else None
            self._snapshot = None

    def _judge_absent(self, entry: dict) -> list[str]:
        table, key = entry["table"], entry["key"]
        parts = [part[1:-1].replace('""', '"') if part[0] == '"' else part for part in re.findall(r'"(?:[^"]|"")+"|[^".]+', table)]
        if self._shown is None or self._shown[0] != entry["offset"] or ".".join(parts) not in self._shown[2]:
            return ["an absent row without a re-snapshot that has read its table"]
        if isinstance(key, str):
            copies, stated = self._copies.setdefault(table, Counter()), int(entry["content"]["copies"])
            copies[key] -= stated
            known = stated == self._counted.get(table, Counter())[key] and (stated > 0 or self._gap >= 0)
            return [] if known else ["not the copies that the log had when the re-snapshot began"]
        where = (table, canonical.write(key))
        last = self._latest.get(where)
        if last is None or last.image is None or last.seq <= self._truncated.get(table, -1) or last.seq > self._shown[1]:
            return ["an absent row that is not there, or that the re-snapshot has shown"]
        found = []
        if (entry["version"], entry["prev"]) != (str(last.version + 1), str(last.seq)):
            found.append("version and prev of an absent row do not follow its version before")
        self._latest[where] = last._replace(seq=int(entry["seq"]), version=last.version + 1, image=None)
        return found

    def _judge_images(self, entry: dict, content: dict) -> list[str]:
        found = []
        for side in ("after", "before"):
            if side not in entry:
                continue
            faults = images.image_faults(entry[side], entry["subject"][side], content)
            found += [f"{side}: {fault}" for fault in faults]
            if isinstance(entry["key"], list) and not faults:
                expected = [entry[side][name] for name in content["key"]]
                if {"unavailable": "toast"} not in expected and entry["key"] != expected:
                    found.append(f"the key is not that of the {side} image")
        if bool(content["key"]) != isinstance(entry["key"], list):
            found.append("the kind of row key does not follow from the schema")
        if isinstance(entry["key"], str) and ("after" in entry or "before" in entry):
            image = entry["after"] if "after" in entry else entry["before"]
            if entry["key"] != keyless_key(image):
                found.append("the key is not the digest of the image")
        return found

    def _judge_version(self, entry: dict, pair: tuple[str, str, str], schemas: Schemas) -> list[str]:
        found = []
        where = (entry["table"], canonical.write(entry["key"]))
        last = self._latest.get(where)
        if entry["version"] != str(last.version + 1 if last else 1):
            found.append("version does not follow the row's version before")
        if entry["prev"] != (str(last.seq) if last else None):
            found.append("prev is not the row's version before")
        found += self._judge_continuity(entry, last, pair, schemas)
        self._latest[where] = Version(
            seq=int(entry["seq"]),
            version=int(entry["version"]),
            image=canonical.write(entry["after"]) if "after" in entry else None,
            subject=entry["subject"].get("after", ""),
            pair=pair,
        )
        return found

    def _judge_continuity(
        self, entry: dict, last: Version | None, pair: tuple[str, str, str], schemas: Schemas
    ) -> list[str]:
        operation = entry["operation"]
        if operation == "r" or self._blind(entry["table"]) > (self._late.get(last.seq, last.seq) if last else -1):
            return []
        if self._gap >= 0 and (last is None or last.seq < self._gap):
            return []
        if last is None:
            minted = any(isinstance(part, dict) for part in entry["key"])  # an erased token is minted anew
            if operation in "ud" and self._complete and not minted:
                return ["a change of a row that the log does not have"]
            return []
        live = last.image is not None and self._truncated.get(entry["table"], -1) < last.seq
        if operation == "c":
            return ["an insert of a row that is there"] if live else []
        if not live:
            return ["a change of a row that is gone"]
        if "before" not in entry or "before-missing" in entry.get("flags", ()):
            return []
        if last.pair == pair and canonical.write(entry["before"]) == last.image:
            return []
        columns = images.same(
            json.loads(str(last.image)), last.subject, schemas[last.pair],
            entry["before"], entry["subject"]["before"], schemas[pair],
        )  # fmt: skip
        return [f"the before image is not the row's after image before: {', '.join(columns)}"] if columns else []

    def _blind(self, table: str) -> int:
        return max(self._unread.get(table, -2), self._unread.get(None, -2))

    def _judge_copies(self, entry: dict) -> list[str]:
        """Keyless rows are copies under one key; only where no schema or plan change gave them new keys."""
        table = entry["table"]
        copies = self._copies.setdefault(table, Counter())
        found = []
        if entry["operation"] in "ud" and "before" in entry:
            gone = keyless_key(entry["before"])
            if copies[gone] < 1 and self._complete and max(self._gap, self._blind(table)) < 0 and len(self._pairs[table]) == 1:
                found.append("a change of a keyless row that the log does not have")
            copies[gone] -= 1
        if "after" in entry:
            copies[entry["key"]] += 1
        return found

    def _judge_key_change(self, entry: dict) -> list[str]:
        """``d`` with the new key, then ``c`` with the old one, of one table, with no other change between."""
        left, self._moving = self._moving, None
        torn, self._torn = self._torn, False
        if left is not None and not (
            entry["operation"] == "c"
            and entry["table"] == left["table"]
            and entry.get("linked_key") == left["key"]
            and entry["key"] == left["linked_key"]
        ):
            return ["the delete of a key change is not followed by its create"]
        if "linked_key" in entry and left is None:
            if entry["operation"] != "d":
                return [] if torn else ["the create of a key change does not follow its delete"]
            self._moving = entry
        return []

"""A small log, written by hand from docs/formats.md: every kind that is written today, and the shapes that break readers.

``tests/independent/vectors.py`` makes the test vectors of it; tests damage it and expect the reader to notice.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from tests.independent import canonical, tree
from tests.independent.chain import keyless_key

TOPIC_ID = "q1Sh-9_8TY6Cd0XMHzWLOw"
SUBJECT = "0123456789abcdef0123456789abcdef/1"
SOURCE = "ffeeddccbbaa99887766554433221100/1"
START = 1_700_000_000_000_000_000


def seal(text: str, subject: str = SUBJECT, tier: int = 2) -> dict:
    """A cell with the true header of §6; what follows it is no ciphertext, only of the right length."""
    who, _, generation = subject.partition("/")
    header = b"\x01" + bytes.fromhex(who) + bytes([tier]) + int(generation).to_bytes(2, "big")
    body = hashlib.shake_128(header + text.encode()).digest(17 + len(text.encode()))
    return {"seal": base64.b64encode(header + body).decode()}


def token(text: str) -> dict:
    return {"token": "tok_" + hashlib.sha256(text.encode()).hexdigest()[:32]}


def table(name: str, key: list[str], columns: list[tuple[str, str, str]], subject: str | None = None) -> dict:
    """Content of a schema entry, and its digests; columns as (name, source type, protection)."""
    described = [
        {"name": column, "type": kind, "length": None, "scale": None, "wire": "string", "optional": "yes"}
        for column, kind, _ in columns
    ]
    plan: list[dict] = [
        {
            "column": column,
            "protect": protect,
            "domain": "name" if protect == "token" else None,
            "class": None if protect == "clear" else "personal",
            "tier": "0" if protect == "clear" else "2",
        }
        for column, _, protect in columns
    ]
    plan.append({"subject": subject, "type": "person" if subject else None})
    content = {"columns": described, "key": key, "plan": plan}
    schema = canonical.digest({"columns": described, "key": key, "table": name})
    return {"table": name, "schema": schema, "plan": canonical.digest(plan), "content": content}


class Log:
    """Writes entries one after the other, as a correct writer would."""

    def __init__(self, origin: str = "trading/1") -> None:
        self.origin = origin
        self.entries: list[tuple[dict, dict]] = []  # members in the entry, members in its body
        self.offset = -1
        self.ordinal = 0
        self._ordered_at = 0
        self._versions: dict[str, tuple[int, int]] = {}

    def add(self, kind: str, *, offset: int | None = None, moved: tuple[str, ...] = (), **members: object) -> dict:
        entry: dict = {"format": "1", "kind": kind, "origin": self.origin, "seq": str(len(self.entries)), **members}
        identity = str(len(self.entries))
        if not self.origin.startswith("operations/"):
            self._identify(entry, offset)
            identity = f"{TOPIC_ID}/0/{entry['offset']}/{entry['ordinal']}"
        entry["salt"] = hashlib.sha256(identity.encode()).hexdigest()[:32]
        clocks = [int(entry[name]) for name in ("captured_at", "committed_at") if name in entry]
        self._ordered_at = max(self._ordered_at, min(clocks, default=START))
        entry["ordered_at"] = str(self._ordered_at)
        aside = {name: entry.pop(name) for name in moved}
        if aside:
            body = canonical.write(aside).encode()
            entry["body"] = {"length": str(len(body)), "sha256": hashlib.sha256(body).hexdigest()}
        self.entries.append((entry, aside))
        return entry

    def change(self, of: dict, operation: str, key: object, subject: str = SUBJECT, **members: object) -> dict:
        images = [name for name in ("after", "before") if name in members]
        entry = {
            **{name: of[name] for name in ("table", "schema", "plan")},
            "operation": operation,
            "key": key,
            "subject": dict.fromkeys(images, subject),
            "position": ["24023128", str(24023128 + 56 * len(self.entries))],
        }
        if isinstance(key, list) and "replay_of" not in members:
            row = of["table"] + canonical.write(key)
            prev, version = self._versions.get(row, (None, 0))
            entry |= {"prev": None if prev is None else str(prev), "version": str(version + 1)}
            self._versions[row] = (len(self.entries), version + 1)
        return self.add("change", **entry, **members)  # type: ignore[arg-type]

    def schema(self, of: dict, **members: Any) -> None:
        """The schema entry of the next record; that record's own entry then has ordinal 1."""
        self.add("schema", **of, **members)
        self.ordinal = 1

    def rows(self) -> list[tuple[int, str, str | None, str]]:
        return rows(self.entries)

    def _identify(self, entry: dict, offset: int | None) -> None:
        if self.ordinal == 0:
            self.offset = self.offset + 1 if offset is None else offset
        at = START + self.offset * 1_000_000
        entry |= {"offset": str(self.offset), "ordinal": str(self.ordinal), "partition": "0", "topic_id": TOPIC_ID}
        entry |= {"captured_at": str(at + 40_000), "produced_at": str(at + 90_000), "epoch": "7439284756102938475/1"}
        if entry["kind"] not in ("baseline", "end"):
            entry["committed_at"] = str(at)
        self.ordinal = 0


def rows(entries: list[tuple[dict, dict]]) -> list[tuple[int, str, str | None, str]]:
    """As a log stores them: seq, entry, body, leaf."""
    stored = []
    for seq, (entry, aside) in enumerate(entries):
        text = canonical.write(entry)
        stored.append((seq, text, canonical.write(aside) if aside else None, tree.leaf(text.encode()).hex()))
    return stored


CUSTOMERS = table(
    "public.customers",
    ["id"],
    [("id", "int8", "clear"), ("name", "text", "token"), ("email", "varchar", "seal"), ("pin", "text", "drop")],
    subject="id",
)
CUSTOMERS_LATER = table(
    "public.customers",
    ["id"],
    [
        ("id", "int8", "clear"),
        ("name", "text", "token"),
        ("email", "varchar", "seal"),
        ("pin", "text", "drop"),
        ("note", "text", "clear"),
    ],
    subject="id",
)
FILLS = table(
    "public.fills", [], [("symbol", "text", "clear"), ("quantity", "numeric", "clear"), ("tags", "_text", "clear")]
)
DOCUMENTS = table('public."Client ""Files"""', ["owner", "no"], [("owner", "text", "token"), ("no", "int4", "clear"), ("scan", "text", "clear")])  # fmt: skip


def customer(number: int, email: str | None, **more: object) -> dict:
    sealed = None if email is None else seal(email)
    return {"id": str(number), "name": token(f"customer {number}"), "email": sealed, "pin": {"dropped": ""}, **more}


def stream() -> Log:
    """The log of a stream: a snapshot, then transactions of one change and more."""
    log = Log()
    ana, ana_moved = customer(1, "ana@example.com"), customer(1, "ana@example.org")
    _snapshot(log, ana)
    # one transaction with its END folded in; its BEGIN is offset 4
    log.change(CUSTOMERS, "u", ["1"], before=ana, after=ana_moved, offset=5, transaction={"id": "745", "order": "1"})
    content = {"prefix": "audit", "content": seal("by whom", SOURCE)}
    at = ["24023128", "24023500"]
    log.add("message", operation="m", position=at, content=content, transaction={"id": "745", "order": "2"})
    end = {"count": "3", "offset": "8", "tables": {"": "1", "public.customers": "2"}}
    bo = customer(2, None)
    log.change(CUSTOMERS, "c", ["2"], after=bo, transaction={"id": "745", "order": "3", "end": end})
    # a message outside of any transaction, in clear
    content = {"prefix": "clear", "content": "by whom"}
    log.add("message", offset=9, operation="m", position=[None, "24023500"], content=content)
    _key_change(log, bo)
    end = {"count": "1", "offset": "17", "tables": {"public.fills": "1"}}
    transaction = {"id": "747", "order": "1", "end": end}
    log.add("truncate", offset=16, operation="t", position=at, table="public.fills", transaction=transaction)
    log.add("end", offset=19, transaction={"id": "748", "end": {"count": "0", "offset": "19", "tables": {}}})
    log.change(CUSTOMERS, "u", ["1"], before=ana, after=ana_moved, replay_of="24023128/1")
    _large(log)
    later = {**ana_moved, "note": None}
    log.schema(CUSTOMERS_LATER)
    log.change(CUSTOMERS_LATER, "u", ["1"], before=later, after={**later, "note": "é"})
    log.change(CUSTOMERS_LATER, "d", ["1"], before={**later, "note": "é"})
    return log


def _snapshot(log: Log, ana: dict) -> None:
    log.schema(CUSTOMERS)
    log.change(CUSTOMERS, "r", ["1"], after=ana)
    fill = {"symbol": "ÅKER\u2028😀", "quantity": None, "tags": ["\x00\x1f\x7f", None, 'q"\\/\b\f\n\r\t']}
    log.schema(FILLS)
    log.change(FILLS, "r", keyless_key(fill), SOURCE, after=fill, flags=["keyless"])
    scanned = {"scanned_collection": "public.fills", "status": "SUCCEEDED", "total_rows_scanned": "1"}
    log.add("baseline", content={"detail": scanned, "notification": "TABLE_SCAN_COMPLETED"})
    log.add("baseline", content={"detail": {"connector_name": "trading"}, "notification": "COMPLETED"})


def _key_change(log: Log, bo: dict) -> None:
    """``d``, tombstone, ``c``; a heartbeat stands between the ``c`` and the END."""
    moved = {**bo, "id": "3", "name": token("customer 3")}
    transaction: dict = {"id": "746", "order": "1"}
    log.change(CUSTOMERS, "d", ["2"], before=bo, linked_key=["3"], offset=11, transaction=transaction)
    end = {"count": "2", "offset": "15", "tables": {"public.customers": "2"}}
    transaction = {"id": "746", "order": "2", "end": end}
    log.change(CUSTOMERS, "c", ["3"], after=moved, linked_key=["2"], offset=13, transaction=transaction)


def _large(log: Log) -> None:
    """A value that does not fit into an entry, then the source's word that it did not change."""
    of, key = DOCUMENTS, [token("ana"), "1"]
    scan = {"owner": key[0], "no": "1", "scan": "é" * 33_000}
    transaction = {
        "id": "749",
        "order": "1",
        "end": {"count": "1", "offset": "24", "tables": {'public.Client "Files"': "1"}},
    }
    log.schema(of, offset=23)
    log.change(of, "c", key, after=scan, moved=("after",), transaction=transaction)
    same = {**scan, "scan": {"unavailable": "toast"}}
    log.change(of, "u", key, after=same, flags=["before-missing"], offset=25)


def operations() -> Log:
    """The log of what people did."""
    log = Log("operations/1")
    log.add(
        "operation",
        content={"actor": "cdc_admin", "name": "policy", "detail": {"source": "trading", "digest": "0" * 64}},
    )
    log.add("operation", content={"actor": "cdc_auditor", "name": "reveal", "detail": {}})
    return log

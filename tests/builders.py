"""What a Debezium connector would write, as bytes: a source in miniature that keeps its own rows, offsets, LSNs and clock.

``Feed`` emits the records that the PostgreSQL connector (3.7, profile of ours) emits for what is done to it, in its order and
with its members, so that a test can say *insert, update, truncate* and get Kafka records. The real ones are in ``tests/golden``.
``Worker`` takes them through decoding, protection and sequencing.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cdc.batch import Batch, Standing, cut
from cdc.debezium import Decoder
from cdc.errors import RecordError
from cdc.event import Column as Described
from cdc.event import Record
from cdc.identity import Identity
from cdc.ledger.merkle import Edge
from cdc.protect import Protector
from cdc.quarantine import KeyColumns, quarantined, row_by_state
from cdc.sequencer import Sequencer
from cdc.values import Typing, typing_of
from governance import policy
from tests.memory_keys import MemoryKeys

TOPIC_ID = "q1Sh-9_8TY6Cd0XMHzWLOw"
IDENTITY = Identity("trading", "trading/1", TOPIC_ID, 0)
SALT_KEY = b"s" * 32
START_MS = 1_700_000_000_000


@dataclass(frozen=True)
class Column:
    name: str
    type: str = "TEXT"
    wire: str = "string"
    optional: bool = True
    semantic: str = ""


@dataclass(frozen=True)
class Table:
    schema: str
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()

    def with_column(self, column: Column) -> Table:
        return replace(self, columns=(*self.columns, column))


def typed(source_type: str, wire: str = "string", **more: str | None) -> Typing:
    """How a column of this type lands in current state."""
    return typing_of(Described(**{"name": "c", "type": source_type, "wire": wire, "length": None, "scale": None, "optional": True, **more}))


ORDERS = Table(
    "public",
    "orders",
    (
        Column("id", "INT8", "int64", optional=False),
        Column("owner"),
        Column("price", "NUMERIC"),
        Column("note"),
        Column("pin"),
    ),
    ("id",),
)
FILLS = Table("public", "fills", (Column("symbol"), Column("quantity", "INT4", "int32"), Column("secret")))
HOLDERS = Table("Back Office", 'Hold"ers', (Column("email", optional=False), Column("no", "INT4", "int32", optional=False), Column("v")), ("email", "no"))  # fmt: skip
HEARTBEAT = Table(
    "cdc",
    "heartbeat",
    (Column("id", "INT4", "int32", optional=False), Column("system_identifier"), Column("timeline", "INT4", "int32")),
    ("id",),
)
POLICY = policy.parse("""
source: trading
tables:
  public.orders:
    subject: {type: customer, column: owner}
    retention: operational
    columns: {id: clear, owner: {protect: token, domain: owner, class: personal}, price: clear, note: seal, pin: drop, extra: clear}
  public.fills:
    columns: {symbol: clear, quantity: clear, secret: seal, extra: clear}
  '"Back Office"."Hold""ers"':
    columns: {email: {protect: token, domain: email, class: personal}, no: clear, v: clear}
  cdc.heartbeat:
    columns: {id: clear, system_identifier: clear, timeline: clear}
""")


def _fields(table: Table) -> list[dict]:
    return [_field(column) for column in table.columns]


def _field(column: Column) -> dict:
    described = {"type": column.wire, "optional": column.optional, "field": column.name}
    if column.wire in {"array", "struct"}:
        described["items"] = {"type": "string", "optional": True}
    if column.semantic:
        described["name"] = column.semantic
    return described | {
        "parameters": {"__debezium.source.column.type": column.type, "__debezium.source.column.name": column.name}
    }


def envelope_schema(table: Table) -> dict:
    name = f"trading.{table.schema}.{table.name}"
    row = {"type": "struct", "fields": _fields(table), "optional": True, "name": f"{name}.Value"}
    other = [{"type": "string", "optional": False, "field": "op"}]
    return {
        "type": "struct",
        "fields": [row | {"field": "before"}, row | {"field": "after"}, *other],
        "optional": False,
        "name": f"{name}.Envelope",
        "version": 2,
    }


def key_schema(table: Table) -> dict:
    fields = [_field(column) for name in table.key for column in table.columns if column.name == name]
    name = f"trading.{table.schema}.{table.name}.Key"
    return {"type": "struct", "fields": fields, "optional": False, "name": name}


def named(name: str) -> dict:
    return {"type": "struct", "fields": [], "optional": False, "name": name}


def connect(schema: dict, payload: object) -> bytes:
    """``{"schema":…,"payload":…}`` as Connect's JsonConverter writes it: without white space, beyond ASCII as it is."""
    written = [json.dumps(part, separators=(",", ":"), ensure_ascii=False) for part in (schema, payload)]
    return f'{{"schema":{written[0]},"payload":{written[1]}}}'.encode()


BOUNDARY = named("io.debezium.connector.common.TransactionMetadataValue")
NOTIFICATION = named("io.debezium.connector.common.Notification")
BEAT = named("io.debezium.connector.common.Heartbeat")
MESSAGE = named("io.debezium.connector.postgresql.MessageValue")


@dataclass
class Feed:
    """Records in the order in which a connector writes them. ``gap`` offsets are left out after each transaction (Kafka's own markers)."""

    records: list[Record] = field(default_factory=list)
    lsn: int = 24_000_000
    xid: int = 700
    gap: int = 1
    offset: int = 0
    clock_ms: int = START_MS
    committed: int | None = None
    _transaction: str | None = None
    _order: int = 0
    _counts: Counter[str] = field(default_factory=Counter)

    def begin(self) -> None:
        self.xid += 1
        self._transaction, self._order, self._counts = str(self.xid), 0, Counter()
        self.clock_ms += 7
        self._boundary("BEGIN", None, None)

    def end(self, *, count: int | None = None) -> None:
        tables = [{"data_collection": name, "event_count": n} for name, n in self._counts.items()]
        self.lsn += 48
        self._boundary("END", self._order if count is None else count, tables)
        self.committed = self.lsn
        self._transaction = None
        self.offset += self.gap

    def row(self, table: Table, op: str, before: dict | None, after: dict | None, *, moved: dict | None = None, **source: object) -> Record:
        """One row record; ``moved``: the other key values of a key change. A delete is followed by its tombstone."""
        image = after if after is not None else before
        key = connect(key_schema(table), {name: image[name] for name in table.key}) if table.key and image else None
        headers: list[tuple[str, bytes]] = []
        if moved is not None:
            name = "__debezium.newkey" if op == "d" else "__debezium.oldkey"
            headers.append((name, json.dumps(moved).encode()))
        payload = {"before": before, "after": after, **self._envelope(table, op, **source)}
        record = self.add(key, connect(envelope_schema(table), payload), tuple(headers))
        if op == "d":
            self.add(key, None, tuple(headers))
        return record

    def change_key(self, table: Table, before: dict, after: dict) -> None:
        old, new = ({name: image[name] for name in table.key} for image in (before, after))
        self.row(table, "d", before, None, moved=new)
        self.row(table, "c", None, after, moved=old)

    def truncate(self, table: Table) -> None:
        payload = {"before": None, "after": None, **self._envelope(table, "t")}
        self.add(None, connect(envelope_schema(table), payload))

    def message(self, prefix: str, content: str) -> None:
        block = {"prefix": prefix, "content": base64.b64encode(content.encode()).decode()}
        envelope = self._envelope(None, "m")
        self._counts["io.debezium.connector.postgresql.LogicalDecodingMessageMonitor$LogicalDecodingMessageId@656bd2ba"] += 1
        if self._transaction is None:
            self.committed = self.lsn
        self.add(connect(named("io.debezium.connector.postgresql.MessageKey"), {"prefix": prefix}), connect(MESSAGE, {**envelope, "message": block}))  # fmt: skip

    def heartbeat(self) -> None:
        self.add(b'{"schema":{"type":"struct"},"payload":{"serverName":"trading"}}', connect(BEAT, {"ts_ms": self.clock_ms}))

    def notify(self, type_: str, aggregate: str = "Initial Snapshot", **detail: str) -> None:
        payload = {"id": "golden", "type": type_, "aggregate_type": aggregate, "additional_data": detail or None, "timestamp": self.clock_ms}
        self.add(connect(named("io.debezium.connector.common.NotificationKey"), {"id": "golden"}), connect(NOTIFICATION, payload))

    def snapshot(self, table: Table, rows: list[dict]) -> None:
        for row in rows:
            self.row(table, "r", None, row, snapshot="true")
        self.notify("TABLE_SCAN_COMPLETED", scanned_collection=f"{table.schema}.{table.name}", total_rows_scanned=str(len(rows)), status="SUCCEEDED")

    def again(self, records: list[Record]) -> None:
        """The same records once more, as a connector that restarts in the past writes them."""
        for record in records:
            self.add(record.key, record.value, record.headers)

    def add(self, key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes], ...] = ()) -> Record:
        record = Record("trading", 0, self.offset, key, value, headers, self.clock_ms + 90)
        self.offset += 1
        self.records.append(record)
        return record

    def _boundary(self, status: str, count: int | None, tables: list | None) -> None:
        name = f"{self._transaction}:{self.lsn}"
        payload = {"status": status, "id": name, "event_count": count, "data_collections": tables, "ts_ms": self.clock_ms}
        self.add(connect(named("io.debezium.connector.common.TransactionMetadataKey"), {"id": name}), connect(BOUNDARY, payload))

    def _envelope(self, table: Table | None, op: str, snapshot: str = "false") -> dict:
        self.lsn += 56
        first = self.committed if self._transaction is not None or op == "r" else self.lsn
        transaction = None
        if self._transaction is not None:
            self._order += 1
            if table is not None:
                self._counts[f"{table.schema}.{table.name}"] += 1
            transaction = {"id": f"{self._transaction}:{self.lsn}", "total_order": self._order, "data_collection_order": 1}
        source = {
            "version": "3.7.0.Final", "connector": "postgresql", "name": "trading", "ts_ms": self.clock_ms, "snapshot": snapshot, "db": "trading",
            "sequence": json.dumps([None if first is None else str(first), str(self.lsn)], separators=(",", ":")),
            "ts_us": self.clock_ms * 1000, "ts_ns": self.clock_ms * 1_000_000, "schema": table.schema if table else "", "table": table.name if table else "",
            "txId": self.xid, "lsn": self.lsn, "xmin": None,
        }  # fmt: skip
        at = self.clock_ms + 40
        return {"source": source, "transaction": transaction, "op": op, "ts_ms": at, "ts_us": at * 1000, "ts_ns": at * 1_000_000 + 1}


def empty() -> Standing:
    return Standing(next_offset=0, edge=Edge.empty())


class Worker:
    """Decodes, protects and sequences from a standing on, as one owner of the stream does; without Kafka or a warehouse."""

    def __init__(self, standing: Standing | None = None, known: set | None = None, heads: dict | None = None, plan: policy.Policy = POLICY) -> None:
        self.known = set(known or ())
        self.heads = dict(heads or {})
        self.suspended: dict[str, tuple[str, str]] = {}
        self.key_of: Callable[[str], KeyColumns | None] = lambda _table: None
        self._decoder = Decoder()
        self.unreadable: set[int] = set()
        self._protector = Protector("trading", plan, MemoryKeys())  # type: ignore[arg-type]
        self._sequencer = Sequencer(IDENTITY, standing or empty(), SALT_KEY, set(self.known))
        self._events: list = []
        self._offsets: list[int] = []

    @property
    def standing(self) -> Standing:
        return self._sequencer.standing

    def read(self, records: list[Record]) -> None:
        for record in records:
            self._events.append(self._decoder.decode(record))
            self._offsets.append(record.offset)

    def quarantine(self, records: list[Record]) -> None:
        """Read, as the session does, also what cannot be decoded, and as an older version what is at ``unreadable``."""
        for record in records:
            reason = "of-a-later-version" if record.offset in self.unreadable else None
            try:
                event = self._decoder.decode(record)
            except RecordError as error:
                reason = error.reason
            if reason is not None:
                self._decoder._deleted = None
                event = quarantined(record, reason, self._decoder.row_of(record) or row_by_state(record, self.key_of))
            self._events.append(event)
            self._offsets.append(record.offset)

    def batch(self, limit: int = 10_000) -> Batch | None:
        """What may be committed of what was read."""
        count = cut(self._events, inside=self.standing.open_transaction is not None, limit=limit)
        return self.take(count) if count else None

    def take(self, count: int) -> Batch:
        events, offsets = self._events[:count], self._offsets[:count]
        del self._events[:count], self._offsets[:count]
        after = self._offsets[0] if self._offsets else offsets[-1] + 1
        batch = self._sequencer.assemble(
            self._protector.protect(events), lambda table, key: self.heads.get((table, key)), self.suspended, after, len(offsets)
        )
        self.heads.update(batch.heads)
        self.known |= {version[:3] for version in batch.versions}
        return batch


def entries(batches: list[Batch]) -> list[tuple[int, str, str | None, str]]:
    """As the independent reader takes them: seq, entry, body, leaf."""
    bodies = {seq: body for batch in batches for seq, body in batch.bodies}
    rows = [(row.line.decode().split("\t"), row.leaf) for batch in batches for row in batch.rows]
    return [
        (int(fields[0]), fields[14].replace("\\\\", "\\"), bodies.get(int(fields[0])), leaf.hex()) for fields, leaf in rows
    ]

"""As superuser, with triggers off: one thing after the other is changed, and verification names it.

Each mutation says where it happens (SQL that gives the seq before anything is changed, or None), what is done, and what
must be said: the check, and the table and row key where there is one. The unchanged warehouse passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cdc.audit import checkpoints
from cdc.audit.snapshot import open_snapshot
from cdc.audit.verify import Checkpoint
from tests.fix_stack import FreshDatabase, WarehouseCluster
from tests.verified_warehouse import fill, rehash, said, superuser, verification
from tests.warehouse import query

HOLDERS = '"Back Office"."Hold""ers"'
STATE = "trading_state."
HOLDERS_STATE = 'trading_state."Back Office.Hold""ers"'


@dataclass(frozen=True)
class Mutation:
    name: str
    where: str | None
    do: str
    check: str
    table: str | None = None
    key: str | None = None
    log: str = "trading"
    cause: str = ""


UPDATE = "SELECT min(seq) FROM audit.entry WHERE log = 'trading' AND operation = 'u' AND table_name = 'public.orders'"
ONE = "SELECT max(seq) FROM audit.entry WHERE log = 'trading' AND table_name = 'public.orders' AND row_key = '[\"1\"]'"
LAST = "SELECT max(seq) FROM audit.entry WHERE log = 'trading'"
BODY = "SELECT seq FROM audit.body"
TRUNCATE = "SELECT seq FROM audit.entry WHERE kind = 'truncate'"
GONE = "SELECT max(seq) FROM audit.entry WHERE operation = 'd' AND table_name = 'public.orders'"
SCHEMA = "SELECT max(seq) FROM audit.entry WHERE kind = 'schema' AND table_name = 'public.orders'"
FILL_C = "SELECT max(seq) FROM audit.entry WHERE table_name = 'public.fills' AND operation = 'u'"
HIDDEN = "SELECT min(seq) FROM audit.entry WHERE table_name = 'public.fills' AND operation = 'c'"
AT = "log = 'trading' AND seq = %(seq)s"
COLUMN = {
    "kind": "'message'", "ordered_at": "ordered_at + 1", "committed_at": "committed_at - 1", "table_name": "'public.other'",
    "row_key": "'[\"2\"]'", "operation": "'c'", "version": "version + 1", "prev": "prev - 1", "transaction_id": "'1'",
    "subject": "'x'", "subject_before": "'x'", "kafka_offset": "kafka_offset + 1", "ordinal": "1",
}  # fmt: skip

ENTRIES = [
    Mutation("an entry", UPDATE, f"UPDATE audit.entry SET entry = replace(entry, '2.50', '2.51') WHERE {AT}", "leaf", "public.orders", '["1"]'),
    Mutation("white space in an entry", UPDATE, f"UPDATE audit.entry SET entry = entry || ' ' WHERE {AT}", "entry", "public.orders", '["1"]'),
    Mutation("an entry emptied", UPDATE, f"UPDATE audit.entry SET entry = '' WHERE {AT}", "leaf", "public.orders", '["1"]'),
    Mutation("a leaf", UPDATE, f"UPDATE audit.entry SET leaf = sha256('x') WHERE {AT}", "leaf", "public.orders", '["1"]'),
    Mutation("the last entry deleted", LAST, f"DELETE FROM audit.entry WHERE {AT}", "seq", cause="it is missing"),
    Mutation("the first entry deleted", "SELECT 0", f"DELETE FROM audit.entry WHERE {AT}", "seq", cause="it is missing"),
    Mutation("an entry in the middle deleted", UPDATE, f"DELETE FROM audit.entry WHERE {AT}", "seq", cause="it is missing"),
    Mutation(
        "all entries deleted", "SELECT 0", "DELETE FROM audit.entry WHERE log = 'trading' AND seq >= %(seq)s", "seq", cause="entries 0 to"
    ),
    Mutation(
        "two entries swapped with their leaves", UPDATE,
        "UPDATE audit.entry e SET entry = o.entry, leaf = o.leaf FROM audit.entry o WHERE e.log = 'trading' AND o.log = 'trading'"
        " AND e.seq IN (%(seq)s, %(seq)s + 1) AND o.seq = 2 * %(seq)s + 1 - e.seq",
        "order", cause="another seq",
    ),
    Mutation(
        "two rows swapped", UPDATE,
        "UPDATE audit.entry SET seq = 999 WHERE log = 'trading' AND seq = %(seq)s; UPDATE audit.entry SET seq = %(seq)s WHERE log = 'trading' AND seq = %(seq)s + 1;"
        " UPDATE audit.entry SET seq = %(seq)s + 1 WHERE log = 'trading' AND seq = 999",
        "order", cause="another seq",
    ),
    Mutation(
        "an entry added", "SELECT max(seq) + 1 FROM audit.entry WHERE log = 'trading'",
        "INSERT INTO audit.entry SELECT log, seq + 1, kind, ordered_at, committed_at, recorded_at, table_name, row_key, operation, version, prev,"
        " transaction_id, subject, subject_before, kafka_offset, ordinal, entry, leaf FROM audit.entry WHERE log = 'trading' AND seq = %(seq)s - 1",
        "seq", cause="beyond the",
    ),
    *(Mutation(f"column {name}", UPDATE, f"UPDATE audit.entry SET {name} = {to} WHERE {AT}", "columns", cause=f": {name}") for name, to in COLUMN.items()),
    *(
        Mutation(f"column {name} emptied", UPDATE, f"UPDATE audit.entry SET {name} = NULL WHERE {AT}", "columns", cause=f": {name}")
        for name in ("committed_at", "table_name", "row_key", "operation", "version", "prev", "transaction_id", "subject", "kafka_offset", "ordinal")
    ),
    Mutation("a body dropped", BODY, "DELETE FROM audit.body WHERE seq = %(seq)s", "body", "public.orders", '["3"]', cause="missing"),
    Mutation("a body edited", BODY, "UPDATE audit.body SET body = replace(body, '\"price\":\"1.50\"', '\"price\":\"1.51\"') WHERE seq = %(seq)s", "body", "public.orders", '["3"]'),
    Mutation("a body moved", BODY, "UPDATE audit.body SET seq = 999 WHERE seq = %(seq)s", "body", "public.orders", '["3"]', cause="missing"),
    Mutation("a body added", UPDATE, "INSERT INTO audit.body SELECT 'trading', %(seq)s, body FROM audit.body", "body", "public.orders", '["1"]', cause="names none"),
    Mutation("a body of no entry", "SELECT 999", "INSERT INTO audit.body SELECT 'trading', %(seq)s, body FROM audit.body", "body"),
    Mutation("an operation", "SELECT 1", "UPDATE audit.entry SET entry = replace(entry, 'cdc_replicator', 'cdc_somebody') WHERE log = 'operations' AND seq = %(seq)s", "leaf", log="operations"),
]  # fmt: skip

CLAIMS = [
    Mutation("the size", "SELECT size FROM audit.log WHERE log = 'trading'", "UPDATE audit.log SET size = size + 1, edge = (SELECT array_agg(sha256('x')) FROM generate_series(1, bit_count((size + 1)::bit(64)))) WHERE log = 'trading'", "seq", cause="it is missing"),
    Mutation("the edge", None, "UPDATE audit.log SET edge[1] = sha256('x') WHERE log = 'trading'", "tree", cause="entries 0 to"),
    Mutation("the last hash of the edge", None, "UPDATE audit.log SET edge[cardinality(edge)] = sha256('x') WHERE log = 'trading'", "tree"),
    Mutation("the origin", "SELECT 0", "UPDATE audit.log SET origin = 'trading/2' WHERE log = 'trading'", "order", cause="another origin"),
    Mutation("another log's origin", None, "UPDATE audit.log SET origin = 'other/1' WHERE log = 'trading'", "tree", cause="another log"),
    Mutation("the log's row deleted", None, "DELETE FROM audit.log WHERE log = 'trading'", "tree", cause="no row"),
    Mutation("the stream's row deleted", None, "DELETE FROM pipeline.stream", "stream", cause="no row"),
    *(
        Mutation(f"stream.{name}", None, f"UPDATE pipeline.stream SET {name} = {to}", "stream", cause=said_)
        for name, to, said_ in [
            ("records", "records + 1", "records is not"), ("extra_entries", "extra_entries + 1", "extra_entries is not"),
            ("skipped", """skipped || '{"heartbeat": 1}'""", "records is not"), ("skipped", """skipped || '{"end": 1, "tombstone": 9}'""", "skipped.end"),
            ("skipped", """skipped || '{"begin": 1}'""", "skipped.begin"), ("next_offset", "3", "next_offset"),
            ("topic_id", "'A' || substr(topic_id, 2)", "topic_id"), ("ordered_at", "ordered_at + 1", "ordered_at"), ("source_epoch", "'7439/2'", "source_epoch"),
            ("source_epoch", "NULL", "source_epoch"), ("high_commit", "high_commit + 1", "high_commit"), ("high_order", "high_order + 1", "high_order"),
            ("open_transaction", "NULL", "open_transaction"), ("open_transaction", "'1'", "open_transaction"), ("open_count", "open_count - 1", "open_transaction"),
            ("complete_seq", "complete_seq + 1", "complete_seq"), ("complete_at", "complete_at + 1", "complete_at"), ("complete_at", "NULL", "complete_at"),
        ]
    ),
    Mutation("a table version deleted", SCHEMA, "DELETE FROM pipeline.table_version WHERE seq = %(seq)s", "table versions", "public.orders"),
    Mutation("a table version moved", SCHEMA, "UPDATE pipeline.table_version SET seq = 1 WHERE seq = %(seq)s", "table versions", "public.orders"),
    Mutation("a table version added", "SELECT 5", "INSERT INTO pipeline.table_version VALUES ('trading', 'public.orders', 'x', 'y', %(seq)s)", "table versions", "public.orders"),
]  # fmt: skip

CURRENT = [
    Mutation("a clear cell", ONE, "UPDATE trading_state.orders SET price = price + 1 WHERE _key = '[\"1\"]'", "state", "public.orders", '["1"]', cause=": price"),
    Mutation("a clear cell's scale", ONE, "UPDATE trading_state.orders SET price = 3.5 WHERE _key = '[\"1\"]'", "state", "public.orders", '["1"]', cause=": price"),
    Mutation("a clear cell emptied", ONE, "UPDATE trading_state.orders SET extra = NULL WHERE _key = '[\"1\"]'", "state", "public.orders", '["1"]', cause=": extra"),
    Mutation("an empty cell filled", None, "UPDATE trading_state.orders SET extra = 'x' WHERE _key = '[\"9\"]'", "state", "public.orders", '["9"]', cause=": extra"),
    Mutation("a sealed cell", ONE, "UPDATE trading_state.orders SET note = set_byte(note, 30, get_byte(note, 30) # 1) WHERE _key = '[\"1\"]'", "state", "public.orders", '["1"]', cause=": note"),
    Mutation("a token", ONE, "UPDATE trading_state.orders SET owner = 'tok_' || repeat('0', 32) WHERE _key = '[\"1\"]'", "state", "public.orders", '["1"]', cause=": owner"),
    Mutation("_version", ONE, "UPDATE trading_state.orders SET _version = _version + 1 WHERE _key = '[\"1\"]'", "state", "public.orders", '["1"]', cause="_version"),
    Mutation("_seq", ONE, "UPDATE trading_state.orders SET _seq = _seq - 1 WHERE _key = '[\"1\"]'", "state", "public.orders", '["1"]', cause="_seq"),
    Mutation("_committed_at", ONE, "UPDATE trading_state.orders SET _committed_at = _committed_at + 1 WHERE _key = '[\"1\"]'", "state", "public.orders", '["1"]', cause="_committed_at"),
    Mutation("_committed_at emptied", ONE, "UPDATE trading_state.orders SET _committed_at = NULL WHERE _key = '[\"1\"]'", "state", "public.orders", '["1"]', cause="_committed_at"),
    Mutation("_deleted", ONE, "UPDATE trading_state.orders SET _deleted = true WHERE _key = '[\"1\"]'", "state", "public.orders", '["1"]', cause="_deleted"),
    Mutation("a deleted row come back", GONE, "UPDATE trading_state.orders SET _deleted = false WHERE _key = '[\"2\"]'", "state", "public.orders", '["2"]', cause="_deleted"),
    Mutation("a deleted row's cell", GONE, "UPDATE trading_state.orders SET price = 1 WHERE _key = '[\"2\"]'", "state", "public.orders", '["2"]', cause=": price"),
    Mutation("a row added", ONE, "INSERT INTO trading_state.orders SELECT '[\"99\"]', _version, _seq, _committed_at, _deleted, id, owner, price, note, extra FROM trading_state.orders WHERE _key = '[\"1\"]'", "state", "public.orders", '["99"]', cause="no such row"),
    Mutation("a row deleted", ONE, "DELETE FROM trading_state.orders WHERE _key = '[\"1\"]'", "state", "public.orders", '["1"]', cause="missing"),
    Mutation("all rows deleted", None, "DELETE FROM trading_state.orders", "state", "public.orders", cause="missing"),
    Mutation("a key", ONE, "UPDATE trading_state.orders SET _key = '[\"98\"]' WHERE _key = '[\"1\"]'", "state", "public.orders", '["1"]', cause="missing"),
    Mutation("two rows' cells swapped", ONE, "UPDATE trading_state.orders s SET price = o.price, note = o.note FROM trading_state.orders o WHERE s._key = '[\"1\"]' AND o._key = '[\"7\"]'", "state", "public.orders", '["1"]'),
    Mutation("a column dropped", ONE, "ALTER TABLE trading_state.orders DROP COLUMN extra CASCADE", "state", "public.orders", cause="lacks columns"),
    Mutation("a column added and filled", ONE, "ALTER TABLE trading_state.orders ADD COLUMN more text; UPDATE trading_state.orders SET more = 'x' WHERE _key = '[\"1\"]'", "state", "public.orders", '["1"]', cause=": more"),
    Mutation("_copies", FILL_C, "UPDATE trading_state.fills SET _copies = 3 WHERE _copies = 2 AND symbol = 'C'", "state", "public.fills", cause="_copies"),
    Mutation("a copy's cell", FILL_C, "UPDATE trading_state.fills SET symbol = 'Z' WHERE symbol = 'C'", "state", "public.fills", cause=": symbol"),
    Mutation("a row without copies come back", FILL_C, "UPDATE trading_state.fills SET _copies = 1 WHERE symbol = 'D'", "state", "public.fills", cause="_copies"),
    Mutation("a version where there is none", FILL_C, "UPDATE trading_state.fills SET _version = 1 WHERE symbol = 'C'", "state", "public.fills", cause="_version"),
    Mutation("copies deleted", FILL_C, "DELETE FROM trading_state.fills WHERE symbol = 'C'", "state", "public.fills", cause="missing"),
    Mutation("copies added", FILL_C, "INSERT INTO trading_state.fills (_key, _seq, _committed_at, _copies, symbol) SELECT repeat('0', 64), _seq, _committed_at, 1, 'Z' FROM trading_state.fills WHERE symbol = 'C'", "state", "public.fills", "0" * 64, cause="no such row"),
    Mutation("a hidden row's cell", "SELECT _seq FROM trading_state.fills WHERE symbol = 'A'", "UPDATE trading_state.fills SET quantity = 9 WHERE symbol = 'A'", "state", "public.fills", cause=": quantity"),
    Mutation("a hidden row made up", HIDDEN, "INSERT INTO trading_state.fills (_key, _seq, _copies, symbol) VALUES (repeat('0', 64), %(seq)s, 1, 'Z')", "state", "public.fills", "0" * 64, cause="not one of this row"),
    Mutation("a hidden row shown", FILL_C, "UPDATE trading_state.fills SET _seq = %(seq)s WHERE symbol = 'A'", "state", "public.fills", cause="no such row since"),
    Mutation("truncated_through lowered", TRUNCATE, "UPDATE pipeline.state_table SET truncated_through = -1 WHERE table_name = 'public.fills'", "state", "public.fills", cause="truncated_through"),
    Mutation("truncated_through raised", TRUNCATE, "UPDATE pipeline.state_table SET truncated_through = 999 WHERE table_name = 'public.fills'", "state", "public.fills", cause="truncated_through"),
    Mutation("rows of another table hidden", None, "UPDATE pipeline.state_table SET truncated_through = 999 WHERE table_name = 'public.orders'", "state", "public.orders", cause="truncated_through"),
    Mutation("a table called suspended", None, "UPDATE pipeline.state_table SET suspended_code = 'x', suspended_seq = 12 WHERE table_name = 'public.orders'", "state", "public.orders"),
    Mutation("a suspension moved", None, "UPDATE pipeline.state_table SET suspended_seq = 999 WHERE suspended_seq IS NOT NULL", "state", HOLDERS),
    Mutation("a suspension lifted", None, "UPDATE pipeline.state_table SET suspended_code = NULL", "state", HOLDERS),
    Mutation("a suspended table's cell", None, f"UPDATE {HOLDERS_STATE} SET v = 'z' WHERE v IS NOT NULL", "state", HOLDERS, cause=": v"),
    Mutation("keyless", None, "UPDATE pipeline.state_table SET key = '[\"price\"]' WHERE table_name = 'public.orders'", "state", "public.orders", cause="key or keyless"),
    Mutation("a state table forgotten", None, "DELETE FROM pipeline.state_table WHERE table_name = 'public.orders'", "state", "public.orders", cause="no row"),
]  # fmt: skip

MATRIX = [*ENTRIES, *CLAIMS, *CURRENT]


@pytest.fixture(scope="module")
def verified(warehouse_cluster: WarehouseCluster) -> str:
    """Name of a template: a filled warehouse that passes."""
    if "verified" not in warehouse_cluster.templates:
        database = warehouse_cluster.fresh_database("verified", template="warehouse")
        fill(database)
        warehouse_cluster.templates["verified"] = database.name
    return "verified"


@pytest.fixture
def tampered(warehouse_cluster: WarehouseCluster, verified: str) -> Iterator[FreshDatabase]:
    """A copy of it to tamper with."""
    database = warehouse_cluster.fresh_database("tampered", template=verified)
    yield database
    warehouse_cluster.drop(database)


def test_the_control_passes(tampered: FreshDatabase):
    with superuser(tampered) as cursor:
        cursor.execute("UPDATE audit.entry SET recorded_at = now()")  # the one column that no check covers, and says so
    assert verification(tampered).verdict == "PASS"


@pytest.mark.parametrize("mutation", MATRIX, ids=lambda one: one.name)
def test_each_mutation_is_named(tampered: FreshDatabase, mutation: Mutation):
    seq = query(tampered.admin_dsn, mutation.where)[0][0] if mutation.where is not None else None
    before = query(tampered.admin_dsn, "SELECT md5(string_agg(t::text, ',' ORDER BY seq, log)) FROM audit.entry t") if "audit.entry" in mutation.do else None
    with superuser(tampered) as cursor:
        cursor.execute(mutation.do, {"seq": seq})
        if "%(seq)s" not in mutation.do and "ALTER" not in mutation.do:
            assert cursor.rowcount > 0
    if before is not None:
        assert query(tampered.admin_dsn, "SELECT md5(string_agg(t::text, ',' ORDER BY seq, log)) FROM audit.entry t") != before
    done = verification(tampered)
    assert done.verdict == "FAIL"
    found = said(done)
    assert all(log == mutation.log for log, *_ in found), found
    match = [one for one in found if one[2] == mutation.check and mutation.cause in one[5] and (mutation.table is None or one[3] == mutation.table)
             and (mutation.key is None or one[4] == mutation.key)]  # fmt: skip
    assert match, found
    if mutation.where is not None:
        assert seq in {one[1] for one in match}, found
        if mutation.check != "state":
            assert found[0][1] == seq, found  # the first bad seq


# What was hashed anew: the leaf alone, then the tree with it.

PRODUCED_AT = "UPDATE audit.entry SET entry = regexp_replace(entry, '\"produced_at\":\"17', '\"produced_at\":\"16') WHERE log = 'trading' AND seq = 10"
PRICE = "UPDATE audit.entry SET entry = replace(entry, '2.50', '2.51') WHERE log = 'trading' AND seq = 10"


def kept(database: FreshDatabase) -> list[Checkpoint]:
    with open_snapshot(database.auditor_dsn) as snapshot:
        return checkpoints.present(snapshot, ())


def tamper(database: FreshDatabase, *statements: str) -> None:
    with superuser(database) as cursor:
        for statement in statements:
            cursor.execute(statement)
            assert cursor.rowcount > 0, statement


def test_a_leaf_hashed_anew_does_not_fit_the_edge(tampered: FreshDatabase):
    tamper(tampered, PRODUCED_AT)
    rehash(tampered, edge=False)
    assert said(verification(tampered)) == [
        ("trading", None, "tree", None, None, "entries 0 to 31 do not hash to the edge in audit.log")
    ]


def test_a_tree_hashed_anew_does_not_fit_the_checkpoint_and_without_one_passes(tampered: FreshDatabase):
    before = kept(tampered)
    assert verification(tampered, checkpoints=before).verdict == "PASS"
    tamper(tampered, PRODUCED_AT)
    rehash(tampered, edge=True)
    without = verification(tampered)
    assert without.verdict == "PASS"
    assert all(any("a rewrite of log and tree together would not show" in what for what in report.unchecked) for report in without.logs)
    size = next(one.size for one in before if one.log == "trading")
    done = verification(tampered, checkpoints=before)
    assert said(done) == [
        ("trading", None, "checkpoint", None, None, f"the first {size} entries are not those that the checkpoint was made of")
    ]
    assert not any("would not show" in what for what in done.logs[1].unchecked)


def test_a_rewrite_that_says_something_else_does_not_fit_its_rows_history_and_state(tampered: FreshDatabase):
    tamper(tampered, PRICE)
    rehash(tampered, edge=True)
    (found,) = said(verification(tampered))
    assert found[1:4] == (28, "continuity", "public.orders")
    assert found[5].endswith(": price")
    tamper(tampered, PRICE.replace("seq = 10", "seq = 28"))  # and the next before image with it
    rehash(tampered, edge=True)
    assert verification(tampered).verdict == "PASS"  # only a checkpoint shows this one
    tamper(tampered, PRICE.replace("seq = 10", "seq = 28").replace("2.50", "3.50").replace("2.51", "9"))
    rehash(tampered, edge=True)
    (found,) = said(verification(tampered))
    assert found[1:5] == (28, "state", "public.orders", '["1"]')


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ("'\"version\":\"2\"', '\"version\":\"3\"'", "versions"),
        ("'\"operation\":\"u\"', '\"operation\":\"c\"'", "entry"),
        ("'\"order\":\"1\"', '\"order\":\"2\"'", "transactions"),
        ("'\"ordered_at\":\"17', '\"ordered_at\":\"16'", "clock"),
        ("'\"offset\":\"', '\"offset\":\"1'", "order"),
        ("'\"epoch\":\"7439/1\"', '\"epoch\":\"7439/2\"'", "order"),
        ("'\"position\":[null,\"', '\"position\":[\"99999999999\",\"'", "replays"),
        ("'\"schema\":\"', '\"schema\":\"0'", "table versions"),
        ("'\"subject\":{\"after\":\"', '\"subject\":{\"after\":\"0'", "entry"),
        ("'\"kind\":\"change\"', '\"kind\":\"changes\"'", "entry"),
        ("'\"prev\":\"', '\"prev\":\"1'", "versions"),
        ("'\"format\":\"1\"', '\"format\":\"2\"'", "entry"),
    ],
)
def test_members_are_judged_although_everything_is_hashed_anew(tampered: FreshDatabase, change: str, check: str):
    changed = f"replace(entry, {change})"
    tamper(tampered, f"UPDATE audit.entry SET entry = {changed} WHERE log = 'trading' AND seq = 10 AND entry <> {changed}")
    rehash(tampered, edge=True)
    found = said(verification(tampered))
    assert check in {one[2] for one in found}, found
    assert min(one[1] for one in found if one[1] is not None) == (11 if check == "replays" else 10)


def test_a_shortened_log_does_not_fit_the_checkpoint(tampered: FreshDatabase):
    before = kept(tampered)
    size = next(one.size for one in before if one.log == "operations")
    tamper(tampered, "DELETE FROM audit.entry WHERE log = 'operations' AND seq = 1")
    rehash(tampered, "operations", edge=True)
    assert verification(tampered).verdict == "PASS"
    assert said(verification(tampered, checkpoints=before)) == [
        ("operations", size - 1, "checkpoint", None, None, f"it is missing: the log has {size - 1} entries, and had {size} at the checkpoint")
    ]  # fmt: skip


def test_a_log_that_is_gone_without_a_trace_is_missed_by_the_checkpoint_only(tampered: FreshDatabase):
    before = kept(tampered)
    tables = ("audit.entry", "audit.body", "audit.log", "pipeline.stream", "pipeline.table_version", "pipeline.state_table")
    tamper(tampered, *(f"DELETE FROM {table} WHERE log = 'trading'" for table in tables))
    assert [report.log for report in verification(tampered).logs] == ["operations"]
    done = verification(tampered, checkpoints=before)
    assert {report.log: report.verdict for report in done.logs} == {"operations": "PASS", "trading": "FAIL"}
    assert {one[2] for one in said(done)} == {"tree", "checkpoint"}


def test_a_log_emptied_together_with_its_tree_is_missed_by_its_stream(tampered: FreshDatabase):
    tamper(tampered, "DELETE FROM audit.entry WHERE log = 'trading'", "DELETE FROM audit.body", "UPDATE audit.log SET size = 0, edge = '{}' WHERE log = 'trading'")
    done = verification(tampered, "trading")
    assert done.verdict == "FAIL"
    assert any("records is not entries" in one[5] for one in said(done))


def test_another_origin_does_not_fit_the_checkpoint(tampered: FreshDatabase):
    other = [Checkpoint("trading/2", one.size, one.root) for one in kept(tampered) if one.log == "trading"]
    assert said(verification(tampered, checkpoints=other)) == [
        ("trading", None, "checkpoint", None, None, "the checkpoint is of trading/2, the log of trading/1")
    ]


def test_findings_are_the_first_ones_and_counted(tampered: FreshDatabase):
    tamper(tampered, "UPDATE audit.entry SET leaf = sha256('x') WHERE log = 'trading'")
    (report,) = verification(tampered, "trading", findings=3).logs
    assert [one.seq for one in report.findings] == [0, 1, 2]
    assert report.found == report.entries

"""`cdc audit verify` on real warehouses that are right: PASS, whatever is in them and while a worker writes."""

from __future__ import annotations

from tests.fix_stack import FreshDatabase
from tests.verified_warehouse import fill, said, verification
from tests.warehouse import query


def test_everything_that_can_occur_passes(warehouse_database: FreshDatabase):
    fill(warehouse_database)
    done = verification(warehouse_database)
    assert said(done) == []
    assert {report.log: report.verdict for report in done.logs} == {"operations": "PASS", "trading": "PASS"}
    counts = {what.partition(":")[0]: count for report in done.logs for what, count in report.checked}
    for what in (
        "bodies of long entries", "table versions described", "changes of rows with a key", "changes of rows without a key",
        "before images equal to the row's after image before", "before images compared column by column",
        "replays, which change nothing", "transactions", "rows of current state", "state tables", "rows of pipeline.stream",
    ):  # fmt: skip
        assert counts[what] > 0, what
    trading = done.logs[1]
    assert any("_copies of 2 rows without a key that a truncate has hidden" in what for what in trading.unchecked)
    assert any("is suspended there" in what for what in trading.unchecked)
    state = query(warehouse_database.auditor_dsn, "SELECT open_transaction, open_count FROM pipeline.stream")
    assert state[0][1] > 0  # the log ends inside a transaction

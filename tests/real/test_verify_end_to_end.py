"""The standard workload of both databases, through real Debezium and Kafka: verification passes, and knows it as it was."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.fix_replication import SOURCES, Captured, Warehouse, drop_warehouse, new_warehouse


def audit(warehouse: Warehouse, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cdc", "audit", *map(str, arguments), "--config", str(warehouse.path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_all_tables_of_the_workload_pass(warehouse: Warehouse) -> None:
    warehouse.drain()
    done = audit(warehouse, "verify", "--output", "json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["verdict"]) == (0, "PASS"), document
    assert {log["log"] for log in document["logs"]} == {"operations", *SOURCES}
    for log in document["logs"]:
        if log["log"] == "operations":
            continue
        ((tables, rows),) = warehouse.query(
            "SELECT count(*), (SELECT count(*) FROM audit.entry WHERE log = %s) FROM pipeline.state_table WHERE log = %s", (log["log"],) * 2
        )
        assert log["checked"]["state tables"] == tables > 8
        assert log["entries"] == rows > 1000
        assert log["checked"]["before images not comparable"] == 0
        assert log["checked"]["bodies of long entries"] > 0
        assert log["checked"]["rows of current state"] > 500
        assert log["incomplete"] == []


def test_a_warehouse_passes_while_a_worker_fills_it_and_continues_its_checkpoints(captured: Captured, tmp_path: Path) -> None:
    warehouse = new_warehouse(captured)
    try:
        worker = warehouse.start("trading", "--until-caught-up", "--batch-records", "50")
        entries, saved = [], tmp_path / "checkpoint"
        while worker.poll() is None:
            done = audit(warehouse, "verify", "--output", "json")
            document = json.loads(done.stdout)
            assert [log["findings"] for log in document["logs"]] == [[]] * len(document["logs"])
            if document["entries"] > 100:
                entries.append(document["entries"])
                assert audit(warehouse, "checkpoint", "--save", saved).returncode == 0
        assert worker.wait() == 0
        assert len(entries) > 1
        assert entries == sorted(entries)
        assert entries[0] < entries[-1]
        done = audit(warehouse, "verify", "trading", "--checkpoint", saved)
        assert done.returncode == 0, done.stdout
    finally:
        drop_warehouse(captured, warehouse)

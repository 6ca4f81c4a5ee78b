"""The golden records of MariaDB are still what its server and Debezium write: captured again, and compared."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from cdc.local.stack import Stack
from tests.golden import capture_mariadb as capturing
from tests.golden.records import MARIADB, Golden, records

VOLATILE = {"ts_ms", "ts_us", "ts_ns", "gtid", "file", "pos", "thread", "beat_at", "system_identifier"}


def lasting(record: Golden) -> object:
    """What of a record must be the same in every capture."""
    value = json.loads(record.value) if record.value else None
    names = [name for name, _ in record.headers]
    if value is None:
        return (record.case, "tombstone", record.key, names)
    payload = value["payload"]
    if "status" in payload:
        counts = sorted((c["data_collection"], c["event_count"]) for c in payload["data_collections"] or ())
        return (record.case, payload["status"], payload["event_count"], counts)
    if "ddl" in payload:
        return (record.case, payload["ddl"])
    if "op" not in payload:
        return (record.case, value["schema"]["name"], payload.get("type"))
    source = {name: item for name, item in payload["source"].items() if name not in VOLATILE}
    order = (payload["transaction"] or {}).get("total_order")
    return (
        record.case,
        payload["op"],
        record.key,
        payload["before"],
        payload["after"],
        source,
        order,
        value["schema"],
        names,
    )


@pytest.mark.usefixtures("mariadb")  # a skip where there is none
def test_debezium_still_writes_the_golden_records(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capturing, "HERE", tmp_path)
    monkeypatch.setattr(sys, "argv", ["capture_mariadb", str(stack.state)])
    shutil.copy(MARIADB.parent / "source_mariadb.sql", tmp_path)
    capturing.main()
    (folder,) = tmp_path.glob("debezium-mariadb-*")
    for file in ("changes", "transactions", "ddl", "types"):
        again, kept = ([lasting(record) for record in records(file, folder=where)] for where in (folder, MARIADB))
        assert again == kept

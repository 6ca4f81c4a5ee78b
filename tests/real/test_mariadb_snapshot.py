"""An incremental snapshot on MariaDB: the same signals, the same commands; and its binary log where others have slots."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from cdc.local.mariadb import Server
from cdc.local.stack import Stack
from tests.fix_mariadb import MariaSource, maria_source

ROWS = 3_000
POLICY = """source: {name}
tables:
  {name}.item: {{columns: {{id: clear, note: seal, n: clear}}}}
  cdc.heartbeat: {{columns: {{id: clear, beat_at: clear, system_identifier: clear, timeline: clear}}}}
  cdc.signal: {{columns: {{id: clear, type: clear, data: clear}}}}
"""


@pytest.fixture(scope="module")
def source(stack: Stack, mariadb: Server) -> Iterator[MariaSource]:
    with maria_source(stack, mariadb) as made:
        made.run(
            "CREATE TABLE item (id bigint PRIMARY KEY, note varchar(40), n int NOT NULL)",
            "CREATE TABLE loose (note varchar(40))",
            f"INSERT INTO item SELECT seq, concat('secret ', seq), seq % 10 FROM seq_1_to_{ROWS}",
            "ANALYZE TABLE item",
        )
        made.declare(POLICY.format(name=made.name))
        made.apply()
        made.wait()
        yield made


def cdc(source: MariaSource, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "cdc", "connectors", *arguments, "--config", str(source.warehouse.path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done


def test_a_table_is_read_anew_beside_the_stream(source: MariaSource) -> None:
    name = source.name
    plan = json.loads(cdc(source, "snapshot", "plan", name, "--output", "json").stdout)
    assert [line["table"] for line in plan["tables"]] == [f"{name}.item"]
    assert plan["rows"] == pytest.approx(ROWS, rel=0.3)
    start = ("snapshot", "start", name, f"{name}.item", "--reason", "ticket 1", "--yes")
    assert "names note, which the policy protects" in cdc(source, *start, "--where", "note = 'secret 1'", code=4).stderr
    assert "MariaDB error 1064" in cdc(source, *start, "--where", "n = = 1", code=2).stderr
    assert "no primary key" in cdc(source, "snapshot", "start", name, f"{name}.loose", "--reason", "x", "--yes", code=4).stderr
    done = cdc(source, *start, "--wait")
    assert f"complete: {ROWS:,} rows" in done.stderr
    status = json.loads(cdc(source, "snapshot", "status", name, "--output", "json").stdout)
    assert (status["state"], status["rows"]) == ("complete", ROWS)
    part = cdc(source, *start, "--where", "n = 3", "--wait")
    assert f"complete: {ROWS // 10:,} rows" in part.stderr
    source.wait()
    ((reread,),) = source.warehouse.query(
        "SELECT count(*) FROM audit.entry WHERE log = %s AND table_name = %s AND operation = 'r'", (name, f"{name}.item")
    )
    assert reread == ROWS * 2 + ROWS // 10
    assert source.warehouse.query(f'SELECT count(*), sum(n) FROM {name}."{name}.item"') == [(ROWS, sum(n % 10 for n in range(1, ROWS + 1)))]


def test_its_binary_log_stands_where_others_have_slots(source: MariaSource) -> None:
    (line,) = json.loads(cdc(source, "slots", source.name, "--output", "json").stdout)["slots"]
    assert (line["kind"], line["name"], line["source"], line["wal_status"]) == ("mariadb", "binary log", source.name, "kept")
    assert line["retained"] > 0
    assert line["unconfirmed"] >= 0
    assert line["problem"] is None
    assert "binary log" in cdc(source, "slots", source.name).stdout
    (stored,) = json.loads(cdc(source, "offsets", "get", source.name, "--output", "json").stdout)["offsets"]
    assert stored["position"].partition(" ")[0] == stored["offset"]["file"]

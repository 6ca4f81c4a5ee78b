"""MariaDB's connector restarted inside a transaction: it writes the BEGIN again and numbers the rest from 1, and nothing of it is taken for a replay."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter

from confluent_kafka import Consumer, TopicPartition

from cdc.local.mariadb import Server
from cdc.local.stack import Stack
from connectors.client import ConnectClient
from tests.chaos.topics import BOUNDARY, payload
from tests.fix_mariadb import MariaSource, maria_source
from tests.oracle.topic import read_topic

POLICY = """\
source: {name}
tables:
  cdc.heartbeat: {{columns: {{id: clear, beat_at: clear, system_identifier: clear, timeline: clear}}}}
  {name}.written: {{columns: {{id: clear, v: clear}}}}
"""
PATIENCE_S = 240.0
ROWS = 12_000


def cdc(source: MariaSource, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "cdc", *arguments, "--config", str(source.warehouse.path)],
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def begun_twice(source: MariaSource) -> list[str]:
    """Transactions whose BEGIN the topic has more than once."""
    found = (payload(record) for record in read_topic(source.stack.addresses().bootstrap_servers, source.name))
    begins = Counter(held["id"] for name, held in found if name == BOUNDARY and held["status"] == "BEGIN")
    return [name for name, times in begins.items() if times > 1]


def restarted_inside_a_transaction(source: MariaSource) -> list[str]:
    """Ids of transactions begun twice. A restart that comes too late is tried again with another transaction; one right behind a BEGIN halts nothing."""
    consumer = Consumer({"bootstrap.servers": source.stack.addresses().bootstrap_servers, "group.id": "restart"})
    place, ends = TopicPartition(source.name, 0), time.monotonic() + PATIENCE_S

    def reached() -> int:
        return int(consumer.get_watermark_offsets(place, timeout=10)[1])

    while not (again := begun_twice(source)):
        before = reached()
        source.run(f"INSERT INTO written (v) SELECT seq FROM seq_1_to_{ROWS}")
        while reached() < before + 500:
            assert time.monotonic() < ends
        with ConnectClient(source.stack.addresses().connect_url) as client:
            client.restart(source.name, only_failed=False)
        while reached() < before + ROWS:
            assert time.monotonic() < ends
            time.sleep(0.1)
    consumer.close()
    return again


def test_a_connector_restarted_inside_a_transaction(stack: Stack, mariadb: Server) -> None:
    with maria_source(stack, mariadb) as source:
        source.run("CREATE TABLE written (id int AUTO_INCREMENT PRIMARY KEY, v int)")
        source.declare(POLICY.format(name=source.name))
        source.apply()
        begun = restarted_inside_a_transaction(source)
        halted = source.warehouse.replicate(source.name, "--until-caught-up")
        assert halted.returncode == 4, halted.stderr
        assert "cdc: transaction-begun-again: " in halted.stderr
        assert f"then cdc stream accept-gap {source.name} --reason" in cdc(source, "status", code=4)
        cdc(source, "stream", "accept-gap", source.name, "--reason", "the connector was restarted", "--yes")
        source.wait()
        (gap,) = source.warehouse.query("SELECT entry::json #> '{content,effect}' FROM audit.entry WHERE log = %s AND kind = 'gap'", (source.name,))
        transaction = gap[0]["closes"]
        assert transaction in begun
        assert (gap[0]["opens"], gap[0]["skips"]) == ({"id": transaction, "order": "1"}, "1")
        here = sorted(source.run("SELECT id, v FROM written"))
        assert sorted(source.warehouse.query(f'SELECT id, v FROM {source.name}."{source.name}.written"')) == here
        entries = "SELECT count(*), count(*) FILTER (WHERE audit.is_replay(entry)) FROM audit.entry WHERE log = %s AND table_name = %s AND kind = 'change'"
        assert source.warehouse.query(entries, (source.name, f"{source.name}.written")) == [(len(here), 0)]
        assert json.loads(cdc(source, "status", "--output", "json"))[0]["halted_code"] is None
        cdc(source, "audit", "verify", source.name)

"""Every section of docs/operations.md on a halt or a suspended table is walked: the fault made, the code seen, the command typed.

One source with a connector of its own goes through one fault after the other. What another test walks already, on topics or
servers that this one does not have, is named with that test. By default some sections are walked here, with ``CDC_RUNBOOK=all``
every one (three minutes): of the others ``test_gaps.py`` makes the same faults on copies of a topic.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psycopg2
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions

from cdc.errors import Halted
from cdc.local.stack import Stack
from cdc.warehouse import lease
from connectors.client import ConnectClient
from tests.chaos.processes import until
from tests.chaos.topics import payload
from tests.fix_own import Own, own_source, run_as
from tests.house.test_docs import documented_halts, documented_suspensions
from tests.oracle.comparison import compare_source
from tests.oracle.topic import TopicRecord, read_topic

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = (ROOT / "docs/operations.md").read_text()
ELSEWHERE = {
    "transaction-begun-again": "tests/real/test_mariadb_restart.py::test_a_connector_restarted_inside_a_transaction",
    "position-lost": "tests/chaos/test_rebaseline.py::test_state_is_right_again_after_a_gap_while_the_source_goes_on",
    "warehouse-behind": "tests/chaos/test_rollback.py::test_what_kafka_no_longer_holds",
    "privacy-store-restored": "tests/chaos/test_halts.py::test_a_privacy_store_restored_to_the_past",
    "quarantine-rate": "tests/chaos/test_halts.py::test_too_many_records_that_cannot_be_decoded",
    "source-kind": "tests/chaos/test_halts.py::test_rows_of_another_connector",
    "stream-missing": "tests/chaos/test_runbook.py::test_a_stream_that_vanished",
    "too-many-columns": "tests/real/test_shapes.py::test_tables_of_every_shape_come_through",
    "value-refused": "tests/real/test_state_refused.py::test_the_table_is_suspended_and_all_else_flows_on",
}
"""Code → the test that walks it."""
EVERY = os.environ.get("CDC_RUNBOOK") == "all"
SCHEMA = (
    "CREATE TABLE kept (id int PRIMARY KEY, n int NOT NULL)",
    "CREATE TABLE loose (n int)",
    "CREATE TABLE altered (id int PRIMARY KEY, a int, b int)",
    "INSERT INTO kept SELECT g, g FROM generate_series(1, 20) g",
    "INSERT INTO loose SELECT g FROM generate_series(1, 5) g",
    "INSERT INTO altered SELECT g, g, g FROM generate_series(1, 5) g",
)


def section(code: str, under: str) -> str:
    """The text of one section."""
    part = OPERATIONS.partition(f"\n## {under}\n")[2].partition("\n## ")[0]
    return part.partition(f"\n### `{code}`")[2].partition("\n### ")[0]


def goes_on(code: str) -> str:
    """The command that a halt's section ends with."""
    (command,) = re.findall(r"^\*\*Goes on:\*\* `(.+)`$", section(code, "Halts"), re.MULTILINE)
    return command


@pytest.fixture(scope="module")
def own(stack: Stack) -> Iterator[Own]:
    with own_source(stack) as own:
        own.run(*SCHEMA)
        own.cdc("connectors", "init", own.name, "--apply-sql")
        definition = own.folder / "definition.yaml"
        definition.write_text(f"{definition.read_text()}heartbeat_interval_ms: 1000\n")
        own.cdc("policy", "init", own.name, *[word for table in ("kept", "loose", "altered") for word in ("--clear", f"{table}.*")])
        own.apply()
        own.drain()
        yield own
        if topic(own) != own.name:
            admin = kafka(own)
            admin.delete_topics([topic(own)])[topic(own)].result(30)


def topic(own: Own) -> str:
    """The one that the configuration names now."""
    return own.warehouse.settings.sources[own.name].topic


def kafka(own: Own) -> AdminClient:
    return AdminClient({"bootstrap.servers": own.warehouse.settings.kafka["bootstrap.servers"]})


def produce(own: Own, records: Sequence[TopicRecord]) -> None:
    """Records of the topic once more, in one piece: what a connector that errs, or somebody else, may write."""
    producer = Producer({"bootstrap.servers": own.warehouse.settings.kafka["bootstrap.servers"], "linger.ms": 200})
    for record in records:
        producer.produce(own.name, record.value, record.key, partition=0, timestamp=record.timestamp)
    assert producer.flush(30) == 0


def pair(own: Own) -> list[TopicRecord]:
    """BEGIN, two events, END of a transaction that the worker has read."""
    own.run("UPDATE kept SET n = n + 1 WHERE id = 1; UPDATE kept SET n = n + 1 WHERE id = 2")
    own.drain()
    records = read_topic(own.warehouse.settings.kafka["bootstrap.servers"], own.name)
    for at in range(len(records) - 4, -1, -1):
        told = [payload(record)[1] for record in records[at : at + 4]]
        if [each.get("status") for each in told] == ["BEGIN", None, None, "END"] and told[3]["event_count"] == 2:
            return records[at : at + 4]
    raise AssertionError("no such transaction")


def no_begin(own: Own) -> None:
    produce(own, pair(own)[2:])


def no_end(own: Own) -> None:
    produce(own, pair(own)[:2])
    own.run("UPDATE kept SET n = n + 1 WHERE id = 3")
    own.wait()


def one_less(own: Own) -> None:
    begin, first, _second, end = pair(own)
    produce(own, [begin, first, end])


def other_timeline(own: Own) -> None:
    """The connector itself sets it right with its next beat, which is another source once more."""
    own.run("UPDATE cdc.heartbeat SET timeline = timeline + 1")
    own.wait()


def skipped(own: Own) -> None:
    """A publication is missing for a while: PostgreSQL 18 goes on without, and decodes the time in between as it was."""
    beat = "UPDATE cdc.heartbeat SET beat_at = clock_timestamp()"
    own.run(
        f"ALTER PUBLICATION cdc_{own.name} RENAME TO away",
        "UPDATE kept SET n = n + 1 WHERE id = 8",
        beat,
        f"ALTER PUBLICATION away RENAME TO cdc_{own.name}",
        beat,
    )
    own.wait()


def recreated(own: Own) -> None:
    with ConnectClient(own.stack.addresses().connect_url) as client:
        client.stop(own.name)
        until(lambda: not client.status(own.name).tasks)
        admin = kafka(own)
        admin.delete_topics([own.name])[own.name].result(30)
        own.run("UPDATE kept SET n = n + 1 WHERE id = 4")
        client.resume(own.name)
    own.cdc("connectors", "apply", own.name)
    own.wait()


def second_partition(own: Own) -> None:
    admin = kafka(own)
    admin.create_partitions([NewPartitions(own.name, 2)])[own.name].result(30)


def renamed(own: Own) -> None:
    for name in ("definition.yaml", "source.toml"):
        text = (own.folder / name).read_text()
        changed = re.sub(rf'^(topic\s*[:=]\s*"?){own.name}("?)$', rf"\g<1>{own.name}_2\g<2>", text, flags=re.MULTILINE)
        assert changed != text
        (own.folder / name).write_text(changed)
    own.cdc("connectors", "apply", own.name)
    own.run("UPDATE kept SET n = n + 1 WHERE id = 5")
    own.wait()


def protected_heartbeat(own: Own) -> None:
    text = own.policy.read_text()
    (own.folder / "policy.kept").write_text(text)
    changed = re.sub(r"(timeline: *)clear", r"\1seal", text)
    assert changed != text
    own.policy.write_text(changed)
    own.run("UPDATE kept SET n = n + 1 WHERE id = 6")
    own.wait()


def readable_heartbeat(own: Own) -> None:
    own.policy.write_text((own.folder / "policy.kept").read_text())


def subjects(own: Own, status: str) -> None:
    found = own.warehouse.query("SELECT DISTINCT split_part(subject, '/', 1) FROM audit.entry WHERE log = %s AND subject IS NOT NULL", (own.name,))
    listed = ", ".join(f"'\\x{subject}'" for (subject,) in found)
    run_as(own.warehouse.settings.privacy_admin_dsn, f"UPDATE privacy.subject SET status = '{status}' WHERE id IN ({listed})")


def closed(own: Own) -> None:
    subjects(own, "closed")
    own.run("UPDATE kept SET n = n + 1 WHERE id = 7")
    own.wait()


def diverged(own: Own) -> None:
    """By hand in the state table, which is what the section forbids."""
    run_as(own.warehouse.settings.warehouse_admin_dsn, f"UPDATE {own.name}_state.loose SET _copies = 0")
    own.run("DELETE FROM loose WHERE n = 1")
    own.wait()


HALTS: dict[str, tuple[Callable[[Own], None], Callable[[Own], None] | None]] = {
    "heartbeat-protected": (protected_heartbeat, readable_heartbeat),
    "protection": (closed, lambda own: subjects(own, "open")),
    "transaction-without-begin": (no_begin, None),
    "transaction-without-end": (no_end, None),
    "transaction-incomplete": (one_less, None),
    "source-epoch": (other_timeline, None),
    "source-skipped": (skipped, None),
    "topic-recreated": (recreated, None),
    "partition-count": (second_partition, recreated),
    "topic-changed": (renamed, None),
    "state-diverged": (diverged, None),
}
"""Code → what makes the fault, and what the section says to do before its command."""
WALKED = [code for code in HALTS if EVERY or code in {"protection", "source-skipped", "topic-recreated", "state-diverged"}]


def status(own: Own, code: int) -> tuple[str, dict]:
    text = own.cdc("status", code=code).stdout
    (stream,) = json.loads(own.cdc("status", "--output", "json", code=code).stdout)
    return text, stream


def differences(own: Own, *, but: Sequence[str] = ()) -> dict[str, str]:
    settings = own.warehouse.settings
    compared = compare_source(own.admin_dsn, settings.warehouse_auditor_dsn, own.name, own.policy)
    left_out = {"cdc.heartbeat", *but}
    return {table.table: table.difference for table in compared if table.difference and table.table not in left_out}


@pytest.mark.parametrize("code", WALKED)
def test_a_halt_is_walked(own: Own, code: str) -> None:
    fault, mend = HALTS[code]
    own.drain()
    fault(own)
    done = own.warehouse.replicate(own.name, "--until-caught-up")
    assert done.returncode == 4, done.stderr
    assert f"cdc: {code}: " in done.stderr
    text, stream = status(own, 4)
    command = goes_on(code).replace("SOURCE", own.name)
    assert f"{own.name}: halted: {code}: " in text
    shown = command.replace("…", "'…'")
    assert f"then {shown}\n" in text
    assert (stream["halted_code"], stream["halted_command"]) == (code, shown)
    if mend is not None:
        mend(own)
    for _ in range(2):
        words = shlex.split(command)[1:]
        typed = [*words, "--until-caught-up"] if words[0] == "replicate" else [*words, "--yes"]
        own.cdc(*typed)
        done = own.warehouse.replicate(own.name, "--until-caught-up")
        if done.returncode == 0 or code != "source-epoch":
            break
    assert done.returncode == 0, done.stderr
    text, stream = status(own, 0)
    assert stream["halted_code"] is None
    if "accept-gap" not in command:
        assert differences(own) == {}
    if "replicate" not in command:
        own.cdc("audit", "verify", own.name, code=6 if code == "state-diverged" else 0)
        assert stream["gaps"][-1]["cause"] in {code, "topic-recreated"}


SUSPENSIONS = {
    "column-gone": "ALTER TABLE altered DROP COLUMN b",
    "column-changed": "ALTER TABLE altered ALTER COLUMN a TYPE text USING 'x' || a",
    "key-changed": "ALTER TABLE altered DROP CONSTRAINT altered_pkey, ADD PRIMARY KEY (id, a)",
    "state-diverged": "",
    "quarantine": "",
}
"""Code → the statement that makes it; none where the halt before has made it, or a record that cannot be read."""
WALKED_TABLES = [code for code in SUSPENSIONS if EVERY or code in {"column-changed", "state-diverged"}]


@pytest.mark.parametrize("code", WALKED_TABLES)
def test_a_suspended_table_is_walked(own: Own, code: str) -> None:
    table = "loose" if code == "state-diverged" else "altered"
    if code == "quarantine":
        table = "kept"
        own.drain()
        records = read_topic(own.warehouse.settings.kafka["bootstrap.servers"], topic(own))
        record = next(each for each in reversed(records) if b".public.kept.Envelope" in (each.value or b""))
        spoiled = record.value.replace(b'"op":"', b'"op":"?')
        producer = Producer({"bootstrap.servers": own.warehouse.settings.kafka["bootstrap.servers"]})
        producer.produce(topic(own), spoiled, record.key, partition=0)
        assert producer.flush(30) == 0
    elif SUSPENSIONS[code]:
        own.run(SUSPENSIONS[code], "INSERT INTO altered (id, a) VALUES ((SELECT max(id) + 1 FROM altered), '7')")
    own.drain()
    text, stream = status(own, 0)
    (found,) = [each for each in stream["suspended"] if each["table"] == f"public.{table}"]
    assert found["code"] == code
    assert f"current state of public.{table} is suspended since entry {found['seq']:,} ({code}: " in text
    assert f"  → {found['command']}\n" in text
    told = section(code, "Suspended tables")
    if found["command"].startswith("cdc rebuild") and code != "state-diverged":
        assert "**Do:** `cdc rebuild`" in told
        own.cdc(*shlex.split(found["command"])[1:])
        own.run("UPDATE altered SET id = id + 1000 WHERE id = (SELECT max(id) FROM altered)")
        if code == "column-changed":  # what the ALTER made of rows is in no row change
            assert "`cdc stream rebaseline`" in told
            own.cdc("stream", "rebaseline", own.name, f"public.{table}", "--reason", "its type was changed", "--yes")
        own.drain()
        assert [each for each in status(own, 0)[1]["suspended"] if each["table"] == f"public.{table}"] == []
        assert differences(own, but=["public.loose"]) == {}
    elif found["command"].startswith("cdc quarantine"):
        assert "`cdc quarantine list`" in told
        assert "public.kept" in own.cdc(*shlex.split(found["command"])[1:]).stdout
    else:
        assert "history" in told


def test_a_stream_that_vanished(own: Own) -> None:
    """Between two statements of a worker that takes it: only a person can mend that, and the section says so."""
    name = "vanished"
    connection = lease.connect(own.warehouse.settings.warehouse_dsn, "test")
    try:
        lease.register(connection, name, "t", "id")
        held = psycopg2.connect(own.warehouse.settings.warehouse_admin_dsn)
        with held, held.cursor() as cursor:
            cursor.execute("ALTER TABLE pipeline.lease DROP CONSTRAINT lease_log_fkey")
            cursor.execute("DELETE FROM pipeline.stream WHERE log = %s", (name,))
        held.close()
        with pytest.raises(Halted, match="stream-missing"):
            lease.try_take(connection, name)
    finally:
        connection.close()
    assert "Only a person outside can mend it" in section("stream-missing", "Halts")
    assert "`cdc migrate`" in section("stream-missing", "Halts")


def test_no_code_is_left_out() -> None:
    assert HALTS.keys() | {code for code in ELSEWHERE if code in documented_halts(OPERATIONS)} == documented_halts(OPERATIONS)
    suspended = documented_suspensions(OPERATIONS) | {"quarantine"}
    assert SUSPENSIONS.keys() | {code for code in ELSEWHERE if code in suspended} == suspended
    assert all(section(code, "Suspended tables") for code in suspended)
    for place in ELSEWHERE.values():
        file, _, name = place.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text()
    assert all(goes_on(code).startswith("cdc ") for code in documented_halts(OPERATIONS))

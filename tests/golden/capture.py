"""Capture golden records: play ``cases.py`` on a real source and keep what Debezium writes, byte for byte.

    cdc local up --state /tmp/golden && python -m tests.golden.capture /tmp/golden

It makes a database, a connector and a topic of its own (``golden``) in that stack, with exactly the profile that every source gets,
and removes them again. After each case a row is written to ``golden.fence``; what arrives before that row's transaction
belongs to the case.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path

import psycopg2
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from cdc import config
from connectors import secrets
from connectors.apply import apply
from connectors.check import demand_fit
from connectors.client import ConnectClient
from connectors.definition import Definition, load
from connectors.errors import NotFound
from connectors.postgres_profile import CONNECTOR_CLASS
from tests.golden.cases import CASES, COPIED, Case

HERE = Path(__file__).parent
DEFINITION = """
name: golden
kind: postgres
topic: golden
database:
  host: ${secret:golden/host}
  port: ${secret:golden/port}
  name: golden
  user: ${secret:golden/user}
  password: ${secret:golden/password}
schemas: [golden]
exclude: ['golden\\.parted_\\d+']
heartbeat_interval_ms: 1000
"""
PATIENCE_S = 60


class Arriving:
    """Records of a topic's one partition, from its first, as they come; after ``PATIENCE_S`` of silence TimeoutError."""

    def __init__(self, kafka: Mapping[str, str], topic: str) -> None:
        self._consumer = Consumer({
            **kafka, "group.id": topic, "enable.auto.commit": False, "auto.offset.reset": "error",
            "isolation.level": "read_committed",
        })  # fmt: skip
        self._consumer.assign([TopicPartition(topic, 0, 0)])

    def __iter__(self) -> Iterator[dict[str, object]]:
        last = time.monotonic()
        while time.monotonic() - last < PATIENCE_S:
            message = self._consumer.poll(0.2)
            if message is None:
                continue
            if message.error():
                time.sleep(0.2)
                continue
            last = time.monotonic()
            yield _record(message)
        raise TimeoutError("nothing arrived; is the task running?")


class Capture:
    """One run: the source, the connector, and the records as they arrive."""

    def __init__(self, state: Path) -> None:
        self.settings = config.load(state / "cdc.toml")
        self.state = self.settings.state
        trading = self.settings.source("trading")
        assert trading.dsn is not None
        assert trading.admin_dsn is not None
        self.admin = psycopg2.extensions.make_dsn(trading.admin_dsn, dbname="golden")
        self.maintenance = psycopg2.extensions.make_dsn(trading.admin_dsn, dbname="postgres")
        self.dsn = psycopg2.extensions.make_dsn(trading.dsn, dbname="golden")
        self.client = ConnectClient(self.settings.connect_url)
        self.secret = self.state / "secrets" / "golden.properties"
        self.fences = 0
        self.backlog: list[dict[str, object]] = []

    def prepare(self) -> Definition:
        """The database, the secret and the definition."""
        _run(self.maintenance, "CREATE DATABASE golden")
        _run(self.admin, (HERE / "source.sql").read_text())
        lines = (self.state / "secrets" / "trading.properties").read_text().splitlines()
        self.secret.touch(mode=0o600)
        self.secret.write_text(
            "\n".join("dbname=golden" if line.startswith("dbname=") else line for line in lines) + "\n"
        )
        path = self.state / "golden.yaml"
        path.write_text(DEFINITION)
        definition = load(path)
        demand_fit(definition, self.dsn)
        return definition

    def start(self, definition: Definition) -> None:
        """Apply the connector and begin to read its topic."""
        apply(self.client, definition, secrets.in_folder(self.state / "secrets"), report=print)
        self.arriving = Arriving(self.settings.kafka, "golden")

    def snapshot(self) -> list[dict[str, object]]:
        """From the first record to the end of the first heartbeat's transaction."""
        records = []
        for record in self.arriving:
            records.append(record)
            if payload(record).get("status") == "END":
                return records
        raise AssertionError

    def play(self, case: Case) -> list[dict[str, object]]:
        """Do what the case says and return its records."""
        sessions = {name: psycopg2.connect(self.admin) for name in sorted({name for name, _ in case.steps})}
        for connection in sessions.values():
            connection.autocommit = True
        for name, statement in case.steps:
            with sessions[name].cursor() as cursor:
                if statement.startswith("COPY"):
                    cursor.copy_expert(statement, StringIO(COPIED[case.name]))
                else:
                    cursor.execute(statement)
        for connection in sessions.values():
            connection.close()
        if case.until or case.beats:
            time.sleep(2)
        return list(self.until_fence(case))

    def until_fence(self, case: Case) -> Iterator[dict[str, object]]:
        """Records of the case. Heartbeats of no interest are left out whole: they come when they like."""
        waiting = case.until
        if waiting is None:
            self.fence()
        beats = case.beats
        for unit in self.units():
            if _touches(unit, "golden", "fence"):
                return
            if (_touches(unit, "cdc", "heartbeat") or "Heartbeat" in str(unit[0]["value"])) and not beats:
                continue
            yield from unit
            if waiting and any(notification(record) == waiting for record in unit):
                waiting = None
                self.fence()

    def fence(self) -> None:
        """One row that says: all before is here."""
        self.fences += 1
        _run(self.admin, f"INSERT INTO golden.fence VALUES ({self.fences})")

    def units(self) -> Iterator[list[dict[str, object]]]:
        """Whole transactions (with what stands inside them), and single records between."""
        unit: list[dict[str, object]] = []
        for record in self.arriving:
            unit.append(record)
            if payload(record).get("status") == "BEGIN" or (len(unit) > 1 and payload(record).get("status") != "END"):
                continue
            yield unit
            unit = []

    def remove(self) -> None:
        """Take everything of ours away again."""
        try:
            self.client.stop("golden")
            self.client.delete_offsets("golden")
            self.client.delete("golden")
        except NotFound:
            pass
        time.sleep(1)
        slots = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'cdc_golden'"
        _run(self.maintenance, slots)
        _run(self.maintenance, "DROP DATABASE IF EXISTS golden WITH (FORCE)")
        admin = AdminClient(dict(self.settings.kafka))
        for done in admin.delete_topics(["golden"], operation_timeout=30).values():
            if done.exception() is not None:
                print("topic golden:", done.exception())
        self.secret.unlink(missing_ok=True)


def _run(dsn: str, statement: str) -> None:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def _record(message: Message) -> dict[str, object]:
    key, value = message.key(), message.value()
    return {
        "offset": message.offset(),
        "timestamp": message.timestamp()[1],
        "headers": [[name, content.decode()] for name, content in message.headers() or []],
        "key": None if key is None else key.decode(),
        "value": None if value is None else value.decode(),
    }


def payload(record: dict[str, object]) -> dict[str, object]:
    """Of a record's value; nothing of a tombstone's."""
    value = record["value"]
    return json.loads(value)["payload"] if isinstance(value, str) else {}


def _touches(unit: list[dict[str, object]], schema: str, table: str) -> bool:
    sources = (payload(record).get("source") for record in unit)
    return any(
        isinstance(source, dict) and (source["schema"], source["table"]) == (schema, table) for source in sources
    )


def notification(record: dict[str, object]) -> str:
    """Aggregate type and type, as a case's ``until`` has them."""
    said = payload(record)
    return f"{said.get('aggregate_type')}/{said.get('type')}"


class Archive:
    """The files to write. A table's schema is the same bytes in each of its records, so it is written once, beside them."""

    def __init__(self) -> None:
        self.schemas: dict[str, str] = {}
        self.files: dict[str, list[str]] = {}

    def keep(self, file: str, case: str, records: list[dict[str, object]]) -> None:
        """Add a case's records."""
        for record in records:
            split = {part: self.split(record[part]) for part in ("key", "value")}
            line = {"case": case, **record, **split}
            self.files.setdefault(file, []).append(json.dumps(line, ensure_ascii=False, separators=(",", ":")))
        print(f"{file}/{case}: {len(records)} records")

    def split(self, text: object) -> object:
        """``{"schema":…,"payload":…}`` → [name of the schema, text of the payload]; demands that nothing is lost by it."""
        if not isinstance(text, str):
            return None
        schema, end = json.JSONDecoder().raw_decode(text, len('{"schema":'))
        schema_text = text[len('{"schema":') : end]
        payload = text[end + len(',"payload":') : -1]
        assert text == f'{{"schema":{schema_text},"payload":{payload}}}'
        known = next((name for name, known in self.schemas.items() if known == schema_text), None)
        if known is None:
            same = sum(name.partition("#")[0] == schema["name"] for name in self.schemas)
            known = f"{schema['name']}#{same + 1}" if same else schema["name"]
            self.schemas[known] = schema_text
        return [known, payload]

    def write(self, folder: Path) -> None:
        """Replace the folder's records."""
        folder.mkdir(exist_ok=True)
        for old in folder.glob("*.json*"):
            old.unlink()
        for file, lines in self.files.items():
            (folder / f"{file}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (folder / "schemas.json").write_text(
            json.dumps(self.schemas, indent=0, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def main() -> None:
    """Capture all cases into a folder named after Debezium's version."""
    capture, archive = Capture(Path(sys.argv[1])), Archive()
    capture.remove()
    try:
        capture.start(capture.prepare())
        archive.keep("snapshot", "snapshot", capture.snapshot())
        for case in CASES:
            archive.keep(case.file, case.name, capture.play(case))
        (version,) = (plugin.version for plugin in capture.client.plugins() if plugin.class_name == CONNECTOR_CLASS)
    finally:
        capture.remove()
    archive.write(HERE / f"debezium-postgres-{version}")


if __name__ == "__main__":
    main()

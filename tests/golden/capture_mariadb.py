"""Capture MariaDB's golden records: play ``cases_mariadb.py`` on a real server and keep what Debezium writes, byte for byte.

    cdc local up --state /tmp/golden && python -m tests.golden.capture_mariadb /tmp/golden

It starts a server of its own (Debian's), and makes a connector and a topic (``golden_maria``) in that stack, with exactly the profile
that every source gets; all of it is gone afterwards. After each case a row is written to ``golden.fence``; what arrives
before that row's transaction belongs to the case.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pymysql
from confluent_kafka.admin import AdminClient

from cdc import config
from cdc.local.mariadb import Server
from cdc.local.mariadb_prepare import statements
from connectors import mariadb_check, secrets
from connectors.apply import apply
from connectors.client import ConnectClient
from connectors.definition import Definition, load
from connectors.errors import NotFound
from connectors.mariadb_profile import CONNECTOR_CLASS
from tests.fix_mariadb import PASSWORD, maria_server
from tests.golden.capture import Archive, Arriving, notification, payload
from tests.golden.cases import Case
from tests.golden.cases_mariadb import CASES, typed

HERE = Path(__file__).parent
NAME = "golden_maria"
DEFINITION = f"""
name: {NAME}
kind: mariadb
topic: {NAME}
server_id: 7301
database:
  host: ${{secret:{NAME}/host}}
  port: ${{secret:{NAME}/port}}
  name: golden
  user: ${{secret:{NAME}/user}}
  password: ${{secret:{NAME}/password}}
  sslmode: disable
schemas: [golden]
schema_history:
  bootstrap_servers: ${{secret:{NAME}/bootstrap_servers}}
heartbeat_interval_ms: 1000
"""
Unit = list[dict[str, object]]


class Capture:
    """One run: the server, the connector, and the records as they arrive."""

    def __init__(self, state: Path, server: Server) -> None:
        self.settings = config.load(state / "cdc.toml")
        self.state = self.settings.state
        self.server = server
        self.client = ConnectClient(self.settings.connect_url)
        self.secret = self.state / "secrets" / f"{NAME}.properties"
        self.fences = 0

    def prepare(self) -> Definition:
        """The database, the secret and the definition."""
        script = statements((HERE / "source_mariadb.sql").read_text(encoding="utf-8"))
        self.run("CREATE DATABASE golden CHARACTER SET utf8mb4", "CREATE DATABASE uncaptured")
        self.run("USE golden", *script, *(statement for _, statement in typed(1)))
        self.secret.touch(mode=0o600)
        kafka = self.settings.kafka["bootstrap.servers"]
        self.secret.write_text(
            f"host=127.0.0.1\nport={self.server.port}\nuser=cdc_capture\npassword={PASSWORD}\nbootstrap_servers={kafka}\n"
        )
        path = self.state / f"{NAME}.yaml"
        path.write_text(DEFINITION)
        definition = load(path)
        refused = [f.problem for f in mariadb_check.source(definition, self.dsn) if f.refuse]
        assert not refused, refused
        return definition

    @property
    def dsn(self) -> str:
        """As the account that captures."""
        return f"mariadb://cdc_capture:{PASSWORD}@127.0.0.1:{self.server.port}/golden"

    def run(self, *wanted: str) -> None:
        """As root, in one session that lets zero dates pass."""
        with self.session() as connection, connection.cursor() as cursor:
            for statement in wanted:
                cursor.execute(statement)

    def session(self, database: str | None = None) -> pymysql.connections.Connection[pymysql.cursors.Cursor]:
        """A session of root's in autocommit mode, as an old application has it: with an empty sql_mode."""
        connection = self.server.connect(database)
        with connection.cursor() as cursor:
            cursor.execute("SET sql_mode = '', time_zone = '+00:00'")
        return connection

    def start(self, definition: Definition) -> None:
        """Apply the connector and begin to read its topic."""
        apply(self.client, definition, secrets.in_folder(self.state / "secrets"), report=print)
        self.arriving = Arriving(self.settings.kafka, NAME)

    def snapshot(self) -> Unit:
        """From the first record to the end of the first heartbeat's transaction."""
        records = []
        for record in self.arriving:
            records.append(record)
            if payload(record).get("status") == "END":
                return records
        raise AssertionError

    def play(self, case: Case) -> Unit:
        """Do what the case says and return its records."""
        sessions = {name: self.session("golden") for name in sorted({name for name, _ in case.steps})}
        for name, statement in case.steps:
            with sessions[name].cursor() as cursor:
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
        for unit in self.units():
            if _touches(unit, "fence"):
                return
            kept = unit if case.beats else _without_beats(unit)
            yield from kept
            if waiting and any(notification(record) == waiting for record in unit):
                waiting = None
                self.fence()

    def fence(self) -> None:
        """One row that says: all before is here."""
        self.fences += 1
        self.run(f"INSERT INTO golden.fence VALUES ({self.fences})")

    def units(self) -> Iterator[Unit]:
        """Whole transactions, with what stands inside them, and single records between. A DDL has a BEGIN and no END: it
        goes on to the BEGIN of the next.
        """
        unit: Unit = []
        for record in self.arriving:
            status = payload(record).get("status")
            if status == "BEGIN" and unit:
                yield unit
                unit = []
            unit.append(record)
            if status == "END" or payload(unit[0]).get("status") != "BEGIN":
                yield unit
                unit = []

    def remove(self) -> None:
        """Take everything of ours in the stack away again."""
        try:
            self.client.stop(NAME)
            self.client.delete_offsets(NAME)
            self.client.delete(NAME)
        except NotFound:
            pass
        time.sleep(1)
        admin = AdminClient(dict(self.settings.kafka))
        for name, done in admin.delete_topics([NAME, f"{NAME}.schema-history"], operation_timeout=30).items():
            if done.exception() is not None:
                print(f"topic {name}:", done.exception())
        self.secret.unlink(missing_ok=True)


def _without_beats(unit: Unit) -> Sequence[dict[str, object]]:
    if _touches(unit, "heartbeat"):
        return ()
    return [record for record in unit if "connector.common.Heartbeat" not in str(record["value"])]


def _touches(unit: Unit, table: str) -> bool:
    """Whether a row of ours (``golden.fence``, ``cdc.heartbeat``) is in it."""
    sources = (payload(record).get("source") for record in unit if "op" in payload(record))
    return any(isinstance(source, dict) and source["table"] == table for source in sources)


def main() -> None:
    """Capture all cases into a folder named after Debezium's version."""
    archive = Archive()
    with maria_server() as server:
        capture = Capture(Path(sys.argv[1]), server)
        capture.remove()
        try:
            capture.start(capture.prepare())
            archive.keep("snapshot", "snapshot", capture.snapshot())
            for case in CASES:
                archive.keep(case.file, case.name, capture.play(case))
            (version,) = (plugin.version for plugin in capture.client.plugins() if plugin.class_name == CONNECTOR_CLASS)
        finally:
            capture.remove()
    archive.write(HERE / f"debezium-mariadb-{version}")


if __name__ == "__main__":
    main()

"""`cdc supervise` on a real warehouse while everything else is away: lock, checks, webhook, hook, probes, metrics."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.chaos.processes import Process, processes, until
from tests.fix_stack import FreshDatabase
from tests.verified_warehouse import fill, rehash, superuser
from tests.warehouse import query

SETTINGS = """
[kafka]
"bootstrap.servers" = "127.0.0.1:1"
{kafka}
[connect]
url = "http://127.0.0.1:1"
[warehouse]
dsn = "{replicator}"
auditor_dsn = "{auditor}"
[privacy]
dsn = "host=127.0.0.1 port=1 user=cdc_privacy password=hunter2"
[keyring]
path = "keyring.json"
[sources.trading]
policy = "p"
dsn = "host=127.0.0.1 port=1 user=debezium password=hunter2"
definition = "{definition}"
[supervise]
every = "1s"
{more}
"""
DEFINITION = Path(__file__).parents[2] / "connectors" / "definitions" / "trading.yaml"
AWAY = {"kafka", "connect", "privacy", "source/trading"}
PATIENCE_S = 90.0


@pytest.fixture
def write(warehouse_database: FreshDatabase, tmp_path: Path) -> Callable[..., Path]:
    def do(more: str = "", kafka: str = '"test.mock.num.brokers" = "1"') -> Path:
        path = tmp_path / "cdc.toml"
        path.write_text(
            SETTINGS.format(
                kafka=kafka,
                replicator=warehouse_database.replicator_dsn,
                auditor=warehouse_database.auditor_dsn,
                definition=DEFINITION,
                more=more,
            )
        )
        return path

    return do


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    with processes() as start:
        yield lambda path, *more: start(
            "cdc", "supervise", "--config", path, "--listen", "127.0.0.1:0", "--log-format", "json", *more
        )


def events(process: Process, event: str) -> list[dict]:
    said = [json.loads(line) for line in process.said.splitlines() if line.startswith("{")]
    return [line for line in said if line["event"] == event]


def until_event(process: Process, event: str, times: int = 1) -> dict:
    until(lambda: len(events(process, event)) >= times, PATIENCE_S, lambda: f"no {event}: {process.said}")
    return events(process, event)[times - 1]


def get(process: Process, path: str) -> tuple[int, str]:
    address = until_event(process, "listening")["address"]
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def scraped(process: Process) -> dict[tuple[str, ...], float]:
    """(name, values of labels in order of their names) → value, as Prometheus' own parser reads it."""
    _, text = get(process, "/metrics")
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[(sample.name, *(sample.labels[name] for name in sorted(sample.labels)))] = sample.value
    return found


def operations(database: FreshDatabase) -> list[tuple[str, dict[str, str]]]:
    rows = query(
        database.auditor_dsn,
        "SELECT entry::json #>> '{content,name}', entry::json #> '{content,detail}' FROM audit.entry WHERE log = 'operations' ORDER BY seq",
    )
    return [(name, detail) for name, detail in rows]


def elsewhere(database: FreshDatabase, *statements: str) -> None:
    """As superuser, from another database of the cluster."""
    connection = psycopg2.connect(psycopg2.extensions.make_dsn(database.admin_dsn, dbname="postgres"))
    connection.autocommit = True
    for statement in statements:
        connection.cursor().execute(statement)
    connection.close()


class Receiver:
    """A real HTTP server that keeps what is posted, and fails as often as it is told to."""

    def __init__(self) -> None:
        self.got: list[tuple[dict, dict[str, str]]] = []
        self.refuse = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if receiver.refuse > 0:
                    receiver.refuse -= 1
                    self.send_error(503)
                    return
                receiver.got.append((body, dict(self.headers)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/alerts/hunter2"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def once(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cdc", "supervise", "--once", "--config", str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)


def test_everything_else_away_it_says_so_and_lives(write, start, receiver, warehouse_database):
    """Parts that are away are alerts and metrics; probes answer; a webhook that refuses is tried again; SIGTERM ends it."""
    receiver.refuse = 2
    secret = write().with_name("secret")
    secret.write_text("Bearer hunter3\n")
    process = start(write(f'webhook = "{receiver.url}"\nwebhook_secret_file = "secret"', kafka=""))
    until_event(process, "active")
    until(lambda: scraped(process).get(("cdc_up", "kafka")) == 0, PATIENCE_S)
    found = scraped(process)
    assert {key[1] for key, value in found.items() if key[0] == "cdc_up" and value == 0} == AWAY
    assert found["cdc_up", "warehouse"] == 1
    assert found["cdc_supervise_active",] == 1
    assert found["cdc_log_partition_headroom_entries", "operations"] > 2_000_000
    assert found["cdc_connector_restarts_total", "trading"] == 0
    assert not any(key[0] == "cdc_connector_state" for key in found)
    code, said = get(process, "/readyz")
    assert (code, set(json.loads(said)["away"])) == (503, AWAY)
    assert get(process, "/livez")[0] == 200
    assert get(process, "/")[0] == 404
    until(lambda: receiver.got, PATIENCE_S, lambda: process.said)  # the check that is not PASS is told at once
    bodies = [body for body, _ in receiver.got]
    assert {headers["Authorization"] for _, headers in receiver.got} == {"Bearer hunter3"}
    assert {"schema_version", "key", "alert", "about", "status", "severity", "summary", "hint", "runbook"} <= set(
        bodies[0]
    )
    began = time.monotonic()
    process.send(signal.SIGTERM)
    assert process.ended() == 0
    assert time.monotonic() - began < 15
    told = process.said + json.dumps(bodies) + json.dumps(operations(warehouse_database))
    assert "hunter" not in told


def test_out_of_cron_it_answers_on_standard_output_and_tells_once(write, receiver, warehouse_database, tmp_path):
    hook = tmp_path / "hook"
    kept = tmp_path / "kept"
    hook.write_text(f"#!/bin/sh\ncat >> {kept}\nenv > {kept}.env\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    path = write(f'webhook = "{receiver.url}"\nhook = ["{hook}"]')
    done = once(path, "--output", "json")
    assert done.returncode == 6, done.stderr
    answer = json.loads(done.stdout)
    unreachable = {alert["about"] for alert in answer["alerts"] if alert["alert"] == "part-unreachable"}
    assert unreachable == AWAY - {"kafka"}  # librdkafka's own broker: one that is away costs each round seconds
    assert len(receiver.got) == len(answer["alerts"]) == len(kept.read_text().splitlines())
    assert {line.partition("=")[0] for line in Path(f"{kept}.env").read_text().splitlines()} <= {
        "PATH",
        "PWD",
        "SHLVL",
        "_",
    }
    assert answer["observed_s"] is None
    again = once(path)
    assert again.returncode == 6
    assert "forecast  none: one look has no pace" in again.stdout
    assert once(path, "--observe", "5").returncode == 2
    assert len(receiver.got) == len(answer["alerts"])  # the log `operations` knows what was told
    names = [name for name, _ in operations(warehouse_database)]
    assert names.count("alert-fired") == len(answer["alerts"])
    assert names.count("check-ran") == 1


def test_verification_runs_by_itself_and_a_tampered_entry_pages(write, warehouse_database):
    fill(warehouse_database)
    path = write('verify_every = "1s"')
    once(path)
    assert operations(warehouse_database)[-1][0] in {"check-ran", "alert-fired"}
    ran = [detail for name, detail in operations(warehouse_database) if name == "check-ran"]
    assert (ran[-1]["check"], ran[-1]["verdict"], int(ran[-1]["result_entries"]) > 20) == ("verify", "PASS", True)
    with superuser(warehouse_database) as cursor:
        cursor.execute(
            "UPDATE audit.entry SET entry = replace(entry, '\"produced_at\":\"17', '\"produced_at\":\"16') WHERE log = 'trading' AND seq = 12"
        )
    rehash(warehouse_database, edge=False)
    time.sleep(1)
    alerts = json.loads(once(path, "--output", "json").stdout)["alerts"]
    (failed,) = (alert for alert in alerts if alert["alert"] == "check-not-passed")
    assert (failed["about"], failed["summary"], failed["hint"]) == (
        "verify",
        "cdc audit verify: FAIL",
        "cdc audit verify",
    )
    assert [d["verdict"] for name, d in operations(warehouse_database) if name == "check-ran"] == ["PASS", "FAIL"]


def test_two_supervisors_one_acts_and_the_other_takes_over(write, start, warehouse_database):
    path = write()
    first = start(path)
    until_event(first, "active")
    until(lambda: [1 for name, _ in operations(warehouse_database) if name == "check-ran"], PATIENCE_S)
    second = start(path)
    until_event(second, "standby")
    assert scraped(first)["cdc_supervise_active",] == 1
    until(lambda: scraped(second).get(("cdc_supervise_active",)) == 0, PATIENCE_S)
    first.send(signal.SIGKILL)
    until_event(second, "active")
    until(lambda: scraped(second).get(("cdc_supervise_active",)) == 1, PATIENCE_S)
    assert [1 for name, _ in operations(warehouse_database) if name == "check-ran"] == [1]
    told = [
        detail["alert"] + detail["about"] for name, detail in operations(warehouse_database) if name == "alert-fired"
    ]
    assert len(told) == len(set(told))
    second.send(signal.SIGTERM)
    assert second.ended() == 0
    assert events(second, "check") == []


def test_a_session_that_is_ended_is_made_anew_and_a_warehouse_that_is_away_is_waited_for(
    write, start, warehouse_database
):
    process = start(write())
    until_event(process, "active")
    others = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{warehouse_database.name}'"
    elsewhere(warehouse_database, others)
    until(lambda: scraped(process).get(("cdc_supervise_active",)) == 1, PATIENCE_S)
    elsewhere(warehouse_database, f"ALTER DATABASE {warehouse_database.name} ALLOW_CONNECTIONS false", others)
    until_event(process, "blind")
    until(lambda: scraped(process).get(("cdc_up", "warehouse")) == 0, PATIENCE_S)
    elsewhere(warehouse_database, f"ALTER DATABASE {warehouse_database.name} ALLOW_CONNECTIONS true")
    until(lambda: scraped(process).get(("cdc_supervise_active",)) == 1, PATIENCE_S)
    assert process.running
    assert events(process, "round-failed") == []


def test_partitions_are_cut_ahead(write, warehouse_database):
    fill(warehouse_database)
    before = query(
        warehouse_database.admin_dsn,
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'audit.entry_trading'::regclass",
    )
    once(write("partitions_ahead = 12000000"))
    after = query(
        warehouse_database.admin_dsn,
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'audit.entry_trading'::regclass",
    )
    assert after[0][0] > before[0][0]
    cut = [detail for name, detail in operations(warehouse_database) if name == "partitions-cut"]
    assert {detail["log"] for detail in cut} >= {"trading"}


def test_a_setting_that_is_wrong_ends_it_before_anything_is_opened(write):
    done = once(write("evry = 3"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "[supervise] evry: unknown setting" in done.stderr


def test_an_address_that_is_taken_is_said(write, receiver):
    taken = f"127.0.0.1:{receiver.server.server_address[1]}"
    command = [sys.executable, "-m", "cdc", "supervise", "--config", str(write()), "--listen", taken]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert taken in done.stderr

"""Several workers, credentials, the wrong cluster, lost answers: what a client does, and what it never repeats."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from connectors import apply as applying
from connectors import transport, waiting
from connectors.access import Access
from connectors.apply import Options, Planned, bring
from connectors.check.worker import Seen
from connectors.check.worker import worker as look_at
from connectors.client import ConnectClient
from connectors.errors import (
    AddressError,
    Conflict,
    ConnectorError,
    Forbidden,
    NoAnswer,
    NotInTime,
    Rejected,
    TaskFailed,
    Unreachable,
)
from connectors.lifecycle import Patience, restart
from connectors.model import WorkerInfo
from connectors.plan import Desired, marked, plan
from tests.certificates import Authority
from tests.scripted_connect import Scripted, serving

CLASS = "io.debezium.connector.postgresql.PostgresConnector"
CLOSED = "http://127.0.0.1:9"
WANTED = Desired("shop", "shop", {"connector.class": CLASS, "poll.interval.ms": "20"})


class Cluster:
    """What a Connect cluster remembers: configurations and what its tasks do."""

    def __init__(self) -> None:
        self.configs: dict[str, dict[str, str]] = {}
        self.lost_puts = 0
        self.task = "RUNNING"

    def answer(self, method: str, path: str, body: bytes):
        name = path.split("/")[2] if path.startswith("/connectors/") else ""
        if path == "/":
            return 200, {"version": "4.3.1", "kafka_cluster_id": "right"}
        if "validate" in path:
            return 200, {"configs": []}
        if path == "/connectors":
            return 200, list(self.configs)
        if path.startswith("/connectors?"):
            return 200, {n: {"status": self.status(n), "info": {"config": c, "type": "source"}} for n, c in self.configs.items()}
        if path.endswith("/offsets"):
            return 200, {"offsets": []}
        if path.endswith("/status"):
            return (200, self.status(name)) if name in self.configs else (404, {"message": "No status found"})
        if method == "PUT" and path.endswith("/config"):
            self.configs[name] = json.loads(body)
            if self.lost_puts:
                self.lost_puts -= 1
                return None
            return 201, {}
        if method == "DELETE":
            self.configs.pop(name, None)
            return 204, None
        return (200, self.configs[name]) if name in self.configs else (404, {"message": f"Connector {name} not found"})

    def status(self, name: str) -> dict:
        trace = "io.debezium.DebeziumException: broken" if self.task == "FAILED" else ""
        return {"name": name, "connector": {"state": "RUNNING", "worker_id": "w"}, "tasks": [{"id": 0, "state": self.task, "worker_id": "w", "trace": trace}]}


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def worker(cluster: Cluster) -> Iterator[Scripted]:
    with serving(Scripted(cluster.answer)) as scripted:
        yield scripted


@pytest.fixture(autouse=True)
def swift(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (transport, waiting, applying):
        monkeypatch.setattr(module.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(waiting, "STEADY_S", 0)
    monkeypatch.setattr(applying, "STEADY_S", 0)


def test_the_next_worker_is_asked_and_remembered(worker: Scripted):
    with ConnectClient(Access((CLOSED, worker.url))) as client:
        assert client.names() == []
        assert client.address == worker.url
        client.put_config("shop", {})  # a write goes on to the next, too: the first did not take it
    with ConnectClient(Access((CLOSED, CLOSED + "/x"))) as client, pytest.raises(Unreachable, match="none of 2 workers"):
        client.names()


def test_a_write_whose_answer_is_lost_is_not_sent_to_another_worker(cluster: Cluster, worker: Scripted):
    cluster.lost_puts = 1
    with serving(Scripted(cluster.answer)) as second, ConnectClient(Access((worker.url, second.url))) as client:
        with pytest.raises(NoAnswer, match="whether it acted is not known"):
            client.put_config("shop", {})
        assert second.asked == []


def test_what_a_worker_says_of_its_health_is_heard():
    for status, body, ill in (
        (200, {"status": "healthy", "message": "Worker has completed startup and is ready to handle requests."}, None),
        (404, {"message": "HTTP 404 Not Found"}, None),  # before Kafka 3.9
        (503, {"status": "starting", "message": "Worker is still starting up."}, "HTTP 503: Worker is still starting up."),
        (500, {"status": "unhealthy", "message": "Worker was unable to handle this request"}, "HTTP 500: Worker was unable"),
    ):
        with serving(Scripted(lambda *_, said=(status, body): said)) as scripted, ConnectClient(scripted.url) as client:
            found = client.health()
            assert scripted.asked == ["GET /health"]
        seen = Seen(WorkerInfo("4.3.1", "k"), {}, {}, found)
        assert [finding.code for finding in look_at(seen, (), None)] == ([] if ill is None else ["connect_unhealthy"])
        assert found is None if ill is None else ill in str(found)


@pytest.mark.parametrize("wanted", ["failed", "all"])
def test_a_worker_before_kafka_3_restarts_tasks_one_by_one(wanted: Literal["failed", "all"]):
    """It passes over what it does not know of a restart, and answers 204 (KIP-745)."""
    tasks = [{"id": n, "state": state, "worker_id": "w"} for n, state in enumerate(("RUNNING", "FAILED", "FAILED"))]
    found = {"name": "shop", "connector": {"state": "RUNNING", "worker_id": "w"}, "tasks": tasks}
    with serving(Scripted(lambda method, *_: (204, None) if method == "POST" else (200, found))) as old, ConnectClient(old.url) as client:
        assert restart(client, client.status("shop"), wanted, Patience(None, lambda _line: None))
    numbers = (1, 2) if wanted == "failed" else (0, 1, 2)
    query = f"includeTasks=true&onlyFailed={'true' if wanted == 'failed' else 'false'}"
    assert old.writes == [f"POST /connectors/shop/restart?{query}", *(f"POST /connectors/shop/tasks/{n}/restart" for n in numbers)]


def test_a_status_that_never_comes_round_is_not_in_time(cluster: Cluster, worker: Scripted):
    answer = cluster.answer
    worker.answer = lambda method, path, body: (404, {"message": "No status found for connector shop"}) if path.endswith("/status") else answer(method, path, body)
    with ConnectClient(worker.url) as client, pytest.raises(NotInTime, match=r"not in time: .*No status found") as caught:
        bring(client, WANTED, Options(timeout_s=1, installation="here"), lambda _line: None)
    assert caught.value.exit_code == 5
    assert worker.writes == ["PUT /connectors/shop/config"]


def test_another_kafka_cluster_is_never_written_to(worker: Scripted):
    with ConnectClient(Access((worker.url,), kafka_cluster_id="wrong")) as client:
        client.names()
        for write in (lambda: client.put_config("shop", {}), lambda: client.delete("shop"), lambda: client.stop("shop")):
            with pytest.raises(Conflict, match="serves the Kafka cluster right, not wrong: nothing was written"):
                write()
    assert worker.writes == []
    with ConnectClient(Access((worker.url,), kafka_cluster_id="right")) as client:
        client.put_config("shop", {})
        client.put_config("shop", {})
    assert worker.asked.count("GET /") == 4  # the right one is looked at once


def test_credentials_go_into_headers_and_nowhere_else(worker: Scripted):
    for access, header in (
        (Access((worker.url,), username="admin", password="hunter2"), "Basic YWRtaW46aHVudGVyMg=="),
        (Access((worker.url,), token="hunter2"), "Bearer hunter2"),
        (Access((worker.url.replace("//", "//admin:hunter2@"),)), "Basic YWRtaW46aHVudGVyMg=="),
    ):
        with ConnectClient(access) as client:
            client.names()
            assert "hunter2" not in client.address
        assert worker.headers[-1]["Authorization"] == header
    assert "hunter2" not in repr(Access(("http://h",), password="hunter2", token="hunter2"))


@pytest.mark.parametrize(("status", "body", "kind"), [(401, "<html>", Forbidden), (403, "<html>", Forbidden), (403, {"message": "Topic tracking is disabled."}, ConnectorError), (302, "<html>", ConnectorError), (405, "<html>", ConnectorError)])
def test_what_a_proxy_says_is_not_taken_for_connect(status: int, body: object, kind: type):
    with serving(Scripted(lambda *_: (status, body))) as scripted, ConnectClient(scripted.url) as client:
        with pytest.raises(ConnectorError) as caught:
            client.names()
        assert type(caught.value) is kind
        assert caught.value.hint
        assert len(scripted.asked) == 1


def test_a_name_that_the_web_server_refuses_is_named_as_such():
    def refusing(_method: str, path: str, _body: bytes):
        return (400, "<h1>Bad Message 400</h1><pre>reason: Ambiguous URI path separator</pre>") if "%2F" in path else (200, {})

    with serving(Scripted(refusing)) as scripted, ConnectClient(scripted.url) as client:
        with pytest.raises(Rejected, match="refuses the connector's name in a path"):
            client.stop("a/b c")
        client.stop("b c")
    assert scripted.asked == ["PUT /connectors/a%2Fb%20c/stop", "PUT /connectors/b%20c/stop"]


def test_certificates_that_cannot_be_used_are_named(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    for access in (Access(("https://h",), ca=tmp_path / "gone.pem"), Access(("https://h",), ca=tmp_path / "ca.pem"), Access(("https://h",), certificate=tmp_path / "ca.pem")):
        with pytest.raises(AddressError, match=r"\[connect\]"):
            ConnectClient(access)


def test_a_worker_that_wants_a_certificate_gets_this_clients(tmp_path: Path):
    authority = Authority(tmp_path)
    its, ours = authority.sign("worker"), authority.sign("admin")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.file))
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_cert_chain(its.certificate, its.key)
    with serving(Scripted(lambda *_: (200, ["shop"])), tls) as scripted:
        with ConnectClient(Access((scripted.url,), ca=authority.file, certificate=ours.certificate, key=ours.key)) as client:
            assert client.names() == ["shop"]
        with ConnectClient(Access((scripted.url,), ca=authority.file)) as client, pytest.raises(Unreachable):
            client.names()
        assert len(scripted.asked) == 1


def test_an_answer_that_is_late_is_unreachable():
    late = threading.Event()
    with serving(Scripted(lambda *_: late.wait(5) and (200, []))) as slow, ConnectClient(slow.url, timeout_s=0.2) as client:
        with pytest.raises(NoAnswer, match="ReadTimeout"):
            client.names()
        late.set()


def apply(worker: Scripted, **options) -> tuple[str, list[str]]:
    said: list[str] = []
    with ConnectClient(worker.url) as client:
        return bring(client, WANTED, Options(timeout_s=5, installation="here", **options), said.append).action, said


def test_a_response_that_is_lost_is_looked_up(cluster: Cluster, worker: Scripted):
    cluster.lost_puts = 1
    action, said = apply(worker)
    assert action == "created"
    assert "shop: applied (the response was lost)" in said
    assert worker.writes == ["PUT /connectors/shop/config"]
    assert cluster.configs["shop"] == marked({**WANTED.config}, "here") | {"name": "shop"}


def test_what_was_not_written_is_not_taken_for_applied(cluster: Cluster, worker: Scripted, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(applying, "LOOK_AGAIN_S", 0)
    answer = cluster.answer
    worker.answer = lambda method, path, body: None if method == "PUT" and path.endswith("/config") else answer(method, path, body)
    with pytest.raises(NoAnswer):
        apply(worker)


def test_two_admins_at_once_the_second_is_told(cluster: Cluster, worker: Scripted):
    cluster.configs["shop"] = {"connector.class": CLASS, "poll.interval.ms": "30", "sasl.password": "hunter2"}
    planned = Planned({"connector.class": CLASS, "poll.interval.ms": "50"})
    with pytest.raises(Conflict) as caught:
        apply(worker, planned=planned)
    assert "poll.interval.ms (50 → 30)" in str(caught.value)
    assert "sasl.password (absent → (not shown))" in str(caught.value)
    assert caught.value.exit_code == 4
    assert worker.writes == []
    cluster.configs["shop"] = dict(WANTED.config)  # the other one applied just this
    assert apply(worker, planned=planned)[0] == "unchanged"


def test_who_is_overwritten_after_the_write_is_told(cluster: Cluster, worker: Scripted):
    answer = cluster.answer

    def overwriting(method: str, path: str, body: bytes):
        answered = answer(method, path, body)
        if path.endswith("/status"):
            cluster.configs["shop"]["poll.interval.ms"] = "99"
        return answered

    worker.answer = overwriting
    with pytest.raises(Conflict, match=r"somebody else has changed poll\.interval\.ms since"):
        apply(worker)


def test_a_failure_puts_the_previous_configuration_back(cluster: Cluster, worker: Scripted):
    before = marked({"connector.class": CLASS, "poll.interval.ms": "50"}, "here")
    cluster.configs["shop"] = dict(before)
    answer = cluster.answer

    def failing(method: str, path: str, body: bytes):
        cluster.task = "FAILED" if cluster.configs.get("shop", {}).get("poll.interval.ms") == "20" else "RUNNING"
        return answer(method, path, body)

    worker.answer = failing
    kept: list[dict] = []
    with pytest.raises(TaskFailed, match="broken; the previous configuration is back, and runs"):
        apply(worker, rollback=True, keep=kept.append)
    assert cluster.configs["shop"] == {**before, "name": "shop"}
    assert kept == [before]
    del cluster.configs["shop"]
    with pytest.raises(TaskFailed, match="it was new, and is deleted again"):
        apply(worker, rollback=True)
    assert cluster.configs == {}


def test_a_task_that_flaps_is_not_taken_for_running(cluster: Cluster, worker: Scripted, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(applying, "STEADY_S", 30)
    answer = cluster.answer
    seen: list[str] = []

    def flapping(method: str, path: str, body: bytes):
        if path.endswith("/status"):
            seen.append(path)
            cluster.task = "FAILED" if len(seen) > 3 else "RUNNING"
        return answer(method, path, body)

    worker.answer = flapping
    with pytest.raises(TaskFailed, match="shop failed: DebeziumException: broken"):
        apply(worker)
    assert len(seen) == 4


def test_a_plan_over_two_hundred_connectors_is_one_request_and_takes_less_than_two_seconds(cluster: Cluster, worker: Scripted):
    settings = {f"setting.{n}": "x" * 60 for n in range(60)}
    cluster.configs = {f"c{n}": {**settings, "topic": f"t{n}", "name": f"c{n}"} for n in range(200)}
    wanted = [Desired(f"c{n}", f"t{n}", {**settings, "topic": f"t{n}", "setting.1": "y"}) for n in range(200)]
    began = time.process_time()  # of both sides; the machine may be busy with others
    with ConnectClient(worker.url) as client:
        found = plan(wanted, client.connectors())
    assert time.process_time() - began < 2
    assert len(found.pending) == 200
    assert worker.asked == ["GET /connectors?expand=status&expand=info"]

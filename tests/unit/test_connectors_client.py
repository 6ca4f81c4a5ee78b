"""Connect's answers, told apart once. A scripted server stands in where a real worker does not rebalance on request."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from connectors import apply as applying
from connectors import postgres_profile, profile, transport, waiting
from connectors.apply import apply
from connectors.client import ConnectClient
from connectors.definition import load
from connectors.errors import Conflict, ConnectorError, NotFound, Rebalancing, Rejected, TaskFailed, Unreachable
from tests.unit.test_connectors_profile import DEFINITIONS

REBALANCE = {"error_code": 409, "message": "Cannot complete request momentarily due to stale configuration (typically caused by "
             "a concurrent config change)"}  # fmt: skip
EXPECTED = {"error_code": 500, "message": "Request cannot be completed because a rebalance is expected"}


@dataclass
class Script:
    """Answers by request (``METHOD path``); the last one of a list is given again and again."""

    answers: dict[str, list[tuple[int, object]]]
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, request: str) -> tuple[int, object]:
        self.asked.append(request)
        listed = self.answers.get(request) or [(404, {"message": f"nothing at {request}"})]
        return listed.pop(0) if len(listed) > 1 else listed[0]


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script({})

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = script.answer(f"{self.command} {self.path}")
            content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = respond  # noqa: N815

        def log_message(self, *_args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    script.url = f"http://127.0.0.1:{server.server_port}"
    yield script
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def swift(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(applying, "STEADY_S", 0)
    monkeypatch.setattr(waiting, "STALE_S", 0.5)


def ask(script: Script, request: str, *answers: tuple[int, object]) -> None:
    script.answers[request] = list(answers)


STATUS = "GET /connectors/trading/status"


def status(state: str = "RUNNING", *tasks: str, trace: str = "") -> dict:
    listed = [{"id": n, "state": task, "worker_id": "w", "trace": trace} for n, task in enumerate(tasks)]
    return {"name": "trading", "connector": {"state": state, "worker_id": "w"}, "tasks": listed}


def test_a_rebalance_is_waited_for_whichever_status_says_it(script: Script):
    ask(script, STATUS, (409, REBALANCE), (500, EXPECTED), (409, REBALANCE), (200, status("RUNNING", "RUNNING")))
    assert ConnectClient(script.url).status("trading").running
    assert len(script.asked) == 4


def test_a_rebalance_without_end_is_reported(script: Script):
    ask(script, STATUS, (409, REBALANCE))
    with pytest.raises(Rebalancing) as caught:
        ConnectClient(script.url, patience_s=0).status("trading")
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(
    ("code", "body", "kind"),
    [
        (409, {"message": "Connector trading already exists"}, Conflict),
        (500, {"message": "NullPointerException"}, ConnectorError),
        (404, {"message": "Connector trading not found"}, NotFound),
        (400, {"message": "Connector configuration is invalid"}, Rejected),
        (502, "<html>proxy</html>", ConnectorError),
        (200, "<html>login</html>", ConnectorError),
    ],
)
def test_what_does_not_pass_is_not_asked_again(script: Script, code: int, body: object, kind: type[ConnectorError]):
    ask(script, STATUS, (code, body))
    with pytest.raises(kind) as caught:
        ConnectClient(script.url).status("trading")
    assert type(caught.value) is kind
    assert len(script.asked) == 1


def test_an_address_is_shown_without_its_password(script: Script):
    ask(script, STATUS, (502, "<html>"))
    url = script.url.replace("http://", "http://admin:hunter2@")
    with pytest.raises(ConnectorError) as caught:
        ConnectClient(url).status("trading")
    assert "hunter2" not in str(caught.value)
    for broken in ("http://admin:hunter2@127.0.0.1:1", "hunter2", "ftp://hunter2/", "http://:hunter2@"):
        with pytest.raises(Unreachable) as caught:
            ConnectClient(broken).worker()
        assert "hunter2" not in str(caught.value)


def test_a_rejection_shows_the_errors_and_no_value(script: Script):
    said = (
        "Connector configuration is invalid and contains the following 1 error(s):\nInvalid value hunter2 for configuration "
        "database.password: no\nYou can also find the above list of errors at the endpoint `/connector-plugins/x`"
    )
    ask(script, "PUT /connectors/trading/config", (400, {"message": said}))
    with pytest.raises(Rejected) as caught:
        ConnectClient(script.url).put_config("trading", {})
    assert str(caught.value).endswith("Invalid value … for configuration database.password: no")


def ready(script: Script, present: dict[str, str] | None, *statuses: dict) -> None:
    plugin = {"class": postgres_profile.CONNECTOR_CLASS, "version": "3.7.0.Final"}
    ask(script, "GET /connector-plugins", (200, [plugin]))
    ask(script, "PUT /connector-plugins/PostgresConnector/config/validate", (200, {"configs": []}))
    ask(
        script,
        "GET /connectors/trading/config",
        (200, present) if present is not None else (404, {"message": "not found"}),
        (200, desired()),
    )
    ask(script, "PUT /connectors/trading/config", (201 if present is None else 200, {}))
    ask(script, "POST /connectors/trading/restart?includeTasks=true&onlyFailed=true", (202, status()))
    ask(script, STATUS, *((200, one) for one in statuses))


def applied(script: Script, timeout_s: float = 30):
    definition = load(DEFINITIONS / "trading.yaml")
    return apply(
        ConnectClient(script.url), definition, lambda bundle, key: f"${{env:{bundle}_{key}}}", timeout_s=timeout_s
    )


def desired() -> dict[str, str]:
    settings = profile.expand(load(DEFINITIONS / "trading.yaml"), lambda bundle, key: f"${{env:{bundle}_{key}}}")
    return {**profile.configuration(settings), "name": "trading"}


def writes(script: Script) -> list[str]:
    return [request for request in script.asked if not request.startswith("GET") and "validate" not in request]


def test_apply_creates_and_waits_for_every_task(script: Script):
    ready(
        script,
        None,
        status("UNASSIGNED"),
        status("RUNNING"),
        status("RUNNING", "UNASSIGNED"),
        status("RUNNING", "RUNNING"),
    )
    assert applied(script).action == "created"
    assert writes(script) == ["PUT /connectors/trading/config"]
    assert script.asked.count(STATUS) == 4


def test_apply_again_writes_nothing(script: Script):
    ready(script, desired(), status("RUNNING", "RUNNING"))
    assert applied(script).action == "unchanged"
    assert writes(script) == []


def test_apply_names_the_settings_that_change(script: Script):
    ready(script, {**desired(), "skipped.operations": "t", "stray": "1"}, status("RUNNING", "RUNNING"))
    outcome = applied(script)
    assert (outcome.action, outcome.changed) == ("updated", ("skipped.operations", "stray"))


def test_a_failure_from_before_is_not_taken_for_a_new_one(script: Script):
    failed = status("RUNNING", "FAILED", trace="java.net.ConnectException: refused")
    ready(script, desired(), failed, failed, failed, status("RUNNING", "RUNNING"))
    assert applied(script).action == "restarted"


def test_a_task_that_fails_says_why(script: Script):
    trace = (
        "org.apache.kafka.connect.errors.ConnectException: An exception occurred\n\tat x.Y.z(Y.java:1)\n"
        'Caused by: io.debezium.DebeziumException: publication "cdc_trading" is missing\n\tat x\n'
        'Caused by: java.lang.NumberFormatException: For input string: "hunter2"\n'
    )  # fmt: skip
    ready(script, None, status("RUNNING", "FAILED", trace=trace))
    with pytest.raises(TaskFailed) as caught:
        applied(script)
    assert str(caught.value) == (
        'trading failed: ConnectException: An exception occurred ← DebeziumException: publication "cdc_trading" is missing '
        "← NumberFormatException"
    )  # fmt: skip


def test_a_task_that_never_comes_is_a_timeout(script: Script):
    ready(script, None, status("RUNNING"))
    with pytest.raises(Unreachable, match="no task yet"):
        applied(script, timeout_s=0.2)


@pytest.mark.parametrize(
    ("version", "refused"), [("3.6.3.Final", True), ("3.7.0.Beta1", False), ("3.10.0.Final", False)]
)
def test_a_debezium_that_loses_rows_is_refused(script: Script, version: str, refused: bool):
    ready(script, None, status("RUNNING", "RUNNING"))
    ask(script, "GET /connector-plugins", (200, [{"class": postgres_profile.CONNECTOR_CLASS, "version": version}]))
    if refused:
        with pytest.raises(Rejected, match="rows can be lost"):
            applied(script)
        assert writes(script) == []
    else:
        applied(script)


def test_an_invalid_configuration_is_not_written(script: Script):
    ready(script, None)
    wrong = {"value": {"name": "database.password", "value": "hunter2", "errors": ['Invalid value "hunter2"']}}
    ask(script, "PUT /connector-plugins/PostgresConnector/config/validate", (200, {"configs": [wrong]}))
    with pytest.raises(Rejected) as caught:
        applied(script)
    assert "database.password" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert writes(script) == []

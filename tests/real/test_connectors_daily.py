"""An admin's day with ``cdc connectors`` against a real Connect: plan, apply, list, describe, pause, restart, delete, export.

Only what a real Connect cannot be made to do (lose one answer) comes from a proxy before it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import stat
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import click
import httpx
import psycopg2
import pytest

from cdc.cli import completion, main
from cdc.cli.connectors.describe import describe
from cdc.local.stack import Stack
from connectors import apply as applying
from connectors import definition, lifecycle, profile
from connectors.apply import Options, bring
from connectors.client import ConnectClient
from connectors.errors import NotFound, TaskFailed
from connectors.plan import Desired, unmarked
from tests.fix_own import Own, own_source
from tests.scripted_connect import Scripted, forward, serving

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails at once fails late on a busy machine: until then it is taken for running."""
    for module in (applying, lifecycle):
        monkeypatch.setattr(module, "STEADY_S", 4.0 if os.getloadavg()[0] < 8 else 20.0)


@pytest.fixture(scope="module")
def shop(stack: Stack) -> Iterator[Own]:
    with own_source(stack) as own:
        own.run("CREATE TABLE orders (id int PRIMARY KEY, note text)", "INSERT INTO orders SELECT n, 'x' FROM generate_series(1, 9) n")
        own.cdc("connectors", "init", own.name, "--apply-sql")
        own.cdc("policy", "init", own.name)
        yield own


@pytest.fixture(scope="module")
def client(shop: Own) -> Iterator[ConnectClient]:
    with ConnectClient(shop.stack.addresses().connect_url) as client:
        yield client


@pytest.fixture
def running(shop: Own) -> Own:
    """The connector as it is defined, and running."""
    connectors(shop, "apply", shop.name)
    return shop


def password(own: Own) -> str:
    return re.search(r"password=(\S+)", own.secret.read_text())[1]


def connectors(own: Own, *words: str, code: int = 0, **environment: str) -> tuple[str, str]:
    """Standard output and error of a command, run in this process; neither may ever hold the connector's password."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        for name, value in {"CDC_CONFIG": str(own.warehouse.path), **environment}.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["cdc", "connectors", *words])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == code, err.getvalue()
    assert password(own) not in out.getvalue() + err.getvalue()
    return out.getvalue(), err.getvalue()


def create_stopped(client: ConnectClient, name: str, config: dict[str, str]) -> None:
    """A connector that never runs (KIP-980)."""
    body = {"name": name, "config": {**config, "name": name}, "initial_state": "STOPPED"}
    posted = httpx.post(f"{client.address}/connectors", json=body, timeout=100, trust_env=False)
    assert posted.status_code == 201, posted.text
    ends = time.monotonic() + 60
    while name not in {info.name for info in client.connectors()}:  # its status comes round a moment later
        assert time.monotonic() < ends
        time.sleep(0.2)


def planned(own: Own, *words: str, code: int = 0) -> dict:
    return json.loads(connectors(own, "plan", own.name, "--output", "json", *words, code=code)[0])


def operations(own: Own) -> list[dict[str, str]]:
    rows = own.warehouse.query("SELECT entry FROM audit.entry WHERE log = 'operations' ORDER BY seq")
    contents = [json.loads(row[0])["content"] for row in rows]
    return [content["detail"] for content in contents if content["name"] == "connector"]


def test_plan_then_apply_then_nothing_to_do(shop: Own, client: ConnectClient):
    out, _ = connectors(shop, "plan", shop.name, code=10)
    assert out.startswith(f"+ {shop.name}   create   topic {shop.name}")
    assert "Plan: 1 to create, 0 unchanged." in out
    assert connectors(shop, "apply", shop.name, "--dry-run", code=10)[0] == out
    with pytest.raises(NotFound):
        client.config(shop.name)
    _, told = connectors(shop, "apply", shop.name, "--reason", "ticket 4711")
    assert f"{shop.name}: created; running, into topic {shop.name}" in told
    assert connectors(shop, "plan", shop.name)[0].startswith("No changes")
    (entry,) = operations(shop)
    assert (entry["command"], entry["outcome"], entry["reason"], entry["before_sha256"]) == ("apply", "created", "ticket 4711", "")
    assert entry["after_sha256"] == client.config(shop.name)["cdc.applied"]
    assert "@" in entry["by"]


def test_a_second_apply_writes_nothing(running: Own):
    with serving(Scripted(forward(running.stack.addresses().connect_url))) as proxy:
        _, told = connectors(running, "apply", running.name, **through(running, proxy.url))
        assert f"{running.name}: unchanged; running" in told
        assert proxy.writes == []


def through(own: Own, url: str, **settings: str) -> dict[str, str]:
    """A context for this URL; the environment that chooses it."""
    name = f"c{time.monotonic_ns()}"
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in {"url": url, **settings}.items())
    with own.warehouse.path.open("a") as file:
        file.write(f"\n[connect.contexts.{name}]\n{lines}")
    return {"CDC_CONTEXT": name}


def test_an_answer_that_is_lost_is_looked_up(running: Own, client: ConnectClient):
    client.put_config(running.name, {**client.config(running.name), "poll.interval.ms": "70"})
    real = forward(running.stack.addresses().connect_url)

    def losing(method: str, path: str, body: bytes):
        answered = real(method, path, body)
        return None if method == "PUT" and path.endswith(f"{running.name}/config") else answered

    with serving(Scripted(losing)) as proxy:
        _, told = connectors(running, "apply", running.name, **through(running, proxy.url))
    assert f"{running.name}: applied (the response was lost)" in told
    assert client.config(running.name)["poll.interval.ms"] == "50"


def test_an_edit_by_somebody_else_is_named_mended_and_can_be_rolled_back_to(running: Own, client: ConnectClient):
    client.put_config(running.name, {**client.config(running.name), "poll.interval.ms": "77", "stray": password(running)})
    (change,) = planned(running, code=10)["plan"]
    assert (change["action"], change["edited"]) == ("update", True)
    assert change["settings"] == [
        {"setting": "poll.interval.ms", "before": "77", "after": "50"},
        {"setting": "stray", "before": "(not shown)", "after": None},
    ]
    client.put_config(running.name, {k: v for k, v in client.config(running.name).items() if k != "stray"})
    _, told = connectors(running, "apply", running.name)
    assert "edited since it was applied" in told
    assert "poll.interval.ms  77 → 50" in told
    connectors(running, "rollback", running.name)
    assert client.config(running.name)["poll.interval.ms"] == "77"
    assert [entry["command"] for entry in operations(running)][-2:] == ["apply", "rollback"]
    connectors(running, "apply", running.name)
    kept = running.stack.state / "connect" / "default" / f"{running.name}.previous.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert password(running) not in kept.read_text()


def test_two_admins_who_apply_at_once_leave_what_one_of_them_wanted(running: Own, client: ConnectClient):
    """And whoever was overwritten, or came too late, is told so (exit code 4), unless the other came after he was done."""
    theirs = running.folder / "theirs.yaml"
    theirs.write_text((running.folder / "definition.yaml").read_text() + "poll_interval_ms: 35\n")
    other = running.warehouse.path.with_name(f"{running.warehouse.name}-theirs.toml")
    other.write_text(running.warehouse.path.read_text().replace(f"{running.name}/definition.yaml", f"{running.name}/theirs.yaml"))
    client.put_config(running.name, {**client.config(running.name), "poll.interval.ms": "90"})
    before = len(operations(running))
    with ThreadPoolExecutor(2) as admins:
        asked = {
            wanted: admins.submit(running.cdc, "connectors", "apply", running.name, code=None, CDC_CONFIG=str(path))
            for wanted, path in (("50", running.warehouse.path), ("35", other))
        }
        done = {wanted: each.result() for wanted, each in asked.items()}
    live = client.config(running.name)["poll.interval.ms"]
    assert done[live].returncode == 0, done[live].stderr
    assert client.status(running.name).running
    (beaten,) = (each for wanted, each in done.items() if wanted != live)
    assert beaten.returncode in {0, 4}, beaten.stderr
    assert beaten.returncode == 0 or "poll.interval.ms" in beaten.stderr
    recorded = operations(running)[before:]
    assert {entry["outcome"] for entry in recorded} <= {"updated", "failed"}
    waiting = running.stack.state / "unrecorded-operations.ndjson"  # where the warehouse was not to be had for a moment
    later = waiting.read_text().splitlines() if waiting.exists() else []
    assert len(recorded) + len(later) >= sum(each.returncode == 0 for each in done.values())
    other.unlink()
    connectors(running, "apply", running.name)


@pytest.mark.usefixtures("patient")
def test_what_does_not_run_is_rolled_back(running: Own, client: ConnectClient):
    before = client.config(running.name)
    wanted = Desired(running.name, running.name, {**unmarked(before), "publication.name": "gone"})
    with pytest.raises(TaskFailed, match="the previous configuration is back, and runs"):
        bring(client, wanted, Options(timeout_s=60, rollback=True), lambda _line: None)
    assert client.config(running.name) == before
    assert client.status(running.name).running


def test_pause_stop_and_resume_are_waited_for(running: Own, client: ConnectClient):
    name = running.name
    assert f"{name}: paused" in connectors(running, "pause", name, "--reason", "ticket 4712")[1]
    assert client.status(name).state == "PAUSED"
    assert "nothing to do" in connectors(running, "pause", name)[1]
    listed = json.loads(connectors(running, "list", "--state", "paused", "--output", "json")[0])["connectors"]
    assert name in [row["name"] for row in listed]
    assert f"{name}: stopped" in connectors(running, "stop", name[:-2] + "*")[1]
    assert client.status(name).tasks == ()
    assert planned(running, code=10)["plan"][0]["action"] == "resume"
    assert connectors(running, "restart", name, "--tasks", "all", code=4)[1].startswith(f"cdc: {name} is STOPPED")
    assert f"{name}: resumed" in connectors(running, "resume", name)[1]
    assert client.status(name).running
    assert [(e["command"], e["outcome"]) for e in operations(running)][-4:] == [
        ("pause", "paused"), ("stop", "stopped"), ("restart", "failed"), ("resume", "resumed"),
    ]  # fmt: skip
    for words in (("pause", "gone"), ("stop", "gone*"), ("restart", "gone")):
        assert "cdc connectors list" in connectors(running, *words, code=3)[1]
    assert "--all" in connectors(running, "stop", code=2)[1]


@pytest.mark.usefixtures("patient")
def test_a_failed_task_is_found_explained_and_restarted(running: Own):
    name = running.name
    running.run(f"ALTER PUBLICATION cdc_{name} RENAME TO elsewhere")
    told = connectors(running, "restart", name, "--tasks", "all", code=1)[1]
    assert "Publication autocreation is disabled" in told
    out, _ = connectors(running, "list", "--state", "failed", "--output", "csv")
    assert re.search(rf"^{name},RUNNING,0,1,{name},.*Publication autocreation", out, re.MULTILINE)
    shown = json.loads(connectors(running, "describe", name, "--trace", "--output", "json")[0])
    assert "Publication autocreation is disabled" in shown["tasks"][0]["cause"]
    assert "    at io.debezium" in shown["tasks"][0]["trace"]
    assert "restart" in connectors(running, "pause", name, code=4)[1]
    running.run(f"ALTER PUBLICATION elsewhere RENAME TO cdc_{name}")
    assert f"{name}: restarted" in connectors(running, "restart", name)[1]
    assert "has nothing that failed" in connectors(running, "restart", name)[1]
    assert f"{name}: restarted" in connectors(running, "restart", name, "--task", "0")[1]
    assert "has no task 7" in connectors(running, "restart", name, "--task", "7", code=3)[1]


def test_describe_shows_offsets_slot_and_configuration_without_secrets(running: Own):
    shown = json.loads(connectors(running, "describe", running.name, "--output", "json")[0])
    assert shown["healthy"]
    assert shown["config"]["database.password"].startswith("${file:")
    assert shown["slot"]["name"] == f"cdc_{running.name}"
    assert shown["slot"]["active"]
    assert shown["topics"] == [running.name]
    assert shown["version"].startswith("3.7.")
    assert shown["problems"] == []
    text = connectors(running, "describe", running.name)[0]
    assert re.search(r"^lag +[\d.,]+ (B|KiB|MiB) of WAL not confirmed$", text, re.MULTILINE)
    assert "cdc connectors list" in connectors(running, "describe", "gone", code=3)[1]


def test_validate_asks_connect(running: Own):
    assert "0 problems in 1 connectors" in connectors(running, "validate", running.name)[0]
    kept = running.secret.read_text()
    running.secret.write_text(re.sub(r"password=\S+", "password=planted-wrong", kept))
    try:
        out = running.cdc("connectors", "validate", running.name, "--output", "json", code=6).stdout
    finally:
        running.secret.write_text(kept)
    assert json.loads(out)["problems"]
    assert "planted-wrong" not in out


def test_a_foreign_connector_in_the_topic_is_refused_and_its_name_may_hold_spaces(running: Own, client: ConnectClient):
    name = f"{running.name} of others"
    create_stopped(client, name, {**unmarked(client.config(running.name)), "slot.name": f"{running.name}_x"})
    try:
        told = connectors(running, "plan", running.name, code=4)[1]
        assert f"connector {name} writes to topic {running.name}, too" in told
        assert "too" in connectors(running, "apply", running.name, code=4)[1]
        assert re.search(rf"^{re.escape(name)} +STOPPED +0/0", connectors(running, "list")[0], re.MULTILINE)
        assert "applied   not by cdc" in connectors(running, "describe", name)[0]
        assert f"name: {name}" in connectors(running, "export", name)[0]
        assert "nothing to do" in connectors(running, "stop", name)[1]
    finally:
        connectors(running, "delete", name, "--keep-offsets", "--yes")
    assert connectors(running, "plan", running.name)[0].startswith("No changes")
    # A name with a slash: Connect lists such a connector, and its web server refuses every path with it.
    for words in (("describe", "a/b"), ("delete", "a/b", "--keep-offsets", "--yes")):
        assert "refuses the connector's name in a path" in connectors(running, *words, code=2)[1]


def test_prune_takes_only_what_carries_our_mark(running: Own, client: ConnectClient):
    live = client.config(running.name)
    for name, mark in ((f"{running.name}_old", live["cdc.installation"]), (f"{running.name}_theirs", "somebody")):
        create_stopped(client, name, {**live, "cdc.installation": mark, "transforms.one.replacement": name, "slot.name": name})
    try:
        out = json.loads(running.cdc("connectors", "plan", "--prune", "--output", "json", code=10).stdout)
        assert [c["name"] for c in out["plan"] if c["action"] == "delete"] == [f"{running.name}_old"]
        assert "names" in connectors(running, "plan", "--prune", running.name, code=2)[1]
        assert "--yes" in connectors(running, "apply", "--prune", code=4)[1]
        assert f"{running.name}_old" in client.names()
        connectors(running, "apply", "--prune", "--yes")
        assert f"{running.name}_old" not in client.names()
        assert f"{running.name}_theirs" in client.names()
    finally:
        for name in (f"{running.name}_old", f"{running.name}_theirs"):
            connectors(running, "delete", name, "--keep-offsets", "--yes")


def test_delete_wants_to_know_what_becomes_of_offsets_and_drops_nothing_at_the_source(running: Own, client: ConnectClient):
    name = running.name
    told = connectors(running, "delete", name, code=2)[1]
    assert f"stored offset  server={name}" in told
    assert "--yes" in connectors(running, "delete", name, "--keep-offsets", code=4)[1]
    assert client.status(name).running
    told = connectors(running, "delete", name, "--keep-offsets", "--yes", "--reason", "ticket 4713")[1]
    for what, sql in (("replication slot", f"SELECT pg_drop_replication_slot('cdc_{name}');"), ("publication", f'DROP PUBLICATION IF EXISTS "cdc_{name}";')):
        assert re.search(rf"stays in the source: {what} cdc_{name}\b.*\n    {re.escape(sql)}", told)
    both = f"SELECT (SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'cdc_{name}') + (SELECT count(*) FROM pg_publication WHERE pubname = 'cdc_{name}')"
    assert running.ask(both) == [(2,)]
    assert "nothing to do" in connectors(running, "delete", name, "--keep-offsets", "--yes")[1]
    assert "offsets of an earlier connector of this name" in connectors(running, "apply", name)[1]
    assert "its offsets are gone" in connectors(running, "delete", name, "--reset-offsets", "--yes")[1]
    assert "earlier connector" not in connectors(running, "apply", name)[1]
    last = operations(running)[-4:]
    assert [(e["command"], e.get("offsets")) for e in last] == [("delete", "kept"), ("apply", None), ("delete", "reset"), ("apply", None)]


def test_a_connector_is_stopped_while_the_warehouse_is_down_and_the_act_is_recorded_later(running: Own):
    text = running.warehouse.path.read_text()
    port = psycopg2.extensions.parse_dsn(running.warehouse.settings.warehouse_dsn)["port"]
    elsewhere = running.warehouse.path.with_name(f"{running.warehouse.name}-down.toml")
    elsewhere.write_text(text.replace(f"port={port}", "port=1"))
    waiting = running.stack.state / "unrecorded-operations.ndjson"
    try:
        told = connectors(running, "stop", running.name, "--reason", "ticket 4714", CDC_CONFIG=str(elsewhere))[1]
        assert "not recorded in the log operations yet" in told
        assert f"{running.name}: stopped" in told
        assert json.loads(waiting.read_text())["reason"] == "ticket 4714"
        assert stat.S_IMODE(waiting.stat().st_mode) == 0o600
        connectors(running, "resume", running.name)
    finally:
        elsewhere.unlink()
    assert [(e["command"], e["reason"]) for e in operations(running)][-2:] == [("stop", "ticket 4714"), ("resume", "")]
    assert not waiting.exists()


def test_another_kafka_cluster_is_not_written_to_and_other_workers_are_asked(running: Own):
    url = running.stack.addresses().connect_url
    wrong = through(running, url, kafka_cluster_id="somebody-elses")
    assert "nothing was written" in connectors(running, "stop", running.name, code=4, **wrong)[1]
    assert running.name in connectors(running, "list", **wrong)[0]
    assert "there are: " in connectors(running, "list", "--context", "gone", code=3)[1]
    with ConnectClient(url) as client:
        right = through(running, url, kafka_cluster_id=client.worker().kafka_cluster_id)
    assert "nothing that failed" in connectors(running, "restart", running.name, **right)[1]
    name = f"c{time.monotonic_ns()}"
    with running.warehouse.path.open("a") as file:
        file.write(f'\n[connect.contexts.{name}]\nurl = ["http://127.0.0.1:9", "{url}"]\n')
    assert running.name in connectors(running, "list", "--context", name)[0]
    assert "does not answer" in connectors(running, "list", code=5, **through(running, "http://127.0.0.1:9"))[1]


def test_list_asks_a_slow_connect_once(running: Own):
    with serving(Scripted(forward(running.stack.addresses().connect_url), delay_s=1)) as proxy:
        out, _ = connectors(running, "list", running.name, "--output", "ndjson", **through(running, proxy.url))
    assert proxy.asked == ["GET /connectors?expand=status&expand=info"]
    assert json.loads(out)["healthy"]


def test_edit_shows_the_plan_and_applies_or_leaves_all_as_it_was(running: Own, client: ConnectClient):
    definition = running.folder / "definition.yaml"
    old = definition.read_text()
    editor = {"VISUAL": "sed -i '$a poll_interval_ms: 35'"}
    told = connectors(running, "edit", running.name, code=4, **editor)[1]  # nobody to ask
    assert "poll.interval.ms  50 → 35" in told
    assert definition.read_text() == old
    connectors(running, "edit", running.name, "--yes", **editor)
    assert client.config(running.name)["poll.interval.ms"] == "35"
    told = connectors(running, "edit", running.name, "--yes", code=2, VISUAL="sed -i '$a nonsense: 1'")[1]
    assert "unknown field" in told
    assert "nonsense" in definition.with_name("definition.yaml.edited").read_text()
    assert "nonsense" not in definition.read_text()
    assert "nothing to do" in connectors(running, "edit", running.name, "--yes", VISUAL="true")[1]
    definition.with_name("definition.yaml.edited").unlink()
    definition.write_text(old)


def test_the_tab_key_knows_live_connectors_and_does_not_wait_for_a_connect_that_is_down(running: Own, client: ConnectClient, monkeypatch: pytest.MonkeyPatch):
    def completed(**environment: str) -> list[str]:
        for name, value in {"CDC_CONFIG": str(running.warehouse.path), **environment}.items():
            monkeypatch.setenv(name, value)
        context = click.Context(describe)
        return [item.value for item in completion.connector_names(context, describe.params[0], "")]

    began = time.monotonic()
    assert running.name in completed(**through(running, "http://127.0.0.1:9"))
    silent = Scripted(lambda *_: None, delay_s=30)
    with serving(silent):
        assert running.name in completed(**through(running, silent.url))
    assert time.monotonic() - began < 2 * completion.COMPLETION_S + 2  # and a busy machine
    monkeypatch.setattr(completion, "COMPLETION_S", 20)
    monkeypatch.delenv("CDC_CONTEXT")
    assert set(client.names()) <= set(completed())


def test_export_leaves_secrets_out(running: Own, client: ConnectClient, tmp_path):
    connectors(running, "export", running.name, "--folder", str(tmp_path))
    text = (tmp_path / f"{running.name}.yaml").read_text()
    assert "${file:" in text
    assert "cdc.applied" not in text
    exported = definition.load(tmp_path / f"{running.name}.yaml")
    again = profile.configuration(profile.expand(exported, profile.as_written))
    assert again == {name: value for name, value in unmarked(client.config(running.name)).items() if name != "name"}
    assert "exists" in connectors(running, "export", running.name, "--folder", str(tmp_path), code=4)[1]

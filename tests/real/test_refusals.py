"""What is wrong with files, settings and privileges is one line that says where and what to do, and nothing is written."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from psycopg2.extensions import make_dsn

from governance.roots import keyring
from governance.setup import set_up
from tests.fix_replication import Warehouse
from tests.fix_stack import FreshDatabase

REPOSITORY = Path(__file__).parents[2]
DEAD = "127.0.0.1:1"
CONFIGURATION = f"""\
[kafka]
"bootstrap.servers" = "{DEAD}"
[connect]
url = "http://{DEAD}"
[warehouse]
dsn = "host=127.0.0.1 port=1 dbname=warehouse user=cdc_replicator password=hush-hush"
[privacy]
dsn = "host=127.0.0.1 port=1 dbname=privacy user=cdc_privacy password=hush-hush"
[keyring]
path = "keyring.json"
[sources.trading]
definition = "trading.definition.yaml"
policy = "trading.policy.yaml"
topic = "trading"
"""
SAYS = re.compile(r"cdc: \S.*\n(  → .+\n)?")


@dataclass(frozen=True, slots=True)
class Said:
    """What a refused command said: ``line`` with its ``hint`` beneath, after any lines of progress."""

    line: str
    hint: str


def refused(path: Path, code: int, *arguments: str) -> Said:
    """Run a command that must end with this exit code, one line, and no word more."""
    command = [sys.executable, "-m", "cdc", *arguments, "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == code, done.stderr[-600:]
    assert SAYS.fullmatch(done.stderr), done.stderr[-600:]
    assert "hush-hush" not in done.stderr
    assert done.stdout == ""
    line, _, hint = done.stderr.removeprefix("cdc: ").partition("\n")
    return Said(line, hint.removeprefix("  → ").rstrip("\n"))


# Files. Nothing answers at the addresses in these: a command that opened anything before it read its files would say so.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration whose files are all well."""
    (tmp_path / "cdc.toml").write_text(CONFIGURATION)
    keyring.create(tmp_path / "keyring.json")
    for kind, place in (("policy", "governance/policies"), ("definition", "connectors/definitions")):
        (tmp_path / f"trading.{kind}.yaml").write_text((REPOSITORY / place / "trading.yaml").read_text())
    return tmp_path


def test_with_good_files_it_is_the_warehouse_that_is_missed(folder: Path) -> None:
    """The control of all that follows."""
    said = refused(folder / "cdc.toml", 5, "replicate", "trading")
    assert "no connection to the warehouse with [warehouse] dsn (" in said.line
    assert "port=1" in said.line
    assert said.hint
    said = refused(folder / "cdc.toml", 5, "connectors", "apply")
    assert DEAD in said.line
    assert said.hint


Change = Callable[[Path], object]


def edit(name: str, was: str, now: str) -> Change:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert text.count(was) >= 1
        (folder / name).write_text(text.replace(was, now, 1))

    return change


def write(name: str, content: str) -> Change:
    return lambda folder: (folder / name).write_text(content)


def ring(root: str) -> Change:
    return write("keyring.json", json.dumps({"format": keyring.FORMAT, "root": root}))


SHORT = base64.b64encode(bytes(range(32))).decode()

FILES: dict[str, tuple[Change, int, str, str]] = {
    "no TOML": (edit("cdc.toml", "[connect]", "[connect"), 2, "cdc.toml: not TOML", "line 3"),
    "unknown setting": (edit("cdc.toml", "\ndsn = ", "\ndns = "), 2, "cdc.toml: [warehouse] dns", "unknown setting"),
    "missing table": (edit("cdc.toml", "[keyring]", "[keyrings]"), 2, "cdc.toml: [keyrings]", "keyring"),
    "missing setting": (edit("cdc.toml", "policy = ", "#"), 2, "cdc.toml: [sources.trading] policy", ""),
    "number for a text": (edit("cdc.toml", 'topic = "trading"', "topic = 7"), 2, "[sources.trading] topic", ""),
    "DSN that is none": (
        edit("cdc.toml", 'dsn = "host=127.0.0.1 port=1 dbname=warehouse', 'dsn = "warehouse at 127.0.0.1'),
        2,
        "cdc.toml: [warehouse] dsn: not a libpq connection string",
        "host=",
    ),
    "privacy DSN that is none": (
        edit("cdc.toml", 'dsn = "host=127.0.0.1 port=1 dbname=privacy', 'dsn = "privacy at 127.0.0.1'),
        2,
        "cdc.toml: [privacy] dsn: not a libpq connection string",
        "host=",
    ),
    "port that is none": (
        edit("cdc.toml", "port=1 dbname=warehouse", "port=warehouse dbname=warehouse"),
        2,
        "cdc.toml: [warehouse] dsn",
        "",
    ),
    "policy missing": (lambda f: (f / "trading.policy.yaml").unlink(), 2, "trading.policy.yaml", "policy setting"),
    "policy no YAML": (
        edit("trading.policy.yaml", "      full_name: {protect", "      full_name: }{protect"),
        2,
        "trading.policy.yaml:10: not YAML",
        "",
    ),
    "policy unknown word": (
        edit("trading.policy.yaml", "full_name: {protect: seal", "full_name: {protect: seel"),
        2,
        "trading.policy.yaml:10: public.customers.full_name: 'seel' is not known",
        "clear | token | seal | drop",
    ),
    "policy drops a record": (
        edit("trading.policy.yaml", "risk_class: clear", "risk_class: drop"),
        2,
        "public.customers.risk_class: drop in a books-and-records table",
        "seal",
    ),
    "policy of another source": (
        edit("trading.policy.yaml", "source: trading", "source: portfolio"),
        2,
        "trading.policy.yaml: this is the policy of source 'portfolio'",
        "policy",
    ),
    "keyring missing": (lambda f: (f / "keyring.json").unlink(), 2, "keyring.json: there is no keyring", "backup"),
    "keyring no JSON": (write("keyring.json", "not JSON"), 2, "keyring.json: not a JSON object", "backup"),
    "keyring of another version": (write("keyring.json", '{"format": "x"}'), 2, 'keyring.json: "format"', "version"),
    "keyring too short": (ring(SHORT), 2, 'keyring.json: "root" is not the base64 of 64 bytes', "backup"),
    "keyring no base64": (ring("*" * 88), 2, 'keyring.json: "root" is not the base64', "backup"),
    "keyring open to others": (
        lambda f: (f / "keyring.json").chmod(0o644),
        2,
        "keyring.json: the keyring is open to other users (mode 0644)",
        "chmod 600",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_worker_refuses_files_that_are_wrong(folder: Path, name: str) -> None:
    change, code, line, hint = FILES[name]
    change(folder)
    said = refused(folder / "cdc.toml", code, "replicate", "trading")
    assert line in said.line
    assert hint in f"{said.line} {said.hint}"
    assert SHORT not in f"{said.line} {said.hint}"


def test_a_source_that_is_not_configured_is_not_found(folder: Path) -> None:
    said = refused(folder / "cdc.toml", 3, "replicate", "treding")
    assert "no source 'treding'; there are: trading" in said.line


def test_a_configuration_that_is_not_there_is_named(tmp_path: Path) -> None:
    said = refused(tmp_path / "absent.toml", 2, "replicate", "trading")
    assert "absent.toml" in said.line
    assert said.hint


DEFINITIONS: dict[str, tuple[Change, int, str, str]] = {
    "missing": (lambda f: (f / "trading.definition.yaml").unlink(), 2, "trading.definition.yaml: no such file", "conn"),
    "no YAML": (edit("trading.definition.yaml", "database:", "database: }"), 2, "trading.definition.yaml:5", "YAML"),
    "unknown field": (
        edit("trading.definition.yaml", "kind:", "snapshot: never\nkind:"),
        2,
        "trading.definition.yaml:3: snapshot: unknown field",
        "known here",
    ),
    "password in clear": (
        edit("trading.definition.yaml", "${secret:trading/password}", "hush-hush"),
        2,
        "database.password: a reference is needed",
        "${secret:",
    ),
    "another kind": (edit("trading.definition.yaml", "kind: postgres", "kind: oracle"), 2, "kind", "kind: postgres"),
    "another source": (
        edit("trading.definition.yaml", "name: trading", "name: portfolio"),
        2,
        "name is 'portfolio', but the configuration file says 'trading'",
        "make both the same",
    ),
    "another topic": (
        edit("trading.definition.yaml", "topic: trading", "topic: trades"),
        2,
        "topic is 'trades', but the configuration file says 'trading'",
        "make both the same",
    ),
    "no URL of Connect": (
        edit("cdc.toml", f"http://{DEAD}", "connect at 127.0.0.1"), 2, "cdc.toml: [connect] url", "http://"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DEFINITIONS)
def test_connectors_refuse_definitions_that_are_wrong(folder: Path, name: str) -> None:
    change, code, line, hint = DEFINITIONS[name]
    change(folder)
    said = refused(folder / "cdc.toml", code, "connectors", "apply")
    assert line in said.line
    assert hint in f"{said.line} {said.hint}"


# Services. Everything runs, and one thing is not as it must be.


def as_superuser(dsn: str, *statements: str) -> None:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    try:
        for statement in statements:
            connection.cursor().execute(statement)
    finally:
        connection.close()


def rewritten(warehouse: Warehouse, tmp_path: Path, was: str, now: str) -> Path:
    text = warehouse.path.read_text()
    assert was in text
    path = tmp_path / "cdc.toml"
    path.write_text(text.replace(was, now))
    return path


def assert_nothing_written(warehouse: Warehouse) -> None:
    for table in ("audit.entry", "audit.body", "pipeline.state_table", "pipeline.table_version"):
        assert warehouse.query(f"SELECT count(*) FROM {table}") == [(0,)], table


PRIVILEGES = {
    "REVOKE INSERT ON audit.entry_trading FROM cdc_replicator": "INSERT on the log's entries",
    "REVOKE INSERT ON audit.body FROM cdc_replicator": "INSERT on audit.body",
    "REVOKE UPDATE ON pipeline.stream FROM cdc_replicator": "UPDATE on pipeline.stream",
    "REVOKE EXECUTE ON FUNCTION audit.advance(text, bigint, bigint, bytea[]) FROM cdc_replicator": "audit.advance",
    "REVOKE EXECUTE ON FUNCTION audit.create_log(text, text) FROM cdc_replicator": "audit.create_log",
    "REVOKE EXECUTE ON FUNCTION pipeline.end_owner(text, bigint) FROM cdc_replicator": "pipeline.end_owner",
    "REVOKE EXECUTE ON FUNCTION pipeline.define_state(text, text, text, boolean, jsonb, jsonb) FROM cdc_replicator": (
        "pipeline.define_state"
    ),
    "REVOKE SELECT ON pipeline.lease FROM cdc_replicator": "pipeline.lease",
    "REVOKE SELECT ON audit.log FROM cdc_replicator": "audit.log",
    "REVOKE USAGE ON SCHEMA audit FROM cdc_replicator": "schemas",
    "REVOKE USAGE ON SCHEMA pipeline FROM cdc_replicator": "schemas",
    "REVOKE TEMPORARY ON DATABASE {database} FROM cdc_replicator, PUBLIC": "TEMPORARY",
}


@pytest.mark.parametrize("statement", PRIVILEGES)
def test_a_missing_privilege_in_the_warehouse_is_named(
    folder: Path, warehouse_database: FreshDatabase, statement: str
) -> None:
    edit("cdc.toml", "host=127.0.0.1 port=1 dbname=warehouse user=cdc_replicator password=hush-hush",
         warehouse_database.replicator_dsn)(folder)  # fmt: skip
    as_superuser(
        warehouse_database.admin_dsn,
        "SELECT audit.create_log('trading', 'trading/1')",
        statement.replace("{database}", warehouse_database.name),
    )
    said = refused(folder / "cdc.toml", 2, "replicate", "trading")
    assert PRIVILEGES[statement] in said.line
    assert "cdc migrate" in said.hint


def test_a_warehouse_without_tables_is_to_be_migrated(warehouse: Warehouse) -> None:
    as_superuser(warehouse.settings.warehouse_admin_dsn, "DROP SCHEMA audit, pipeline CASCADE")
    said = refused(warehouse.path, 2, "replicate", "trading")
    assert "the warehouse has no tables yet" in said.line
    assert said.hint == "cdc migrate"


def test_a_warehouse_that_lets_nobody_in_is_named_without_the_password(warehouse: Warehouse, tmp_path: Path) -> None:
    for was, now in (
        (f"dbname={warehouse.name} user=cdc_replicator", "dbname=no_such_database user=cdc_replicator"),
        ("user=cdc_replicator password=", "user=cdc_replicator password=hush-hush"),
    ):
        said = refused(rewritten(warehouse, tmp_path, was, now), 5, "replicate", "trading")
        assert "no connection to the warehouse with [warehouse] dsn" in said.line
        assert "role and password" in said.hint
    assert_nothing_written(warehouse)


@contextmanager
def privacy_database(warehouse: Warehouse) -> Iterator[tuple[str, str]]:
    """A new, empty database beside the stack's privacy store: its name, and its owner's DSN."""
    name = f"privacy_{uuid.uuid4().hex[:10]}"
    as_superuser(warehouse.settings.warehouse_admin_dsn, f"CREATE DATABASE {name}")
    try:
        yield name, make_dsn(warehouse.settings.privacy_admin_dsn, dbname=name)
    finally:
        as_superuser(warehouse.settings.warehouse_admin_dsn, f"DROP DATABASE {name} WITH (FORCE)")


def test_a_privacy_store_that_is_not_as_it_must_be_is_named_before_the_stream_is_owned(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    port = re.search(r"port=\d+ dbname=privacy ", warehouse.path.read_text())
    assert port is not None
    said = refused(rewritten(warehouse, tmp_path, port[0], "port=1 dbname=privacy "), 5, "replicate", "trading")
    assert "the privacy store does not answer" in said.line
    assert "[privacy] dsn" in said.hint
    said = refused(
        rewritten(warehouse, tmp_path, "user=cdc_privacy password=", "user=cdc_privacy password=hush-hush"),
        5, "replicate", "trading",
    )  # fmt: skip
    assert "the privacy store does not answer" in said.line
    with privacy_database(warehouse) as (name, admin):
        path = rewritten(warehouse, tmp_path, "dbname=privacy ", f"dbname={name} ")
        said = refused(path, 2, "replicate", "trading")
        assert "the privacy store has no tables yet ([privacy] dsn)" in said.line
        assert "cdc keys init" in said.hint
        set_up(admin, tmp_path / "another.json")
        said = refused(path, 2, "replicate", "trading")
        assert f"{warehouse.settings.keyring}: this keyring does not belong to the privacy store" in said.line
        assert "backup" in said.hint
        as_superuser(admin, "REVOKE INSERT ON privacy.token FROM cdc_privacy")
        path.write_text(path.read_text().replace(str(warehouse.settings.keyring), str(tmp_path / "another.json")))
        said = refused(path, 2, "replicate", "trading")
        assert "this role lacks INSERT on privacy.token in the privacy store" in said.line
        assert "cdc_privacy" in said.hint
    assert_nothing_written(warehouse)
    assert warehouse.query("SELECT count(*) FROM pipeline.stream") == [(0,)]


def test_a_topic_that_is_not_there_is_named(warehouse: Warehouse, tmp_path: Path) -> None:
    said = refused(rewritten(warehouse, tmp_path, 'topic = "trading"', 'topic = "treding"'), 2, "replicate", "trading")
    assert "Kafka has no topic 'treding'" in said.line
    assert "cdc connectors apply" in said.hint
    assert warehouse.query("SELECT count(*) FROM pipeline.stream") == [(0,)]
    assert "treding" not in AdminClient(dict(warehouse.settings.kafka)).list_topics(timeout=10).topics


def test_a_topic_of_two_partitions_has_no_order(warehouse: Warehouse, tmp_path: Path) -> None:
    admin, name = AdminClient(dict(warehouse.settings.kafka)), f"two-{uuid.uuid4().hex[:8]}"
    admin.create_topics([NewTopic(name, 2, 1)])[name].result()
    try:
        path = rewritten(warehouse, tmp_path, 'topic = "trading"', f'topic = "{name}"')
        said = refused(path, 4, "replicate", "trading")
    finally:
        admin.delete_topics([name])[name].result()
    assert f"partition-count: topic '{name}' has 2 partitions" in said.line
    assert said.hint
    assert warehouse.query("SELECT count(*) FROM pipeline.stream") == [(0,)]


@pytest.mark.parametrize(
    ("now", "code", "line"),
    [
        (f'"bootstrap.servers" = "{DEAD}"', 5, f"Kafka at {DEAD} does not answer"),
        ('"bootstrap.server" = "127.0.0.1:9092"', 2, "[kafka]"),
        ('"bootstrap.servers" = "127.0.0.1:9092"\n"fetch.wait.max.ms" = "soon"', 2, "[kafka]"),
    ],
    ids=["nobody there", "unknown setting", "value that is none"],
)
def test_kafka_settings_that_do_not_lead_anywhere_are_named(
    warehouse: Warehouse, tmp_path: Path, now: str, code: int, line: str
) -> None:
    kafka = warehouse.settings.kafka["bootstrap.servers"]
    path = rewritten(warehouse, tmp_path, f'"bootstrap.servers" = "{kafka}"', now)
    said = refused(path, code, "replicate", "trading")
    assert line in said.line
    assert said.hint
    assert_nothing_written(warehouse)

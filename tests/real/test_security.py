"""A stack that talks TLS and asks everybody for a password, from ``init`` to the drained stream; who comes wrongly is refused, with the reason.

What is in clear nowhere: passwords in arguments, environments, logs and answers. The settings stand in ``docs/security.md``.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest

from cdc.checks.kafka import Kafka
from cdc.cli.source_files import read_secret
from cdc.errors import CdcError, ConfigError, Unreachable
from cdc.local import prepare
from cdc.local.addresses import Choices
from cdc.local.mariadb import Server, demand_installed
from cdc.supervise.topic_look import look
from cdc.topic import describe
from connectors.errors import Unreachable as NoDatabase
from connectors.mariadb_check import connect
from tests.certificates import ELSEWHERE, Authority
from tests.fix_mariadb import run
from tests.fix_stack import missing_service
from tests.real import other_server
from tests.recorder import recorder
from tests.secured import Secured, SecuredMaria, only_tls, secured_maria, secured_stack

CONFIGURATION = """
[kafka]
"bootstrap.servers" = "{broker}"
"security.protocol" = "SASL_SSL"
"ssl.ca.location" = "{ca}"
"sasl.mechanism" = "SCRAM-SHA-512"
"sasl.username" = "cdc"
"sasl.password" = {{ file = "secrets/kafka" }}

[connect]
url = "{connect}"
ca = "{ca}"
username = "admin"
password_file = "secrets/connect"

[warehouse]
dsn = {{ file = "secrets/warehouse" }}
admin_dsn = {{ env = "TEST_WAREHOUSE_ADMIN" }}
auditor_dsn = {{ file = "secrets/auditor" }}

[privacy]
dsn = {{ file = "secrets/privacy" }}
admin_dsn = {{ env = "TEST_PRIVACY_ADMIN" }}

[keyring]
path = "{state}/keyring.json"
"""


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    state = tmp_path_factory.mktemp("secured")
    programs = other_server.with_contrib()
    if programs is None:
        missing_service("no PostgreSQL built with TLS: the wheel's is not (apt-get install postgresql)")
    with secured_stack(state / "stack", programs) as stack:
        _warehouse(stack)
        _source(stack)
        text = CONFIGURATION.format(broker=stack.broker.address, connect=stack.worker.url, ca=stack.ca, state=stack.state)
        stack.configuration.write_text(text)
        yield stack


def _warehouse(stack: Secured) -> None:
    roles = {f"cdc_{name}": stack.passwords[name] for name in ("replicator", "auditor", "privacy")}
    prepare.warehouse_databases(stack.warehouse.dsn("postgres"), Choices({}, roles, ""))
    for name, role, database in (("warehouse", "replicator", "warehouse"), ("auditor", "auditor", "warehouse"), ("privacy", "privacy", "privacy")):
        (stack.state / "secrets" / name).write_text(stack.dsn(stack.warehouse, database, f"cdc_{role}", stack.passwords[role]) + "\n")
    (stack.state / "secrets" / "kafka").write_text(stack.passwords["kafka"] + "\n")
    (stack.state / "secrets" / "connect").write_text(stack.passwords["connect"] + "\n")
    os.environ["TEST_WAREHOUSE_ADMIN"] = stack.dsn(stack.warehouse, "warehouse")
    os.environ["TEST_PRIVACY_ADMIN"] = stack.dsn(stack.warehouse, "privacy")
    only_tls(stack.warehouse)


def _source(stack: Secured) -> None:
    _run(stack.source.dsn("postgres"), "CREATE DATABASE shop")
    only_tls(stack.source)
    _run(
        stack.dsn(stack.source, "shop"),
        "CREATE TABLE orders (id int PRIMARY KEY, note text)",
        "INSERT INTO orders SELECT n, 'note ' || n FROM generate_series(1, 50) n",
    )


def _run(dsn: str, *statements: str) -> None:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


def _ask(dsn: str, query: str) -> list[tuple]:
    connection = psycopg2.connect(dsn)
    with connection.cursor() as cursor:
        cursor.execute(query)
        rows = cursor.fetchall()
    connection.close()
    return rows


@pytest.fixture(scope="module")
def drained(secured: Secured) -> Secured:
    """One database went the three steps, over TLS all the way."""
    secured.cdc("migrate")
    secured.cdc("connectors", "init", "shop", "--apply-sql", CDC_SOURCE_DSN=secured.dsn(secured.source, "shop"))
    secured.cdc("policy", "init", "shop", CDC_SOURCE_DSN=secured.dsn(secured.source, "shop"))
    secured.cdc("connectors", "apply", "shop")
    secured.cdc("replicate", "shop", "--until-caught-up")
    return secured


def test_a_database_goes_the_three_steps_and_every_session_is_encrypted(drained: Secured) -> None:
    assert _ask(drained.dsn(drained.warehouse, "warehouse"), "SELECT count(*) FROM shop.orders") == [(50,)]
    assert drained.cdc("audit", "verify").stdout.count("PASS")
    sessions = _ask(
        drained.dsn(drained.source, "shop"),
        "SELECT bool_and(s.ssl), count(*) FILTER (WHERE a.backend_type = 'walsender') FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.usename = 'cdc_shop'",
    )
    assert sessions == [(True, 1)]
    definition = (drained.state / "sources/shop/definition.yaml").read_text()
    assert "verify-full" in definition


def test_passwords_are_in_no_argument_environment_log_or_answer(drained: Secured) -> None:
    drained.cdc("connectors", "list")
    said = drained.cdc("connectors", "list", "--output", "json").stdout + drained.cdc("status", "--output", "json").stdout
    looked = [said.encode(), *(path.read_bytes() for path in (drained.state / "log").iterdir())]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(drained.state):
                looked += [(process / "cmdline").read_bytes(), (process / "environ").read_bytes()]
        except OSError:
            continue
    assert len(looked) > 5
    shop = re.search(r"^password=(.+)$", (drained.state / "secrets/shop.properties").read_text(), re.MULTILINE)
    assert shop is not None
    for name, password in {**drained.passwords, "shop": shop[1]}.items():
        assert not any(password.encode() in held for held in looked), name


@pytest.fixture
def changed(drained: Secured, tmp_path: Path):
    """The configuration with one text replaced; paths stay those of the stack."""

    def with_(old: str, new: str) -> Path:
        text = drained.configuration.read_text()
        assert old in text
        path = drained.state / f"{tmp_path.name}.toml"
        path.write_text(text.replace(old, new, 1))
        return path

    return with_


@pytest.fixture(scope="module")
def foreign(drained: Secured) -> Authority:
    return Authority(drained.state / "tls", "somebody else")


def test_kafka_of_another_authority_is_not_talked_to(drained: Secured, changed, foreign: Authority) -> None:
    path = changed(f'"ssl.ca.location" = "{drained.ca}"', f'"ssl.ca.location" = "{foreign.file}"')
    said = drained.cdc("replicate", "shop", "--until-caught-up", path=path, code=5).stderr
    assert "no TLS with Kafka at" in said
    assert "certificate verify failed" in said


def test_a_wrong_password_to_kafka_is_said_to_be_wrong(drained: Secured, changed) -> None:
    (drained.state / "secrets/wrong").write_text("not-the-password-at-all")
    path = changed('file = "secrets/kafka"', 'file = "secrets/wrong"')
    said = drained.cdc("replicate", "shop", "--until-caught-up", path=path, code=2).stderr
    assert "refuses the credentials" in said
    assert "not-the-password-at-all" not in said


@pytest.mark.parametrize(
    ("changed_setting", "refusal", "said"),
    [("ssl.ca.location", Unreachable, "no TLS with Kafka at .*certificate verify failed"), ("sasl.password", ConfigError, "refuses the credentials")],
)
def test_what_will_not_pass_by_itself_is_said_at_once(
    drained: Secured, foreign: Authority, changed_setting: str, refusal: type[CdcError], said: str
) -> None:
    kafka = {**drained.broker.client(), changed_setting: str(foreign.file)}
    begun = time.monotonic()
    with pytest.raises(refusal, match=said):
        describe(kafka, "shop", timeout_s=60)
    with pytest.raises(refusal, match=said):
        Kafka(kafka).cluster()
    with pytest.raises(Unreachable, match=said):
        look(kafka, {"shop": 0})
    assert time.monotonic() - begun < 30


def test_plaintext_to_kafka_does_not_hang(drained: Secured, changed) -> None:
    path = changed('"security.protocol" = "SASL_SSL"', '"security.protocol" = "PLAINTEXT"')
    said = drained.cdc("replicate", "shop", "--until-caught-up", path=path, code=5).stderr
    assert "Kafka at" in said


def test_connect_of_another_authority_or_with_a_wrong_password(drained: Secured, changed, foreign: Authority) -> None:
    path = changed(f'ca = "{drained.ca}"', f'ca = "{foreign.file}"')
    assert "certificate" in drained.cdc("connectors", "list", path=path, code=5).stderr
    path = changed('password_file = "secrets/connect"', 'password_file = "secrets/wrong"')
    (drained.state / "secrets/wrong").write_text("not-the-password-at-all")
    said = drained.cdc("connectors", "list", path=path, code=None)
    assert said.returncode in {2, 5}
    assert "not-the-password-at-all" not in said.stderr
    assert "401" in said.stderr or "password" in said.stderr


def test_a_warehouse_of_another_authority_or_another_name(drained: Secured, changed, foreign: Authority) -> None:
    dsn = (drained.state / "secrets/warehouse").read_text()
    (drained.state / "secrets/elsewhere").write_text(dsn.replace(str(drained.ca), str(foreign.file)))
    path = changed('file = "secrets/warehouse"', 'file = "secrets/elsewhere"')
    said = drained.cdc("replicate", "shop", "--until-caught-up", path=path, code=5).stderr
    assert drained.passwords["replicator"] not in said
    assert "warehouse" in said


def test_a_source_whose_certificate_is_for_another_host_is_not_read(drained: Secured) -> None:
    """``verify-full`` compares names: with a certificate of the same authority for another host, neither the check nor Debezium connects."""
    own = {end: (drained.state / f"tls/source.{end}").read_bytes() for end in ("crt", "key")}
    other = drained.authority.sign("elsewhere", ELSEWHERE)
    admin = f"{drained.source.dsn('shop')} sslmode=require"
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'cdc_shop' AND backend_type = 'walsender'"
    try:
        _certificate(drained, other.certificate.read_bytes(), other.key.read_bytes())
        _run(admin, "SELECT pg_reload_conf()")
        time.sleep(1)
        _run(admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'cdc_shop'")
        said = drained.cdc("connectors", "apply", "shop", code=5).stderr
        assert drained.passwords["source"] not in said
        time.sleep(5)
        assert _ask(admin, sessions) == [(0,)]
    finally:
        _certificate(drained, own["crt"], own["key"])
        _run(admin, "SELECT pg_reload_conf()")
    drained.cdc("connectors", "apply", "shop", "--timeout", "200")
    ends = time.monotonic() + 90
    while _ask(admin, sessions) != [(1,)]:  # Debezium tries again after a pause of its own
        assert time.monotonic() < ends
        time.sleep(0.5)


def _certificate(stack: Secured, certificate: bytes, key: bytes) -> None:
    (stack.state / "tls/source.crt").write_bytes(certificate)
    (stack.state / "tls/source.key").write_bytes(key)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('file = "secrets/warehouse"', 'file = "secrets/absent"', "No such file"),
        ('env = "TEST_WAREHOUSE_ADMIN"', 'env = "CDC_TEST_NOT_SET"', "CDC_TEST_NOT_SET is not set"),
        ('{ file = "secrets/kafka" }', '{ vault = "kafka" }', "where it is kept"),
        ('{ file = "secrets/kafka" }', '{ file = "a", env = "B" }', "where it is kept"),
    ],
)
def test_a_secret_that_cannot_be_had_is_named_with_its_place(drained: Secured, changed, old: str, new: str, said: str) -> None:
    answer = drained.cdc("status", path=changed(old, new), code=2).stderr
    assert said in answer
    assert "[" in answer


@pytest.fixture(scope="module")
def maria(drained: Secured) -> Iterator[SecuredMaria]:
    try:
        demand_installed()
    except ConfigError as error:
        missing_service(f"MariaDB: {error} → {error.hint}")
    with secured_maria(drained) as server:
        run(server, "CREATE DATABASE store", "CREATE TABLE store.goods (id int PRIMARY KEY, note text)")
        run(server, "INSERT INTO goods SELECT seq, 'note' FROM seq_1_to_20", database="store")
        yield server


@pytest.fixture(scope="module")
def streaming(drained: Secured, maria: SecuredMaria) -> SecuredMaria:
    """A MariaDB went the same three steps. Its connector keeps the history of tables in Kafka, by clients of its own."""
    root = {"CDC_SOURCE_DSN": maria.dsn("store", f"sslmode=verify-full&sslrootcert={drained.ca}")}
    assert "Kafka is reached by SASL_SSL" in drained.cdc("connectors", "init", "store", "--apply-sql", **root).stderr
    clients = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": f"${{file:{drained.state}/secrets/kafka.properties:jaas}}",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(drained.ca),
    }
    definition = drained.state / "sources/store/definition.yaml"
    lines = [f"  schema.history.internal.{client}.{key}: {value}\n" for client in ("producer", "consumer") for key, value in clients.items()]
    definition.write_text(f"{definition.read_text()}settings:\n{''.join(lines)}")
    drained.cdc("policy", "init", "store", **root)
    drained.cdc("connectors", "apply", "store")
    _until(lambda: _reading(maria), "Debezium does not read the binary log")
    return maria


def _reading(server: SecuredMaria) -> bool:
    """Whether the binary log is being read."""
    return (1,) in run(server, "SELECT 1 FROM information_schema.processlist WHERE user = 'cdc_store' AND command LIKE 'Binlog Dump%'")


def _until(true: Callable[[], bool], problem: str, within_s: float = 120) -> None:
    ends = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < ends, problem
        time.sleep(0.2)


def test_mariadb_goes_the_three_steps_and_every_session_is_encrypted(drained: Secured, streaming: SecuredMaria) -> None:
    run(streaming, "INSERT INTO store.goods VALUES (21, 'streamed')")

    def arrived() -> bool:
        drained.cdc("replicate", "store", "--until-caught-up")
        return _ask(drained.dsn(drained.warehouse, "warehouse"), 'SELECT count(*) FROM store."store.goods"') == [(21,)]

    _until(arrived, "the change was not streamed")
    # The server lets nobody in who comes in clear: who is in, came by TLS.
    assert run(streaming, "SELECT @@require_secure_transport") == [(1,)]
    with pytest.raises(NoDatabase, match=r"MariaDB error 1045"):
        connect(streaming.dsn("store", "sslmode=disable"), "the database")
    found = json.loads(drained.cdc("connectors", "check", "store", "--output", "json").stdout)
    assert not [each for each in found["findings"] if each["severity"] == "error"]
    said = (drained.state / "log/connect.log").read_text()
    assert "Enable ssl VERIFY_IDENTITY mode for connector store" in said
    login = read_secret(drained.state / "secrets/store.properties")
    assert not [secret for secret in (drained.passwords["kafka"], login["password"]) if secret in said]


@pytest.mark.parametrize(
    ("host", "options", "reason"),
    [
        ("127.0.0.1", "sslmode=verify-full&sslrootcert={foreign}", "certificate verify failed"),
        ("127.0.0.1", "sslmode=verify-ca&sslrootcert={foreign}", "certificate verify failed"),
        ("127.0.0.1", "sslmode=verify-full", "certificate verify failed"),
        ("127.0.0.2", "sslmode=verify-full&sslrootcert={ca}", "certificate verify failed: it is for another host"),
        ("127.0.0.2", "sslrootcert={ca}", "certificate verify failed: it is for another host"),
    ],
)
def test_a_mariadb_that_is_not_the_one_that_was_meant_learns_nothing(
    drained: Secured, maria: SecuredMaria, foreign: Authority, host: str, options: str, reason: str
) -> None:
    with recorder(maria.port, host) as relay:
        dsn = f"mariadb://root:{maria.password}@{host}:{relay.port}/store?{options.format(foreign=foreign.file, ca=drained.ca)}"
        with pytest.raises(NoDatabase) as refused:
            connect(dsn, "the database")
    assert str(refused.value).startswith(f"the database: no TLS: {reason}")
    assert b"root" not in relay.sent


def test_a_mariadb_that_cannot_do_tls_is_told_nothing_at_all(mariadb: Server) -> None:
    assert run(mariadb, "SELECT @@have_ssl") == [("DISABLED",)]
    with recorder(mariadb.port) as relay, pytest.raises(NoDatabase, match="the server offers none, so nothing was sent"):
        connect(f"mariadb://root:test@127.0.0.1:{relay.port}/mysql?sslmode=trust", "the database")
    assert (relay.connections, relay.sent) == (1, b"")


@pytest.mark.parametrize(("mode", "host"), [("verify-full", "127.0.0.1"), ("verify-ca", "127.0.0.2"), ("trust", "127.0.0.2")])
def test_each_mode_of_mariadb_encrypts(drained: Secured, maria: SecuredMaria, mode: str, host: str) -> None:
    root = "" if mode == "trust" else f"&sslrootcert={drained.ca}"
    with recorder(maria.port, host) as relay:
        dsn = f"mariadb://root:{maria.password}@{host}:{relay.port}/store?sslmode={mode}{root}"
        with connect(dsn, "the database") as connection, connection.cursor() as cursor:
            cursor.execute("SELECT id FROM goods LIMIT 1")
            assert cursor.fetchall() == ((1,),)
        assert b"goods" not in relay.sent


def test_debezium_does_not_read_a_mariadb_whose_certificate_is_for_another_host(drained: Secured, streaming: SecuredMaria) -> None:
    """FLUSH LOCAL: without it the statement goes into the binary log, and Debezium stops at it."""
    files = {end: drained.state / f"tls/maria.{end}" for end in ("crt", "key")}
    own = {end: path.read_bytes() for end, path in files.items()}
    other = drained.authority.sign("elsewhere", ELSEWHERE)
    try:
        files["crt"].write_bytes(other.certificate.read_bytes())
        files["key"].write_bytes(other.key.read_bytes())
        run(streaming, "FLUSH LOCAL SSL", "KILL USER cdc_store")
        said = drained.cdc("connectors", "apply", "store", code=5).stderr
        assert "no TLS: certificate verify failed: it is for another host" in said
        time.sleep(2)
        assert not run(streaming, "SELECT 1 FROM information_schema.processlist WHERE user = 'cdc_store'")
    finally:
        for end, path in files.items():
            path.write_bytes(own[end])
        run(streaming, "FLUSH LOCAL SSL")

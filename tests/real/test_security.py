"""A stack that talks TLS and asks everybody for a password, from ``init`` to the drained stream; who comes wrongly is refused, with the reason.

What is in clear nowhere: passwords in arguments, environments, logs and answers. The settings stand in ``docs/security.md``.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from cdc.errors import ConfigError
from cdc.local import prepare
from cdc.local.addresses import Choices
from cdc.local.mariadb import demand_installed
from tests.certificates import ELSEWHERE, Authority
from tests.fix_mariadb import run
from tests.fix_stack import missing_service
from tests.real import other_server
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


HISTORY = """\
settings:
{lines}
"""


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


def _verifying(stack: Secured) -> str:
    return f"sslmode=verify-full&sslrootcert={stack.ca}"


def test_mariadb_goes_the_three_steps_and_every_session_is_encrypted(drained: Secured, maria: SecuredMaria) -> None:
    root = {"CDC_SOURCE_DSN": maria.dsn("store", _verifying(drained))}
    drained.cdc("connectors", "init", "store", "--apply-sql", **root)
    definition = drained.state / "sources/store/definition.yaml"
    clients = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": f"${{file:{drained.state}/secrets/kafka.properties:jaas}}",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(drained.ca),
    }
    lines = [f"  schema.history.internal.{client}.{key}: {value}" for client in ("producer", "consumer") for key, value in clients.items()]
    definition.write_text(definition.read_text() + HISTORY.format(lines="\n".join(lines)))
    drained.cdc("policy", "init", "store", **root)
    drained.cdc("connectors", "apply", "store")
    ends = time.monotonic() + 120
    while not run(maria, "SELECT 1 FROM information_schema.processlist WHERE user = 'cdc_store' AND command LIKE 'Binlog Dump%'"):
        assert time.monotonic() < ends, "Debezium does not read the binary log"
        time.sleep(0.2)
    run(maria, "INSERT INTO store.goods VALUES (21, 'streamed')")
    count = "SELECT count(*) FROM store.goods"
    while True:
        drained.cdc("replicate", "store", "--until-caught-up")
        if _ask(drained.dsn(drained.warehouse, "warehouse"), count) == [(21,)]:
            break
        assert time.monotonic() < ends, "the change was not streamed"
    assert run(maria, "SELECT @@require_secure_transport") == [(1,)]
    drained.cdc("connectors", "check", "store")

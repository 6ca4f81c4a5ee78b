"""A stack in which nothing is in clear on the wire and everybody gives a password: TLS everywhere, SCRAM to Kafka, basic
authentication to Connect. The settings are those that ``docs/security.md`` shows.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from cdc.local import artifacts, mariadb, postgres, unprivileged
from cdc.local.addresses import free_port
from cdc.local.broker import Broker
from cdc.local.connect import Worker
from cdc.local.java import find_java
from cdc.local.jvm import Jvm, properties
from cdc.local.part import Part, Runner
from cdc.local.private_file import private_folder, write_private
from tests.certificates import Authority, Certificate
from tests.real import other_server

SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required"
BASIC = "org.apache.kafka.connect.rest.basic.auth.extension"


@dataclass(frozen=True, slots=True)
class SecuredCluster(postgres.Cluster):
    """Debian's PostgreSQL: the wheel's is built without TLS."""

    programs: Path = Path()

    def command(self) -> list[str]:
        return [*unprivileged.disguise().prefix, str(self.programs / "postgres"), "-D", str(self.folder)]

    def _initialise(self) -> None:
        secret = self.folder.parent / f"{self.name}.password"
        write_private(secret, self.password)
        other_server.tool(
            self.programs / "initdb", f"--pgdata={self.folder}", "--username=postgres", f"--pwfile={secret}",
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SecuredBroker(Broker):
    """SASL_SSL is the only way in for clients."""

    certificate: Certificate | None = None
    ca: Path = Path()
    password: str = field(default="", repr=False)

    def settings(self) -> str:
        assert self.certificate is not None
        login = f'{SCRAM} username="cdc" password="{self.password}";'
        return Broker.settings(self).replace("PLAINTEXT://" + self.address, "SASL_SSL://" + self.address) + properties(
            {
                "listener.security.protocol.map": "SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
                "security.inter.broker.protocol": "SASL_SSL",
                "sasl.enabled.mechanisms": "SCRAM-SHA-512",
                "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
                "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": login,
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": str(self.certificate.chain),
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": str(self.ca),
            }
        )

    def _format(self) -> None:
        command = self.jvm.command(
            "kafka.tools.StorageTool", "format", "--ignore-formatted", "--cluster-id", self.cluster_id,
            "--config", str(self.folder / "server.properties"), "--add-scram", f"SCRAM-SHA-512=[name=cdc,password={self.password}]",
        )  # fmt: skip
        subprocess.run(command, env={"PATH": os.defpath}, cwd=self.folder, check=True, capture_output=True)

    def ready(self) -> str | None:
        try:
            found = AdminClient({**self.client(), "log_level": 0, "error_cb": lambda _error: None}).list_topics(timeout=3).cluster_id
        except KafkaException as error:
            return str(error.args[0].name())
        return None if found == self.cluster_id else "another broker"

    def client(self) -> dict[str, str]:
        """How librdkafka gets in."""
        return {
            "bootstrap.servers": self.address,
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(self.ca),
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": "cdc",
            "sasl.password": self.password,
        }


@dataclass(frozen=True, slots=True)
class SecuredWorker(Worker):
    """HTTPS with a password; to Kafka with TLS and SCRAM, whose password is in a file that the settings refer to."""

    certificate: Certificate | None = None
    ca: Path = Path()
    store_password: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def settings(self) -> str:
        assert self.certificate is not None
        secured = {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.jaas.config": f"${{file:{self.secrets}/kafka.properties:jaas}}",
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.ca),
        }
        return Worker.settings(self) + properties(
            {
                **{f"{client}{key}": value for client in ("", "producer.", "consumer.", "admin.") for key, value in secured.items()},
                "rest.advertised.listener": "https",
                "listeners.https.ssl.keystore.type": "PKCS12",
                "listeners.https.ssl.keystore.location": str(self.certificate.store),
                "listeners.https.ssl.keystore.password": f"${{file:{self.secrets}/rest.properties:store}}",
                "listeners.https.ssl.key.password": f"${{file:{self.secrets}/rest.properties:store}}",
                "rest.extension.classes": f"{BASIC}.BasicAuthSecurityRestExtension",
            }
        )

    def command(self) -> list[str]:
        java, *rest = Worker.command(self)
        return [java, f"-Djava.security.auth.login.config={self.folder / 'jaas.conf'}", *rest]

    def prepare(self) -> None:
        Worker.prepare(self)
        users = self.folder / "users.properties"
        write_private(users, f"admin={self.password}\n")
        write_private(self.folder / "jaas.conf", f'KafkaConnect {{ {BASIC}.PropertyFileLoginModule required file="{users}"; }};\n')

    def _get(self, path: str):
        request = urllib.request.Request(self.url + path)  # noqa: S310 - https, above
        request.add_header("Authorization", "Basic " + base64.b64encode(f"admin:{self.password}".encode()).decode())
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(self.ca)))
        )
        with opener.open(request, timeout=5) as answer:
            return json.load(answer)


@dataclass(frozen=True, slots=True)
class Secured:
    """The running stack, its configuration file, and what must not be seen anywhere."""

    state: Path
    authority: Authority
    source: SecuredCluster
    warehouse: SecuredCluster
    broker: SecuredBroker
    worker: SecuredWorker
    passwords: dict[str, str] = field(repr=False)

    @property
    def configuration(self) -> Path:
        return self.state / "cdc.toml"

    @property
    def ca(self) -> Path:
        return self.authority.file

    def dsn(self, cluster: postgres.Cluster, database: str, user: str = "postgres", password: str | None = None) -> str:
        return f"{cluster.dsn(database, user, password)} sslmode=verify-full sslrootcert={self.ca}"

    def cdc(self, *arguments: str, code: int | None = 0, path: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "cdc", *arguments], env={**os.environ, "CDC_CONFIG": str(path or self.configuration), **environment},
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert code is None or done.returncode == code, done.stdout + done.stderr
        return done


@contextmanager
def secured_stack(state: Path, programs: Path) -> Iterator[Secured]:
    """Start it, and end it. ``programs``: of a PostgreSQL that can do TLS."""
    for folder in (state, state / "log", state / "secrets"):
        private_folder(folder)
    passwords = {name: secrets.token_hex(12) for name in ("source", "warehouse", "kafka", "store", "connect", "replicator", "auditor", "privacy")}
    authority = Authority(private_folder(state / "tls"))
    taken: set[int] = set()
    clusters = [_cluster(state, name, authority, free_port(taken), passwords[name], programs) for name in ("source", "warehouse")]
    kafka, rest = authority.sign("kafka"), authority.sign("connect", password=passwords["store"])
    write_private(state / "secrets" / "kafka.properties", f'jaas={SCRAM} username="cdc" password="{passwords["kafka"]}";\n')
    write_private(state / "secrets" / "rest.properties", f"store={passwords['store']}\n")
    java, runtime = find_java(), artifacts.runtime_folder()
    jars = artifacts.read_lock(runtime / "worker.lock")
    cluster_id = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=").replace("-", "a")
    broker = SecuredBroker(
        state / "broker", state / "log", free_port(taken), free_port(taken), cluster_id, Jvm(java, jars, "512m"),
        certificate=kafka, ca=authority.file, password=passwords["kafka"],
    )  # fmt: skip
    worker = SecuredWorker(
        state / "connect", state / "log", free_port(taken), broker.address, cluster_id,
        tuple(artifacts.read_lock(runtime / f"debezium-connector-{kind}.lock") for kind in ("postgres", "mariadb")), state / "secrets", Jvm(java, jars, "1g"),
        certificate=rest, ca=authority.file, store_password=passwords["store"], password=passwords["connect"],
    )  # fmt: skip
    runner = Runner(private_folder(state / "run"))
    parts: list[Part] = [*clusters, broker, worker]
    try:
        for part in parts:
            runner.start(part, lambda _line: None)
        yield Secured(state, authority, *clusters, broker, worker, passwords)
    finally:
        for part in reversed(parts):
            runner.stop(part, lambda _line: None)


def _cluster(state: Path, name: str, authority: Authority, port: int, password: str, programs: Path) -> SecuredCluster:
    certificate = authority.sign(name)
    unprivileged.disguise().give(certificate.certificate, certificate.key)
    tuning = {
        **(postgres.SOURCE if name == "source" else postgres.WAREHOUSE),
        "ssl": "on", "ssl_cert_file": str(certificate.certificate), "ssl_key_file": str(certificate.key), "ssl_min_protocol_version": "TLSv1.2",
    }  # fmt: skip
    return SecuredCluster(name, state / name, state / "log" / f"{name}.log", port, password, tuning, programs=programs)


def only_tls(cluster: SecuredCluster) -> None:
    """From now on the server lets nobody in without TLS."""
    hba = cluster.folder / "pg_hba.conf"
    rule = "all all 127.0.0.1/32 scram-sha-256"
    hba.write_text("".join(f"{kind} {what}\n" for kind, what in (("hostssl", rule), ("hostssl", rule.replace("all all", "replication all")))))
    connection = psycopg2.connect(cluster.dsn("postgres"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_reload_conf()")
    connection.close()


@dataclass(frozen=True, slots=True)
class SecuredMaria(mariadb.Server):
    """MariaDB that lets nobody in without TLS."""

    certificate: Certificate | None = None
    ca: Path = Path()

    def settings(self) -> str:
        assert self.certificate is not None
        secured = {"ssl-cert": self.certificate.certificate, "ssl-key": self.certificate.key, "ssl-ca": self.ca, "require-secure-transport": "ON"}
        return mariadb.Server.settings(self) + "".join(f"{key} = {value}\n" for key, value in secured.items())

    def dsn(self, database: str, options: str, port: int | None = None) -> str:
        """Root's, with ``options`` after the question mark."""
        return f"mariadb://root:{self.password}@127.0.0.1:{port or self.port}/{database}?{options}"


@contextmanager
def secured_maria(stack: Secured) -> Iterator[SecuredMaria]:
    """Start it beside the stack, and end it."""
    certificate = stack.authority.sign("maria")
    unprivileged.disguise().give(certificate.certificate, certificate.key)
    server = SecuredMaria(
        stack.state / "maria", stack.state / "log" / "maria.log", free_port(set()), secrets.token_hex(12), "maria",
        certificate=certificate, ca=stack.ca,
    )  # fmt: skip
    runner = Runner(stack.state / "run")
    try:
        runner.start(server, lambda _line: None)
        yield server
    finally:
        runner.stop(server, lambda _line: None)

"""Ports, passwords and connection strings of one stack, chosen at its first start and kept in ``stack.json``."""

from __future__ import annotations

import base64
import json
import random
import secrets
import socket
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from cdc.errors import ConfigError
from cdc.local.private_file import write_private

SOURCES = ("trading", "portfolio")
"""The source databases; a connector, a topic and a log each."""

PORTS = ("source", "warehouse", "broker", "controller", "connect")
_USERS = ("source_admin", "debezium", "warehouse_admin", "cdc_replicator", "cdc_auditor", "cdc_privacy")
MARIADB = "mariadb"
"""The kind of database that ``portfolio`` may be in instead; also the name of that server's part."""
_MARIADB_USERS = ("mariadb_admin", "mariadb_capture")
PLUGINS = {
    "replicated": ("debezium-connector-postgres", "debezium-connector-mariadb"),
    "all": (
        "debezium-connector-postgres",
        "debezium-connector-mariadb",
        "debezium-connector-mysql",
        "debezium-connector-sqlserver",
        "debezium-connector-mongodb",
    ),
}
"""What Connect is given: the connectors whose records are replicated, or every one that a definition can be of."""
_RANGE = range(20_000, 32_000)
"""Below Linux's default range of ephemeral ports: no outgoing connection takes a port of ours while we are down."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What is decided once per state folder. ``portfolio``: the kind of database that it is in. ``plugins``: which of
    :data:`PLUGINS`; this alone can be decided anew.
    """

    ports: Mapping[str, int]
    passwords: Mapping[str, str] = field(repr=False)
    cluster_id: str
    portfolio: str = "postgres"
    plugins: str = "replicated"


def new_choices(portfolio: str = "postgres") -> Choices:
    """Free ports, random passwords, a new Kafka cluster id."""
    taken: set[int] = set()
    names, users = _needed(portfolio)
    ports = {name: free_port(taken) for name in names}
    passwords = {user: secrets.token_hex(16) for user in users}
    return Choices(ports, passwords, _kafka_uuid(), portfolio)


def _needed(portfolio: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of ports and of passwords."""
    return ((*PORTS, MARIADB), (*_USERS, *_MARIADB_USERS)) if portfolio == MARIADB else (PORTS, _USERS)


def _kafka_uuid() -> str:
    """22 characters of base64; like Kafka's own ids never with a leading dash, which its tools take for an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        if not text.startswith("-"):
            return text


def load(path: Path) -> Choices | None:
    """The choices made earlier; None when there are none.

    Raises:
        ConfigError: the file is not what this version wrote.
    """
    try:
        raw = json.loads(path.read_text())
        choices = Choices(
            raw["ports"],
            raw["passwords"],
            raw["cluster_id"],
            raw.get("portfolio", "postgres"),
            raw.get("plugins", "replicated"),
        )
        PLUGINS[choices.plugins]
        ports, users = _needed(choices.portfolio)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"{path}: not a stack description", hint="cdc local reset") from None
    if set(choices.ports) != set(ports) or set(choices.passwords) != set(users):
        raise ConfigError(f"{path}: written by another version", hint="cdc local reset")
    return choices


def save(path: Path, choices: Choices) -> None:
    """Write the choices, readable by their owner only."""
    write_private(path, json.dumps(asdict(choices), indent=2) + "\n")


def with_new_port(choices: Choices, *names: str) -> Choices:
    """The same choices with other ports for ``names``."""
    taken = set(choices.ports.values())
    return replace(choices, ports={**choices.ports, **{name: free_port(taken) for name in names}})


def free_port(taken: set[int]) -> int:
    """A loopback port that nobody listens on now; added to ``taken``."""
    for port in random.SystemRandom().sample(_RANGE, 400):
        if port not in taken and is_free(port):
            taken.add(port)
            return port
    raise ConfigError("no free TCP port on 127.0.0.1 between 20000 and 32000", hint="ss -ltn")


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@dataclass(frozen=True, slots=True)
class SourceAddress:
    """One source database: as Debezium's role, and as superuser."""

    dsn: str = field(repr=False)
    admin_dsn: str = field(repr=False)
    kind: str = "postgres"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where every part answers. DSNs hold passwords, so none of them is in the ``repr``."""

    source_port: int
    warehouse_port: int
    broker_port: int
    connect_port: int
    warehouse_dsn: str = field(repr=False)
    warehouse_admin_dsn: str = field(repr=False)
    auditor_dsn: str = field(repr=False)
    privacy_dsn: str = field(repr=False)
    privacy_admin_dsn: str = field(repr=False)
    sources: Mapping[str, SourceAddress]

    @property
    def bootstrap_servers(self) -> str:
        """The broker."""
        return f"127.0.0.1:{self.broker_port}"

    @property
    def connect_url(self) -> str:
        """The worker's REST interface."""
        return f"http://127.0.0.1:{self.connect_port}"


def addresses_of(choices: Choices) -> Addresses:
    """Spell the connection strings out."""

    def dsn(cluster: str, database: str, user: str, password: str) -> str:
        where = f"host=127.0.0.1 port={choices.ports[cluster]} dbname={database}"
        return f"{where} user={user} password={choices.passwords[password]}"

    def maria(user: str, password: str) -> str:
        return f"mariadb://{user}:{choices.passwords[password]}@127.0.0.1:{choices.ports[MARIADB]}/portfolio"

    sources = {
        name: SourceAddress(
            dsn("source", name, "debezium", "debezium"), dsn("source", name, "postgres", "source_admin")
        )
        for name in SOURCES
    }
    if choices.portfolio == MARIADB:
        dsns = maria("cdc_capture", "mariadb_capture"), maria("root", "mariadb_admin")
        sources["portfolio"] = SourceAddress(*dsns, kind=MARIADB)
    return Addresses(
        source_port=choices.ports["source"],
        warehouse_port=choices.ports["warehouse"],
        broker_port=choices.ports["broker"],
        connect_port=choices.ports["connect"],
        warehouse_dsn=dsn("warehouse", "warehouse", "cdc_replicator", "cdc_replicator"),
        warehouse_admin_dsn=dsn("warehouse", "warehouse", "postgres", "warehouse_admin"),
        auditor_dsn=dsn("warehouse", "warehouse", "cdc_auditor", "cdc_auditor"),
        privacy_dsn=dsn("warehouse", "privacy", "cdc_privacy", "cdc_privacy"),
        privacy_admin_dsn=dsn("warehouse", "privacy", "postgres", "warehouse_admin"),
        sources=sources,
    )

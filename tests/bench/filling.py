"""A stream filled once by real Debezium: a database of its own, changes committed while the connector rests, then captured.

The changes wait in the source's write-ahead log until the connector is resumed, so the rate at which the topic fills is
Debezium's own ceiling on this machine and not the source's.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from confluent_kafka import Consumer, TopicPartition

from cdc.local.private_file import write_private
from cdc.local.stack import Stack
from connectors.apply import apply
from connectors.client import ConnectClient
from connectors.definition import Definition, load
from connectors.secrets import in_folder
from tests.bench.tables import TRADES, table_sql

HERE = Path(__file__).parent
CUSTOMERS = 10_000
DEFINITION = """\
name: {name}
kind: postgres
topic: {name}
database:
  host: ${{secret:{name}/host}}
  port: ${{secret:{name}/port}}
  name: {name}
  user: ${{secret:{name}/user}}
  password: ${{secret:{name}/password}}
schemas: [public]
"""


@dataclass(frozen=True, slots=True)
class Filled:
    """One filled stream. ``changes``: row changes of the table; ``seconds``: from Debezium's first of them to its last."""

    name: str
    size: int
    changes: int
    records: int
    end: int
    seconds: float
    columns: int = TRADES

    @property
    def rate(self) -> float:
        """Row changes a second."""
        return self.changes / self.seconds


def fill(stack: Stack, size: int, changes: int, columns: int = TRADES) -> Filled:
    """The stream whose transactions have ``size`` rows: half inserts in key order, half updates in random key order.

    A stream that an earlier run has filled is used again.
    """
    name = f"bench_{size}" if columns == TRADES else f"bench_{size}_{columns}"
    kept = stack.state / "bench" / f"{name}.json"
    if kept.exists():
        found = Filled(**json.loads(kept.read_text()))
        if found.changes == changes:
            return found
        raise SystemExit(f"{kept} has {found.changes} changes, not {changes}: remove {stack.state} or ask for as many")
    kept.parent.mkdir(exist_ok=True)
    with ConnectClient(stack.addresses().connect_url) as client:
        database(stack, name, columns)
        apply(client, definition(stack, name), in_folder(stack.state / "secrets"))
        client.stop(name)
        _changes(stack, name, size, changes)
        client.resume(name)
        end = captured(stack, name)
        records, seconds = _measured(stack, name, end, changes)
        client.stop(name)
    filled = Filled(name, size, changes, records, end, seconds, columns)
    kept.write_text(json.dumps({field: getattr(filled, field) for field in Filled.__slots__}))
    return filled


def admin(stack: Stack, database: str) -> psycopg2.extensions.connection:
    """The source cluster's superuser, outside transactions."""
    connection = psycopg2.connect(stack.cluster("source").dsn(database))
    connection.autocommit = True
    return connection


def database(stack: Stack, name: str, columns: int = TRADES) -> None:
    """A source database with the table, empty."""
    connection = admin(stack, "postgres")
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    connection.close()
    connection = admin(stack, name)
    with connection.cursor() as cursor:
        sql = (HERE / "source.sql").read_text()
        cursor.execute(sql.replace("{database}", name).replace("{table}", table_sql(columns)))
    connection.close()


def definition(stack: Stack, name: str) -> Definition:
    """The connector's definition and secret, written beside the stack."""
    given = psycopg2.extensions.parse_dsn(stack.addresses().sources["trading"].dsn)
    secret = "".join(f"{key}={given[key]}\n" for key in ("host", "port", "user", "password"))
    write_private(stack.state / "secrets" / f"{name}.properties", secret)
    path = stack.state / "bench" / f"{name}.yaml"
    path.write_text(DEFINITION.format(name=name))
    return load(path)


def _changes(stack: Stack, name: str, size: int, changes: int) -> None:
    connection = admin(stack, name)
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")  # how fast the source commits is not what is measured
        cursor.execute("CALL public.fill(%s, %s, %s)", (changes // 2, size, CUSTOMERS))
        cursor.execute("CALL public.change(%s, %s, 0.5)", (changes // 2, size))
    connection.close()


def captured(stack: Stack, name: str) -> int:
    """Wait until the slot has confirmed all that was committed; returns the end of the topic."""
    connection = admin(stack, name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn()")
        (lsn,) = cursor.fetchone() or ("",)
        reached = False
        while not reached:
            time.sleep(0.5)
            cursor.execute(
                "SELECT confirmed_flush_lsn >= %s FROM pg_replication_slots WHERE slot_name = %s", (lsn, f"cdc_{name}")
            )
            (reached,) = cursor.fetchone() or (False,)
    connection.close()
    consumer = Consumer({"bootstrap.servers": stack.addresses().bootstrap_servers, "group.id": "bench"})
    _low, high = consumer.get_watermark_offsets(TopicPartition(name, 0), timeout=10)
    consumer.close()
    return int(high)


def _measured(stack: Stack, name: str, end: int, changes: int) -> tuple[int, float]:
    """Records of the topic, and the seconds between Kafka's time stamps of the first and the last row change."""
    consumer = Consumer(
        {
            "bootstrap.servers": stack.addresses().bootstrap_servers,
            "group.id": "bench",
            "isolation.level": "read_committed",
            "auto.offset.reset": "error",
            "enable.partition.eof": "true",
        }
    )
    consumer.assign([TopicPartition(name, 0, 0)])
    marker = b'"name":"' + name.encode() + b'.public.trades.Envelope"'
    records, stamps, last = 0, [], -1
    while last < end - 2:  # the last offset is Kafka's transaction marker
        messages = consumer.consume(2000, 5)
        if not messages:
            break
        for message in messages:
            if message.error() is not None:
                continue
            records, last = records + 1, message.offset()
            if marker in (message.value() or b""):
                stamps.append(message.timestamp()[1])
    consumer.close()
    if len(stamps) != changes:
        raise SystemExit(f"{name}: the topic has {len(stamps)} row changes, the source committed {changes}")
    return records, (max(stamps) - min(stamps)) / 1000

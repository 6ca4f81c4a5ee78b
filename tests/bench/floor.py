"""The bare floor: consume a topic and COPY each record's payload into a table without an index. Nothing else is done.

No decoding, no protection, no history, no state, no position: what any program on this broker, client library and
warehouse must at least spend. Run as a process of its own: ``python -m tests.bench.floor BOOTSTRAP TOPIC END`` with the DSN
on standard input; prints the seconds from subscribing to the last commit.
"""

from __future__ import annotations

import io
import sys
import time

import psycopg2
from confluent_kafka import Consumer, TopicPartition

BATCH = 5_000
_SPLIT = b',"payload":'


def main(bootstrap: str, topic: str, end: int, dsn: str) -> float:
    """Drain the topic up to ``end``; returns the seconds it took."""
    connection = psycopg2.connect(dsn)
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE payload (payload text NOT NULL)")
    connection.commit()
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "bench-floor",
            "isolation.level": "read_committed",
            "enable.auto.commit": "false",
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": "20",
            "queued.max.messages.kbytes": "65536",
            "fetch.queue.backoff.ms": "5",
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    began, last, lines = time.monotonic(), -1, []
    while last < end - 2:  # the last offset is Kafka's transaction marker
        for message in consumer.consume(2_000, 0.5):
            value, last = message.value(), message.offset()
            if value is not None:
                lines.append(value[value.find(_SPLIT) + len(_SPLIT) : -1].replace(b"\\", b"\\\\"))
        if len(lines) >= BATCH or last >= end - 2:
            buffer = b"\n".join(lines) + b"\n"
            cursor.copy_expert("COPY payload FROM STDIN", io.BytesIO(buffer), size=len(buffer) + 1)
            connection.commit()
            lines = []
    seconds = time.monotonic() - began
    consumer.close()
    return seconds


if __name__ == "__main__":
    print(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.stdin.read()))

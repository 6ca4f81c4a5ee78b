"""How long after its commit at the source a change is visible in the warehouse, under a steady load.

One thread commits the load, one commits a numbered change now and then, one watches the warehouse for the numbers. All
clocks are this machine's.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import psycopg2

from cdc.local.stack import Stack
from connectors.apply import apply
from connectors.client import ConnectClient
from connectors.secrets import in_folder
from tests.bench.draining import Target
from tests.bench.filling import CUSTOMERS, Filled, admin, database, definition

NAME = "bench_live"
SIZE = 10
WATCHED = 0
"""Key of the row that carries the numbers."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """Milliseconds from commit to visible, of ``samples`` changes; ``load``: row changes a second that were reached."""

    load: float
    samples: int
    p50: float
    p99: float


def freshness(stack: Stack, rate: int = 1_000, seconds: float = 30) -> Freshness:
    """Measure it on a stream of its own, with connector and worker running."""
    with ConnectClient(stack.addresses().connect_url) as client:
        database(stack, NAME)
        apply(client, definition(stack, NAME), in_folder(stack.state / "secrets"))
        source = admin(stack, NAME)
        with source.cursor() as cursor:
            cursor.execute("CALL public.fill(20000, 1000, %s)", (CUSTOMERS,))
        target = Target(stack, Filled(NAME, SIZE, 40_000, 0, 0, 1))
        worker = subprocess.Popen(
            [sys.executable, "-m", "cdc", "replicate", NAME, "--config", str(target.config)], stderr=subprocess.DEVNULL
        )
        try:
            _until_visible(target)
            return _measure(stack, target, rate, seconds)
        finally:
            worker.send_signal(signal.SIGTERM)
            os.waitpid(worker.pid, 0)
            client.stop(NAME)
            source.close()
            target.drop()


def _until_visible(target: Target) -> None:
    ends = time.monotonic() + 120
    while time.monotonic() < ends:
        try:
            if target.ask(f"SELECT count(*) FROM {NAME}.trades") == (20_000,):
                return
        except psycopg2.Error:
            pass  # the view comes with the first batch
        time.sleep(0.2)
    raise SystemExit("freshness: the rows did not arrive")


def _measure(stack: Stack, target: Target, rate: int, seconds: float) -> Freshness:
    ending = threading.Event()
    committed: dict[int, float] = {}
    seen: dict[int, float] = {}
    loaded = [0]
    threads = [
        threading.Thread(target=_load, args=(stack, rate, ending, loaded)),
        threading.Thread(target=_number, args=(stack, ending, committed)),
        threading.Thread(target=_watch, args=(target, ending, seen)),
    ]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    ending.set()
    for thread in threads:
        thread.join()
    # The watcher sees the newest number: an older one became visible no later.
    delays = sorted(
        (min(at for number, at in seen.items() if number >= sent) - when) * 1000
        for sent, when in committed.items()
        if any(number >= sent for number in seen)
    )
    return Freshness(loaded[0] / seconds, len(delays), statistics.median(delays), delays[int(len(delays) * 0.99)])


def _load(stack: Stack, rate: int, ending: threading.Event, loaded: list[int]) -> None:
    connection = admin(stack, NAME)
    began = time.monotonic()
    with connection.cursor() as cursor:
        while not ending.is_set():
            first = 1 + loaded[0] % 19_000
            cursor.execute(
                "UPDATE public.trades SET quantity = quantity + 1 WHERE trade_id >= %s AND trade_id < %s",
                (first, first + SIZE),
            )
            loaded[0] += SIZE
            ending.wait(max(0.0, began + loaded[0] / rate - time.monotonic()))
    connection.close()


def _number(stack: Stack, ending: threading.Event, committed: dict[int, float]) -> None:
    connection = admin(stack, NAME)
    number = 1_000_000
    with connection.cursor() as cursor:
        while not ending.wait(0.05):
            number += 1
            cursor.execute("UPDATE public.trades SET quantity = %s WHERE trade_id = %s", (number, WATCHED))
            committed[number] = time.monotonic()
    connection.close()


def _watch(target: Target, ending: threading.Event, seen: dict[int, float]) -> None:
    connection = psycopg2.connect(target.auditor_dsn)
    connection.autocommit = True
    with connection.cursor() as cursor:
        while not ending.wait(0.004):
            cursor.execute(f"SELECT quantity FROM {NAME}.trades WHERE trade_id = %s", (WATCHED,))
            (number,) = cursor.fetchone() or (0,)
            if number > 1_000_000:
                seen.setdefault(number, time.monotonic())
    connection.close()

"""The worker: own the stream, replicate it (``cdc.session``), and know what to do when that ends.

What goes wrong is one of four things (``cdc.errors``): transient → drop what is in flight, back off, own the stream
anew and rewind to the warehouse's position; fenced → give the stream up and stand by; halted → say so in the warehouse
and stop; a log that contradicts itself → the same. A record that cannot be decoded is quarantined.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from pathlib import Path

import psycopg2

from cdc import native
from cdc.errors import CdcError, Fenced, Halted, LedgerError, TransientError
from cdc.session import Session, Settings
from cdc.telemetry import Progress
from cdc.topic import Topic, describe
from cdc.warehouse import lease
from cdc.warehouse.commit import Observer
from cdc.warehouse.lease import Ownership, Renewal
from cdc.warehouse.sqlstate import classify
from governance.errors import GovernanceError, StoreUnavailable

BACK_OFF_S = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds to wait after the first, second, … failure in a row."""
STANDBY_S = 1.0
STEADY_S = 30.0
"""An ownership that lasted this long ends a row of failures."""


class Replicator:
    """Replicates one stream until stopped."""

    def __init__(self, settings: Settings, progress: Progress, observe: Observer = lambda _step: None) -> None:
        self._settings = settings
        self._progress = progress
        self._observe = observe
        self._stop = threading.Event()

    def stop(self) -> None:
        """Finish the batch in hand and return from :meth:`run`. Safe in a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Own the stream, or stand by until it can be owned; replicate until stopped.

        Raises:
            ConfigError, Halted, LedgerError: a person must act; the message says what.
        """
        try:
            self._run()
        except (Halted, LedgerError) as error:
            code = error.code if isinstance(error, Halted) else "ledger-error"
            coordinates = error.coordinates if isinstance(error, Halted) else {}
            lease.mark_halted(self._settings.warehouse_dsn, self._settings.log, code, str(error), coordinates)
            raise

    def _run(self) -> None:
        topic = describe(self._settings.kafka, self._settings.topic)
        failures = 0
        while not self._stop.is_set():
            self._progress.alive()
            began = time.monotonic()
            try:
                self._own_and_replicate(topic)
            except Fenced as error:
                self._progress.note(f"gave the stream up: {error}", "fenced", logging.WARNING)
            except (TransientError, StoreUnavailable) as error:
                if time.monotonic() - began > STEADY_S:
                    failures = 0
                delay = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
                failures += 1
                again = f"{error}; trying again in {delay:g} s"
                self._progress.note(again, "retry", logging.WARNING, attempt=failures, wait_s=delay)
                self._stop.wait(delay)
                topic = self._described(topic)
            except (CdcError, GovernanceError):
                raise
            except Exception as error:  # noqa: BLE001 - a defect: its message may hold a value, its place does not
                raise LedgerError(f"unexpected {type(error).__name__} {_place(error)}") from None
            else:
                return

    def _described(self, topic: Topic) -> Topic:
        """The topic again, after an outage: it may have been recreated meanwhile (which registering then tells)."""
        try:
            return describe(self._settings.kafka, topic.name, timeout_s=5)
        except Halted:
            raise
        except CdcError:
            return topic

    def _own_and_replicate(self, topic: Topic) -> None:
        """One ownership; returns when the worker was told to stop, or has caught up where that is the end."""
        settings = self._settings
        connection = lease.connect(settings.warehouse_dsn, f"cdc writer {settings.log}")
        try:
            owned = self._wait_for_ownership(connection, topic)
            if owned is None:
                return
            self._progress.note(
                f"owns stream {settings.log} (epoch {owned.epoch})"
                f" from offset {owned.standing.next_offset:,}, entry {owned.standing.edge.size:,}",
                "owned",
                offset=owned.standing.next_offset,
                seq=owned.standing.edge.size,
                epoch=owned.epoch,
            )
            if lease.follows_gap(connection, owned):
                seq = owned.standing.edge.size - 1
                told = f"goes on after a gap that a person has accepted (entry {seq:,})"
                self._progress.note(told, "gap-accepted", logging.WARNING, offset=owned.standing.next_offset, seq=seq)
            self._progress.note(f"row changes go through {native.describe()}", "kernel")
            renewal = Renewal(settings.warehouse_dsn, settings.log, owned.epoch)
            renewal.start()
            try:
                lease.record_ownership(connection, owned, settings.policy_digest)
                with Session(settings, connection, owned, topic, self._progress, self._observe) as session:
                    session.replicate(self._stop, renewal.lost)
            finally:
                renewal.stop()
                _give_up(connection, owned)
        except psycopg2.Error as error:
            raise classify(error, "warehouse") from None
        finally:
            connection.close()

    def _wait_for_ownership(self, connection: psycopg2.extensions.connection, topic: Topic) -> Ownership | None:
        lease.register(connection, self._settings.log, topic.name, topic.id)
        told = ""
        while not self._stop.is_set():
            self._progress.alive()
            taken = lease.try_take(connection, self._settings.log)
            if isinstance(taken, Ownership):
                return taken
            if taken != told:
                standing = f"standing by: {taken} owns stream {self._settings.log}"
                self._progress.note(standing, "standby", owner=taken)
                told = taken
            self._stop.wait(STANDBY_S)
        return None


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-4:]))


def _give_up(connection: psycopg2.extensions.connection, owned: Ownership) -> None:
    """Release the lease, so that a spare need not wait. Where that fails, the lease expires."""
    try:
        connection.rollback()
        lease.release(connection, owned.log, owned.epoch)
    except psycopg2.Error:
        return

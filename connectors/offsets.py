"""The positions that Connect keeps for a connector (KIP-875): read, written, forgotten, and what that does to a stream.

They are what a connector goes on from. Debezium keeps an incremental snapshot there, too: which tables are still to be
read, and up to which key it has come. Those keys are values of rows, and are never shown.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from connectors import redact
from connectors.client import ConnectClient
from connectors.errors import Conflict, ConnectorError, Rejected, TaskFailed, Unreachable
from connectors.model import ConnectorStatus
from connectors.waiting import POLL_S, STEADY_S, Report

_SNAPSHOT = "incremental_snapshot_"
_COLLECTIONS, _CORRELATION = f"{_SNAPSHOT}collections", f"{_SNAPSHOT}correlation_id"
_KEYS = frozenset({f"{_SNAPSHOT}primary_key", f"{_SNAPSHOT}maximum_key"})
_OF_A_PLACE = ("transaction", _SNAPSHOT, "messageType", "txId", "ts_usec", "snapshot", "last_snapshot_record")
"""What of PostgreSQL's offset belongs to the place that it names: begins with one of these."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A position of one partition. Debezium has one partition for each database."""

    partition: Mapping[str, Any]
    offset: Mapping[str, Any] = field(repr=False)

    @property
    def lsn(self) -> int | None:
        """PostgreSQL's position in the WAL."""
        found = self.offset.get("lsn")
        return found if isinstance(found, int) else None

    @property
    def binary_log(self) -> tuple[str, int] | None:
        """MariaDB's position: file, byte."""
        file, at = self.offset.get("file"), self.offset.get("pos")
        return (file, at) if isinstance(file, str) and isinstance(at, int) else None

    @property
    def position(self) -> str:
        """As its database writes it; empty where no database is known that writes it so."""
        if self.lsn is not None:
            return lsn_text(self.lsn)
        return "" if self.binary_log is None else "{} {}".format(*self.binary_log)

    def shown(self) -> dict[str, Any]:
        """What may be shown of it."""
        members = {name: value for name, value in self.offset.items() if name not in _KEYS}
        if _COLLECTIONS in members:  # with its conditions, which may hold values
            members[_COLLECTIONS] = list(_tables(self.offset))
        return members


@dataclass(frozen=True, slots=True)
class InFlight:
    """An incremental snapshot that a connector has not ended: the id of its signal, and the tables still to be read,
    the first of them in hand.
    """

    id: str
    tables: tuple[str, ...]


def lsn_text(lsn: int) -> str:
    """An LSN as PostgreSQL writes it: two hexadecimal numbers (its documentation, "pg_lsn")."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def lsn_number(text: str) -> int:
    """The LSN that such a text means.

    Raises:
        ValueError: it is none.
    """
    high, slash, low = text.partition("/")
    if not slash or not 1 <= len(high) <= 8 or not 1 <= len(low) <= 8:
        raise ValueError("not an LSN")
    return int(high, 16) << 32 | int(low, 16)


def stored(client: ConnectClient, name: str) -> tuple[Stored, ...]:
    """``GET /connectors/{name}/offsets``.

    Raises:
        NotFound: no such connector.
    """
    return tuple(Stored(each["partition"], each["offset"]) for each in client.offsets(name) if each["offset"])


def in_flight(found: Sequence[Stored]) -> InFlight | None:
    """The incremental snapshot that the stored positions say is under way."""
    for each in found:
        tables = _tables(each.offset)
        if tables:
            return InFlight(str(each.offset.get(_CORRELATION) or ""), tables)
    return None


def _tables(offset: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        listed = json.loads(offset.get(_COLLECTIONS) or "[]")
    except (TypeError, ValueError):
        return ()
    return tuple(str(each.get(f"{_COLLECTIONS}_id")) for each in listed)


def at_lsn(before: Stored, lsn: int) -> Stored:
    """The same partition at another place of the WAL. An incremental snapshot in flight is forgotten with it."""
    kept = {name: value for name, value in before.offset.items() if not name.startswith(_OF_A_PLACE)}
    return Stored(before.partition, {**kept, "lsn": lsn, "lsn_proc": lsn, "lsn_commit": lsn})


def put(client: ConnectClient, name: str, offsets: Sequence[Stored]) -> None:
    """``PATCH /connectors/{name}/offsets``: it must be STOPPED.

    Raises:
        Rejected: it is not, or Connect or the connector finds the positions wrong.
    """
    body = {"offsets": [{"partition": dict(each.partition), "offset": dict(each.offset)} for each in offsets]}
    client.ask("PATCH", f"/connectors/{quote(name, safe='')}/offsets", body)


def parse(document: Any) -> tuple[Stored, ...]:
    """Positions as ``{"offsets": [{"partition": {…}, "offset": {…}}]}``.

    Raises:
        Rejected: it is something else, or was made for people to read.
    """
    try:
        found = tuple(Stored(dict(each["partition"]), dict(each["offset"])) for each in document["offsets"])
    except (KeyError, TypeError, ValueError):
        found = ()
    if not found:
        raise Rejected("not a document of offsets", hint='{"offsets": [{"partition": {…}, "offset": {…}}]}')
    if any(isinstance(each.offset.get(_COLLECTIONS), list) for each in found):
        raise Rejected(
            f"{_COLLECTIONS} is as it was shown, and what is not shown is missing beside it",
            hint=f"leave the members {_SNAPSHOT}… out: an incremental snapshot in flight is forgotten then",
        )
    return found


@contextmanager
def stopped(client: ConnectClient, name: str, timeout_s: float, report: Report) -> Iterator[None]:
    """Stop a connector, and afterwards have it do again what it did before, whatever happens in between.

    Raises:
        Unreachable: it did not stop, or is not running again, within ``timeout_s``.
        TaskFailed: it runs again, and fails at once.
    """
    before = client.status(name).state
    try:
        if before != "STOPPED":
            client.stop(name)
            _until(client, name, timeout_s, lambda status: status.state == "STOPPED" and not status.tasks)
            report(f"{name}: stopped")
        yield
    except BaseException as error:
        try:
            _restore(client, name, before)
        except ConnectorError as second:
            raise ConnectorError(
                f"{error}; and {name} could not be set going again: {second}",
                hint=f"it was {before}: cdc connectors apply {name}",
            ) from None
        if before != "STOPPED":
            report(f"{name}: {before} again")
        raise
    _restore(client, name, before)
    if before in {"PAUSED", "STOPPED"}:
        report(f"{name}: {before}{' again' if before == 'PAUSED' else ', as before'}")
        return
    _running(client, name, timeout_s)
    report(f"{name}: runs again")


def _restore(client: ConnectClient, name: str, before: str) -> None:
    if before == "PAUSED":
        client.ask("PUT", f"/connectors/{quote(name, safe='')}/pause")
    elif before != "STOPPED":
        client.resume(name)


def _running(client: ConnectClient, name: str, timeout_s: float) -> None:
    """Until it has been seen running for a while: a task is RUNNING before Debezium has looked at its position."""
    ends, since = time.monotonic() + timeout_s, time.monotonic()
    while True:
        status, now = client.status(name), time.monotonic()
        if status.failed:
            raise TaskFailed(
                f"{name} goes on from there and fails: {redact.causes(status.failed_traces[0])}",
                hint=f"cdc connectors offsets get {name}",
            )
        if not status.running:
            since = now
        elif now - since >= STEADY_S:
            return
        if now > ends:
            raise Unreachable(f"{name} does not run within {timeout_s:g} s", hint="the worker's log says why")
        time.sleep(POLL_S)


def _until(client: ConnectClient, name: str, timeout_s: float, reached: Any) -> ConnectorStatus:
    ends = time.monotonic() + timeout_s
    while not reached(status := client.status(name)):
        if time.monotonic() > ends:
            raise Unreachable(f"{name} does not stop within {timeout_s:g} s", hint="the worker's log says why")
        time.sleep(POLL_S)
    return status


def demand_stopped(client: ConnectClient, name: str) -> None:
    """Positions can be written only while nobody moves them.

    Raises:
        Conflict: the connector is not STOPPED.
    """
    state = client.status(name).state
    if state != "STOPPED":
        raise Conflict(
            f"{name} is {state}; its position can be changed only while it is STOPPED",
            hint="--stop   (stops it, and has it go on afterwards)",
        )

"""The whole stack under one state folder: two PostgreSQL clusters, a Kafka broker, a Connect worker, perhaps MariaDB.

::

    <state>/stack.json   ports and passwords      <state>/source, warehouse, broker, connect   data
    <state>/cdc.toml     configuration            <state>/log, run, secrets, keyring.json
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from cdc.errors import CdcError, Conflict, NotFound
from cdc.local import addresses as addressing
from cdc.local import artifacts, mariadb, mariadb_prepare, postgres, prepare, process
from cdc.local.addresses import MARIADB, PLUGINS, Addresses, Choices
from cdc.local.broker import Broker
from cdc.local.connect import Worker
from cdc.local.java import find_java
from cdc.local.jvm import Jvm
from cdc.local.part import Part, Report, Runner
from cdc.local.private_file import private_folder

PARTS = ("source", "warehouse", "broker", "connect")


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One part, as ``cdc local status`` shows it. ``state``: ``up``, ``down``, or what is the matter."""

    name: str
    state: str
    pid: int | None
    address: str
    log: Path


class Stack:
    """Starts, judges, stops and removes the parts. Safe to use from several processes: a lock file serialises them."""

    def __init__(self, state: Path) -> None:
        process.require_linux()
        self.state = state.absolute()
        self._runner = Runner(self.state / "run")
        self._parts: dict[str, Part] = {}
        self._choices: Choices | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """What it consists of: with ``portfolio`` on MariaDB, that server too."""
        choices = self._choices or self._load()
        return (*PARTS, MARIADB) if choices is not None and choices.portfolio == MARIADB else PARTS

    def up(
        self, report: Report, parts: Iterable[str] | None = None, portfolio: str | None = None,
        plugins: str | None = None,
    ) -> None:  # fmt: skip
        """Bring these parts (all) up, repair what is broken, prepare databases, write ``cdc.toml``. Quick when all run.

        ``portfolio``: the kind of database that this source is in, chosen at the first start (``postgres``).
        ``plugins``: what Connect is given, of :data:`cdc.local.addresses.PLUGINS`; kept until another choice.

        Raises:
            Conflict: ``portfolio`` is in another kind of database here.
            PartFailed: a part does not come up; the message has the lines of its log that say why.
            ConfigError: no Java, no PostgreSQL, no MariaDB where it was asked for, an artifact unlike its lock.
            Unreachable: a Java artifact cannot be fetched.
        """
        if portfolio == MARIADB:
            mariadb.demand_installed()
        with self._exclusively():
            kind = self._kind(portfolio)
            known = (*PARTS, MARIADB) if kind == MARIADB else PARTS
            wanted = [name for name in known if parts is None or name in set(parts)]
            self._choose(wanted, kind, plugins)
            first = [partial(self._bring_up, name, report) for name in wanted if name != "connect"]
            if "connect" in wanted:
                first.append(partial(self._part("connect").fetch, report))
            self._together(*first)
            if "connect" in wanted:
                self._start("connect", report)
            prepare.secrets_and_configuration(self.state, self.addresses(), self._known())

    def down(self, report: Report = lambda _line: None, parts: Iterable[str] | None = None) -> None:
        """Stop these parts in good order: Connect, the broker, then the clusters."""
        if not self.state.is_dir():
            return
        with self._exclusively():
            if self._load() is None:
                return
            wanted = set(self.parts if parts is None else parts)
            for name in ("connect", "broker"):
                if name in wanted:
                    self._stop(name, report)
            databases = [name for name in self.parts if name in wanted - {"connect", "broker"}]
            self._together(*(partial(self._stop, name, report) for name in databases))

    def reset(self, report: Report = lambda _line: None) -> None:
        """Stop everything and delete the state folder.

        Raises:
            Conflict: the folder is not one of ours.
        """
        if not self.state.exists():
            return
        if not (self.state / "stack.json").exists() and any(self.state.iterdir()):
            raise Conflict(f"{self.state} holds no stack.json: it is not a state folder, nothing is deleted")
        with contextlib.suppress(CdcError):
            self.down(report)
        for name in (*PARTS, MARIADB):
            for identity in process.working_in(self.state / name):
                process.stop(identity, signal.SIGTERM, 5)
        shutil.rmtree(self.state)
        report(f"{self.state} deleted")

    def start(self, part: str, report: Report = lambda _line: None) -> None:
        """Start one part that was stopped or killed, with its present ports; the others are left alone."""
        with self._exclusively():
            self._choose([part])
            self._start(part, report)

    def stop(self, part: str, report: Report = lambda _line: None) -> None:
        """Stop one part in good order."""
        with self._exclusively():
            self._stop(part, report)

    def restart(self, part: str, report: Report = lambda _line: None) -> None:
        """Stop and start one part."""
        self.stop(part, report)
        self.start(part, report)

    def status(self) -> list[PartStatus]:
        """Every part, asked at this moment.

        Raises:
            NotFound: there is no stack in this state folder.
        """
        self._known()
        parts = self.parts
        with ThreadPoolExecutor(len(parts)) as pool:
            return list(pool.map(self._status, parts))

    def addresses(self) -> Addresses:
        """Every port and connection string.

        Raises:
            NotFound: there is no stack in this state folder.
        """
        return addressing.addresses_of(self._known())

    def cluster(self, name: str) -> postgres.Cluster:
        """The ``source`` or the ``warehouse`` cluster."""
        choices = self._known()
        tuning = postgres.SOURCE if name == "source" else postgres.WAREHOUSE
        return postgres.Cluster(
            name, self.state / name, self.state / "log" / f"{name}.log", choices.ports[name],
            choices.passwords[f"{name}_admin"], tuning,
        )  # fmt: skip

    def maria_server(self) -> mariadb.Server:
        """The MariaDB server with ``portfolio``, where that was chosen."""
        choices, log = self._known(), self.state / "log" / "mariadb.log"
        return mariadb.Server(
            self.state / MARIADB, log, choices.ports[MARIADB], choices.passwords["mariadb_admin"],
            sql_mode=mariadb.EXACT_MODE,
        )  # fmt: skip

    def _bring_up(self, name: str, report: Report) -> None:
        self._start(name, report)
        if name == "source":
            prepare.source_databases(self.cluster(name).dsn("postgres"), self._known())
            prepare.source_schemas(self.addresses(), report)
        elif name == MARIADB:
            mariadb_prepare.source(self.maria_server(), self._known().passwords["mariadb_capture"], report)
        elif name == "warehouse":
            prepare.warehouse_databases(self.cluster(name).dsn("postgres"), self._known())
            prepare.warehouse_schemas(self.addresses(), self.state, report)

    def _start(self, name: str, report: Report) -> None:
        part = self._part(name)
        if isinstance(part, Worker) and self._runner.killed(name):
            from cdc.local.fencing import end_transactions  # loads the Kafka client

            fenced = end_transactions(part.bootstrap, part.group, f"{part.topics}-configs")
            report(f"{name}: was killed: ended what {len(fenced)} of its producers may have left open in Kafka")
        self._runner.start(part, report)

    def _stop(self, name: str, report: Report) -> None:
        part = self._part(name)
        patience = 30.0
        if name == "connect" and self._runner.running("broker") is None:
            patience = 3.0  # without its broker a worker cannot leave the group in order
        began = time.monotonic()
        if self._runner.stop(part, report, patience):
            report(f"{name}: stopped ({time.monotonic() - began:.1f} s)")

    def _status(self, name: str) -> PartStatus:
        part = self._part(name)
        identity = self._runner.running(name)
        trouble = "down" if identity is None else part.ready()
        return PartStatus(
            name, trouble or "up", identity.pid if identity else None, f"127.0.0.1:{part.port}", part.logs[-1]
        )

    def _part(self, name: str) -> Part:
        """Describe a part by the present choices."""
        if name in {"source", "warehouse"}:
            return self.cluster(name)
        if name not in self.parts:
            raise NotFound(f"no part {name!r}; there are: {', '.join(self.parts)}")
        if name == MARIADB:
            return self.maria_server()
        choices, log = self._known(), self.state / "log"
        folder = artifacts.runtime_folder()
        worker = artifacts.read_lock(folder / "worker.lock")
        plugins = tuple(artifacts.read_lock(folder / f"{plugin}.lock") for plugin in PLUGINS[choices.plugins])
        java = find_java()
        broker = Broker(
            self.state / "broker", log, choices.ports["broker"], choices.ports["controller"], choices.cluster_id,
            Jvm(java, worker, "512m"),
        )  # fmt: skip
        if name == "broker":
            return broker
        return Worker(
            self.state / "connect", log, choices.ports["connect"], broker.address, choices.cluster_id,
            plugins, self.state / "secrets", Jvm(java, worker, "1g"),
        )  # fmt: skip

    def _choose(self, wanted: list[str], portfolio: str = "postgres", plugins: str | None = None) -> None:
        """Choose ports at the first start; choose again for a part that is down and whose port somebody else has."""
        choices = self._load() or addressing.new_choices(portfolio)
        if plugins is not None:
            choices = replace(choices, plugins=plugins)
        self._choices = choices
        lost = []
        for name in wanted:
            if self._runner.running(name) is None:
                names = ("broker", "controller") if name == "broker" else (name,)
                lost += [port for port in names if not addressing.is_free(choices.ports[port])]
        self._choices = addressing.with_new_port(choices, *lost)
        addressing.save(self.state / "stack.json", self._choices)

    def _kind(self, portfolio: str | None) -> str:
        """The kind of database that portfolio is in, or will be."""
        choices = self._load()
        if choices is None:
            return portfolio or "postgres"
        if portfolio not in {None, choices.portfolio}:
            raise Conflict(
                f"portfolio is in {choices.portfolio} here, and what was captured of it stays so",
                hint="cdc local reset, or another --state",
            )
        return choices.portfolio

    def _load(self) -> Choices | None:
        self._choices = addressing.load(self.state / "stack.json")
        return self._choices

    def _known(self) -> Choices:
        choices = self._choices or self._load()
        if choices is None:
            raise NotFound(f"no stack in {self.state}", hint="cdc local up")
        return choices

    @contextlib.contextmanager
    def _exclusively(self) -> Iterator[None]:
        mask = os.umask(0o077)
        try:
            for folder in ("", "log", "run", "secrets"):
                private_folder(self.state / folder)
            with (self.state / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        finally:
            os.umask(mask)

    def _together(self, *tasks: Callable[[], object]) -> None:
        """Run all at once; when some fail, raise the first error after all have ended. Ctrl-C ends the waiting."""
        if not tasks:
            return
        self._runner.cancelled.clear()
        with ThreadPoolExecutor(len(tasks)) as pool:
            futures = [pool.submit(task) for task in tasks]
            try:
                wait(futures)
            except BaseException:
                self._runner.cancelled.set()
                raise
        for future in futures:
            future.result()

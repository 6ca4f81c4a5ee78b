"""A physical standby of the stack's warehouse cluster, whose replication can be cut before it is promoted."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg2

from cdc.local import postgres, unprivileged
from cdc.local.addresses import free_port
from cdc.local.private_file import private_folder
from tests.fix_replication import Captured


class Standby:
    """Streams from the primary, asynchronously, until it is cut off."""

    def __init__(self, cluster: postgres.Cluster) -> None:
        self._cluster = cluster
        self.port = cluster.port

    def cut(self) -> None:
        """What the primary commits from now on does not get here."""
        self._run("ALTER SYSTEM SET primary_conninfo = ''")
        self._run("SELECT pg_reload_conf()")
        self._until("SELECT count(*) = 0 FROM pg_stat_wal_receiver")

    def promote(self) -> None:
        self._run("SELECT pg_promote(true, 60)")
        self._until("SELECT NOT pg_is_in_recovery()")

    def catch_up(self, lsn: str) -> None:
        """Wait until it has replayed this position of the primary's WAL."""
        self._until(f"SELECT pg_last_wal_replay_lsn() >= '{lsn}'::pg_lsn")

    def _run(self, statement: str) -> list[tuple]:
        connection = psycopg2.connect(self._cluster.dsn("postgres"), connect_timeout=5)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def _until(self, question: str) -> None:
        ends = time.monotonic() + 120
        while True:
            with contextlib.suppress(psycopg2.OperationalError):
                if self._run(question) == [(True,)]:
                    return
            assert time.monotonic() < ends, question
            time.sleep(0.1)


@contextlib.contextmanager
def standby(captured: Captured, folder: Path) -> Iterator[Standby]:
    """Copy the warehouse's cluster as it runs, and follow it."""
    primary = captured.stack.cluster("warehouse")
    private_folder(folder)
    unprivileged.disguise().own(folder)
    data = folder / "data"
    conninfo = primary.dsn("postgres").replace("dbname=postgres ", "")
    done = subprocess.run(
        [*unprivileged.disguise().prefix, postgres.binaries() / "pg_basebackup", "--dbname", conninfo, "--pgdata", data,
         "--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream", "--no-sync"],
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    log = folder / "standby.log"
    copy = replace(primary, name="standby", folder=data, log=log, port=free_port(set()))
    copy.prepare()
    with log.open("w") as out:
        server = subprocess.Popen(copy.command(), env=dict(copy.environment()), stdout=out, stderr=out, cwd=folder)
    try:
        yield Standby(copy)
    finally:
        server.send_signal(copy.stop_signal)
        server.wait(60)

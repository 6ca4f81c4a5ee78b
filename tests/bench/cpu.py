"""CPU seconds of a process's threads and of its PostgreSQL backends, from ``/proc`` (proc(5))."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg2

_TICKS = os.sysconf("SC_CLK_TCK")


def seconds(stat: Path) -> float:
    """User and system time of a ``stat`` file; 0 when the thread has gone."""
    try:
        fields = stat.read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


class Meter:
    """What a worker and its backends have used so far, as of the last :meth:`look` while they lived."""

    def __init__(self, pid: int, dsn: str) -> None:
        self._pid = pid
        self._threads: dict[int, float] = {}
        self._backends: dict[tuple[int, str], float] = {}
        self._connection = psycopg2.connect(dsn)
        self._connection.autocommit = True

    def look(self) -> None:
        """Read ``/proc`` once."""
        tasks = Path(f"/proc/{self._pid}/task")
        for task in tasks.iterdir() if tasks.is_dir() else ():
            self._threads[int(task.name)] = max(seconds(task / "stat"), self._threads.get(int(task.name), 0.0))
        with self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid, application_name FROM pg_stat_activity WHERE application_name ~ '^cdc (writer|reader|privacy)'"
            )
            for pid, name in cursor.fetchall():
                used = seconds(Path(f"/proc/{pid}/stat"))
                self._backends[pid, name] = max(used, self._backends.get((pid, name), 0.0))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def split(self) -> dict[str, float]:
        """Seconds by where they went."""
        main = self._threads.get(self._pid, 0.0)
        backends = dict.fromkeys(("writer", "reader", "privacy"), 0.0)
        for (_pid, name), used in self._backends.items():
            backends[name.split()[1]] += used
        others = sum(self._threads.values()) - main
        return {"main thread": main, "other threads": others} | {
            f"backend, {kind}": used for kind, used in backends.items()
        }

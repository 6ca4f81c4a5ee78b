"""Long-lived processes of the stack: started so that they outlive the command line, recognised beyond doubt later.

A process id alone proves nothing, because ids are reused. A process is known here by its id, its start time (clock
ticks since boot, field 22 of ``/proc/<pid>/stat``, proc(5)) and the boot it belongs to; no signal is sent unless all
three match.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cdc.errors import ConfigError

_SERVERS = ("postgres", "mariadbd", "java")

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Started by this interpreter: kept so that they can be reaped when they end while it still runs."""


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process, for ever: no other process has the same three values."""

    pid: int
    started: int
    boot: str


def require_linux() -> None:
    """The stack looks into ``/proc``.

    Raises:
        ConfigError: another operating system.
    """
    if not sys.platform.startswith("linux"):
        raise ConfigError(
            f"the native stack runs on Linux only, and this is {sys.platform}",
            hint="run it inside a Linux container or virtual machine",
        )


def identify(pid: int) -> ProcessIdentity | None:
    """The identity of a running process; None when there is none, or only a zombie is left of it."""
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in "ZX":
        return None
    return ProcessIdentity(pid, int(fields[19]), boot)


def alive(identity: ProcessIdentity | None) -> bool:
    """Whether exactly this process still runs."""
    return identity is not None and identify(identity.pid) == identity


def spawn(command: Sequence[str], *, log: Path, folder: Path, environment: Mapping[str, str]) -> ProcessIdentity:
    """Start a process in its own session, so that neither Ctrl-C nor the end of this program reaches it.

    ``log`` receives what it prints. The process gets exactly ``environment``; its files are its user's only.
    """
    with log.open("ab") as output:
        child = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
            umask=0o077,
        )
    _children[child.pid] = child
    return identify(child.pid) or ProcessIdentity(child.pid, 0, "")


def stop(identity: ProcessIdentity, polite: signal.Signals, patience: float) -> bool:
    """Ask a process to end, and kill it after ``patience`` seconds. False when it had to be killed."""
    _send(identity, polite)
    if gone(identity, patience):
        return True
    _send(identity, signal.SIGKILL)
    gone(identity, 10)
    return False


def gone(identity: ProcessIdentity, patience: float) -> bool:
    """Wait up to ``patience`` seconds for the end of a process."""
    deadline = time.monotonic() + patience
    while alive(identity):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _send(identity: ProcessIdentity, number: signal.Signals) -> None:
    if alive(identity):
        with contextlib.suppress(ProcessLookupError):
            os.kill(identity.pid, number)


def working_in(folder: Path) -> list[ProcessIdentity]:
    """Servers whose working directory is ``folder``, by ``/proc`` alone. A person's shell there does not count."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if (entry / "cwd").readlink() == folder and _is_server(entry):
                    identity = identify(int(entry.name))
                    if identity is not None:
                        found.append(identity)
    return found


def _is_server(entry: Path) -> bool:
    """Whether a process runs a program of ours, or is dying: then it has none any more, and may still hold memory."""
    try:
        return (entry / "exe").readlink().name in _SERVERS
    except FileNotFoundError:
        return True


def command_line(pid: int) -> str:
    """A process's arguments, joined by spaces; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def tail(log: Path, since: int = 0, lines: int = 15) -> list[str]:
    """The last lines of a log file that were written after byte ``since``, errors first when there are too many."""
    try:
        with log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(since if since <= end else 0, end - 131_072))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    said = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("at ", "... "))]
    grave = [line for line in said if any(word in line for word in ("FATAL", "PANIC", "ERROR", "Exception", "Error:"))]
    return said if len(said) <= lines else (grave or said)[-lines:]

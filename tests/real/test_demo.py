"""``cdc demo`` from end to end at a small scale: what it tells, how it fails, and that it leaves nothing behind."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from cdc import config
from cdc.local.demo import ACTS
from cdc.local.demo.telling import WIDTH
from cdc.local.stack import Stack
from cdc.local.workload import CANARIES
from tests.fix_stack import missing_service

CDC = Path(sys.executable).with_name("cdc")
MISSING = (2, 5)
"""Exit codes where something that the stack needs cannot be had here."""
TOLD = (
    r"both run \(\d+\.\d s\); one ordered Kafka topic a source",
    r"started again, [\d,]+ row changes later: “owns stream trading \(epoch 2\) from offset",
    r"the spare owns the stream after \d+\.\d s",
    r"SIGCONT to the old owner: “.*“standing by: ",
    r"it wrote nothing: .* under owner's epoch 3, which only process \d+ has",
    r"the worker: “not in the policy, so sealed: public\.customers .*passport”",
    r"trading\.customers\.passport is bytea",
    r"control: all 26 planted values found in the sources",
    r"nowhere in \d+ MB of files .* none of 26",
    r"log (trading|portfolio): [\d,]+ Kafka records = [\d,]+ in the log \+ [\d,]+ counted",
    r"a second, empty warehouse, .* [\d,]+/s with every protection on",
    r"both warehouses have the same [\d,]+ entries, root [0-9a-f]{16}…",
    r"\$ cdc audit history orders (\d+) trading\.public\.orders, row \1 VERSION",
    r"verify: PASS",
    r"→ FAIL: entry \d+ public\.executions \S+: leaf: ",
    r"→ FAIL: tree: entries 0 to \d+ do not hash to the edge",
    r"→ PASS without the saved checkpoint; with it FAIL: checkpoint: ",
    r"current state alone: .* → FAIL: entry \d+ public\.executions \S+: state: ",
    r"the last entry is deleted → FAIL: entry \d+: seq: it is missing",
    r"change places → FAIL: entry \d+ .*: order: ",
    r"tamperings detected +6 of 6",
    r"this machine's measured rate +[\d,]+ row changes/s",
)
"""A sentence of each act, with white space folded."""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "demo"
    yield place
    Stack(place).reset()


def demo(state: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(CDC), "demo", "--state", str(state), "--scale", "0.1", *options],
        cwd=state.parent, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # What was started in the background of a shell ignores SIGINT, and so would what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread here
    )  # fmt: skip


def until(process: subprocess.Popen[str], sentence: str) -> str:
    """Read what it prints until it has said this; all of it."""
    said = ""
    for line in process.stdout:
        said += line
        if sentence in line:
            break
    return said


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, error = process.communicate(timeout=300)
    if process.returncode in MISSING:
        missing_service(error.strip())
    return process.returncode, out, error


def running(state: Path) -> list[str]:
    """Command lines of processes that have to do with this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            here = str((entry / "cwd").readlink())
        except (OSError, ValueError):
            continue
        if str(state) in command or here.startswith(str(state)):
            found.append(command)
    return found


def blocks(text: str) -> dict[str, list[str]]:
    """The next commands by reader."""
    found = re.split(r"^(operator|auditor|admin):$", text, flags=re.MULTILINE)[1:]
    return {reader: lines.split("\n") for reader, lines in zip(found[::2], found[1::2], strict=True)}


def typed_in(folder: Path, block: list[str], line: str) -> str:
    """Type one line of a block after its `export` lines; what it answered. What goes on until Ctrl-C gets one."""
    exports = [other for other in block if other.startswith("  export ")]
    shell = subprocess.Popen(
        ["bash", "-e", "-c", "\n".join([*exports, f"exec {line}" if " replicate " in line else line])],
        cwd=folder, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    said = ""
    if " replicate " in line:
        for told in shell.stderr:
            said += told
            if said.count("owns stream") == 2:
                shell.send_signal(signal.SIGINT)
                break
    out, error = shell.communicate(timeout=120)
    assert shell.returncode == 0, f"{line}: {said}{error}"
    return out


def test_every_act_is_told_and_every_next_command_runs_as_it_stands(state: Path) -> None:
    code, out, error = ended(demo(state, "--keep"))
    assert (code, error) == (0, "")
    lines = out.splitlines()
    assert [line for line in lines if re.match(r"\d+ · ", line)] == [
        f"{n} · {title}" for n, title in enumerate(ACTS, 1)
    ]
    folded = " ".join(out.split())
    assert [sentence for sentence in TOLD if not re.search(sentence, folded)] == []
    assert "\x1b" not in out
    commands = blocks(out)
    typed = {line for some in commands.values() for line in some}
    assert [line for line in lines if len(line) > WIDTH and line not in typed] == []
    assert [canary.family for canary in CANARIES if canary.value in out] == []
    assert [command for command in running(state) if " replicate " in command] == []
    assert list(commands) == ["operator", "auditor", "admin"]
    answers = {
        reader: [typed_in(state.parent, some, line) for line in some if line] for reader, some in commands.items()
    }
    assert any("PASS" in answer for answer in answers["auditor"])
    assert not state.exists()
    assert running(state) == []


def test_a_claim_that_does_not_hold_ends_it_with_a_failure_and_leaves_nothing(state: Path) -> None:
    process = demo(state)
    until(process, ACTS[4])  # the workers have ended; the comparison comes after the sweep
    if process.poll() is None:
        connection = psycopg2.connect(config.load(state / "cdc.toml").warehouse_admin_dsn)
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "UPDATE trading_state.customers SET risk_class = risk_class + 1"
                " WHERE _key = (SELECT min(_key) FROM trading_state.customers WHERE NOT _deleted)"
            )
            assert cursor.rowcount == 1
        connection.close()
    code, out, error = ended(process)
    assert code == 1
    assert "cdc: trading: public.customers: " in error
    assert "--keep" in error
    assert ACTS[5] in out
    assert ACTS[6] not in out
    assert not state.exists()
    assert running(state) == []


@pytest.mark.parametrize(
    ("number", "sentence"), [(signal.SIGINT, "workload on both databases"), (signal.SIGTERM, "SIGSTOP to the owner")]
)
def test_an_interrupted_demo_leaves_nothing(state: Path, number: signal.Signals, sentence: str) -> None:
    process = demo(state)
    assert sentence in until(process, sentence) or process.wait() in MISSING
    if process.poll() is None:
        process.send_signal(number)
    code, out, error = ended(process)
    assert code == 130
    assert "interrupted" in error
    assert "Traceback" not in error
    assert ACTS[3] not in out
    assert not state.exists()
    assert running(state) == []

"""`cdc audit verify` and `cdc audit checkpoint` as they are typed: exit codes, what goes where, files that are kept."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fix_stack import FreshDatabase
from tests.verified_warehouse import fill, rehash, superuser
from tests.warehouse import query

SETTINGS = """
[kafka]
"bootstrap.servers" = "127.0.0.1:1"
[connect]
url = "http://127.0.0.1:1"
[warehouse]
dsn = "{replicator}"
auditor_dsn = "{auditor}"
[privacy]
dsn = "host=127.0.0.1 port=1"
[keyring]
path = "keyring.json"
[sources]
"""


@pytest.fixture
def config(warehouse_database: FreshDatabase, tmp_path: Path) -> Path:
    fill(warehouse_database)
    path = tmp_path / "cdc.toml"
    path.write_text(SETTINGS.format(replicator=warehouse_database.replicator_dsn, auditor=warehouse_database.auditor_dsn))
    return path


def cdc(config: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cdc", "audit", *map(str, arguments), "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def tamper(database: FreshDatabase, *, edge: bool = True) -> None:
    """An entry says another thing; leaf and, with ``edge``, tree are made anew."""
    with superuser(database) as cursor:
        cursor.execute(
            "UPDATE audit.entry SET entry = replace(entry, '\"produced_at\":\"17', '\"produced_at\":\"16') WHERE log = 'trading' AND seq = 12"
        )
    rehash(database, edge=edge)


def test_pass_is_exit_code_0_and_all_of_it_on_standard_output(config: Path):
    done = cdc(config, "verify")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("PASS        operations/1: 2 entries")
    assert lines[-1].startswith("PASS: ")
    assert "entries/s" in lines[-1]
    assert "no checkpoint was given" in done.stdout
    assert "salts" in done.stdout
    assert " 0  " not in done.stdout  # what did not occur is not listed as checked


def test_fail_is_exit_code_6_and_names_the_first_bad_entry(config: Path, warehouse_database: FreshDatabase):
    with superuser(warehouse_database) as cursor:
        cursor.execute("UPDATE audit.entry SET leaf = sha256('x') WHERE log = 'trading' AND seq IN (10, 12)")
        cursor.execute("UPDATE trading_state.orders SET price = 7.77 WHERE _key = '[\"1\"]'")
    done = cdc(config, "verify", "trading")
    assert (done.returncode, done.stderr) == (6, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("FAIL        trading/1: ")
    assert lines[1] == '  entry 10 public.orders ["1"] offset 8: leaf: the stored leaf is not SHA-256(0x00 ‖ entry)'
    assert lines[2].startswith("  entry 12 ")
    assert lines[3] == '  entry 28 public.orders ["1"]: state: columns that do not show what the entry holds: price'
    assert "7.77" not in done.stdout
    one = cdc(config, "verify", "trading", "--findings", 1)
    assert one.stdout.splitlines()[2] == "  … 3 findings in all, the first 1 shown"


def test_the_document_holds_the_same(config: Path, warehouse_database: FreshDatabase):
    with superuser(warehouse_database) as cursor:
        cursor.execute("UPDATE audit.entry SET leaf = sha256('x') WHERE log = 'trading' AND seq = 10")
    done = cdc(config, "verify", "--output", "json")
    assert (done.returncode, done.stderr) == (6, "")
    document = json.loads(done.stdout)
    assert document["verdict"] == "FAIL"
    operations, trading = document["logs"]
    assert (operations["verdict"], operations["findings"]) == ("PASS", [])
    assert trading["findings"] == [
        {"seq": 10, "table": "public.orders", "row_key": '["1"]', "kafka_offset": 8, "check": "leaf", "cause": "the stored leaf is not SHA-256(0x00 ‖ entry)"}
    ]  # fmt: skip
    assert trading["findings_in_all"] == 1
    assert trading["checked"]["state tables"] == 4
    assert document["entries"] == operations["entries"] + trading["entries"]


def test_no_entries_is_no_pass(warehouse_database: FreshDatabase, tmp_path: Path):
    path = tmp_path / "cdc.toml"
    path.write_text(SETTINGS.format(replicator=warehouse_database.replicator_dsn, auditor=warehouse_database.auditor_dsn))
    done = cdc(path, "verify")
    assert done.returncode == 6
    assert done.stdout.startswith("INCOMPLETE  operations/1: 0 entries")
    assert "could not be checked: the log has no entries" in done.stdout


def test_an_unknown_log_and_an_unusable_file_are_refused(config: Path, tmp_path: Path):
    done = cdc(config, "verify", "portfolio")
    assert (done.returncode, done.stdout) == (3, "")
    assert "there are: operations, trading" in done.stderr
    assert cdc(config, "verify", "--checkpoint", tmp_path / "none").returncode == 3
    (tmp_path / "other").write_text("seq,root\n")
    done = cdc(config, "verify", "--checkpoint", tmp_path / "other")
    assert done.returncode == 2
    assert "is not a file of checkpoints: line 1" in done.stderr


def test_a_checkpoint_is_printed_and_saved(config: Path, tmp_path: Path, warehouse_database: FreshDatabase):
    printed = cdc(config, "checkpoint")
    assert (printed.returncode, printed.stderr) == (0, "")
    file = tmp_path / "kept" / "checkpoint"
    missing = cdc(config, "checkpoint", "--save", file)
    assert missing.returncode == 2
    file.parent.mkdir()
    saved = cdc(config, "checkpoint", "--save", file)
    assert (saved.returncode, saved.stdout) == (0, "")
    assert file.read_text() == printed.stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert list(file.parent.iterdir()) == [file]
    ((size,),) = query(warehouse_database.auditor_dsn, "SELECT size FROM audit.log WHERE log = 'trading'")
    assert printed.stdout.split("\n\n")[1].split("\n")[:2] == ["trading/1", str(size)]
    assert cdc(config, "checkpoint", "trading").stdout == printed.stdout.split("\n\n")[1]
    assert cdc(config, "checkpoint", "portfolio").returncode == 3
    assert cdc(config, "verify", "--checkpoint", file).returncode == 0


def test_a_rewritten_log_fails_the_checkpoint_and_does_not_replace_it(config: Path, tmp_path: Path, warehouse_database: FreshDatabase):
    file = tmp_path / "checkpoint"
    assert cdc(config, "checkpoint", "--save", file).returncode == 0
    before = file.read_text()
    tamper(warehouse_database)
    assert cdc(config, "verify").returncode == 0
    done = cdc(config, "verify", "--checkpoint", file)
    assert done.returncode == 6
    assert "  the log: checkpoint: the first " in done.stdout
    refused = cdc(config, "checkpoint", "--save", file)
    assert (refused.returncode, refused.stdout) == (6, "")
    assert "entries of trading are not those of the file's checkpoint" in refused.stderr
    assert "--force" in refused.stderr
    assert file.read_text() == before
    for number in (1, 2):
        forced = cdc(config, "checkpoint", "trading", "--save", file, "--force")
        assert forced.returncode == 0
        assert f"is kept as {file}.{number}" in forced.stderr
        assert file.read_text().split("\n\n")[0] == before.split("\n\n")[0]  # that of a log that was not named
    assert (tmp_path / "checkpoint.1").read_text() == before
    assert cdc(config, "verify", "--checkpoint", file).returncode == 0
    assert cdc(config, "verify", "--checkpoint", f"{file}.1").returncode == 6


def test_a_grown_log_replaces_its_checkpoint_and_others_stay(config: Path, tmp_path: Path, warehouse_database: FreshDatabase):
    file = tmp_path / "checkpoint"
    cdc(config, "checkpoint", "--save", file)
    before = file.read_text().split("\n\n")
    query(warehouse_database.auditor_dsn, "SELECT audit.append_operation('test', '{}')")
    assert cdc(config, "checkpoint", "trading", "--save", file).returncode == 0
    assert file.read_text().split("\n\n") == before
    assert cdc(config, "checkpoint", "--save", file).returncode == 0
    after = file.read_text().split("\n\n")
    assert after[0].split("\n")[:2] == ["operations/1", "3"]
    assert after[1] == before[1]
    (tmp_path / "old").write_text(before[0] + "\n")
    assert cdc(config, "verify", "--checkpoint", tmp_path / "old", "--checkpoint", file).returncode == 0


def test_leaves_that_do_not_give_the_edge_do_not_replace_a_checkpoint(config: Path, tmp_path: Path, warehouse_database: FreshDatabase):
    file = tmp_path / "checkpoint"
    cdc(config, "checkpoint", "--save", file)
    query(warehouse_database.auditor_dsn, "SELECT audit.append_operation('test', '{}')")
    with superuser(warehouse_database) as cursor:
        cursor.execute("UPDATE audit.entry SET leaf = sha256('x') WHERE log = 'operations' AND seq = 0")
    refused = cdc(config, "checkpoint", "--save", file)
    assert refused.returncode == 6
    assert "the stored leaves of operations do not hash to the edge in audit.log" in refused.stderr


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("trading/2\n1\n{root}\n", "the file has a checkpoint of trading/2; the log is trading/1 now"),
        ("trading/1\n99999\n{root}\n", "entries, and had 99999 at the file's checkpoint"),
        ("portfolio/1\n5\n{root}\n", "the file has a checkpoint of portfolio/1; there is no log portfolio now"),
    ],
)
def test_a_file_of_another_history_is_not_replaced(config: Path, tmp_path: Path, line: str, says: str):
    file = tmp_path / "checkpoint"
    file.write_text(line.format(root="A" * 43 + "="))
    refused = cdc(config, "checkpoint", "--save", file)
    assert refused.returncode == 6
    assert says in refused.stderr
    assert cdc(config, "verify", "--checkpoint", file).returncode == 6


def test_a_file_that_is_no_checkpoint_is_not_replaced(config: Path, tmp_path: Path):
    file = tmp_path / "thesis.txt"
    file.write_text("ten years of work\n")
    assert cdc(config, "checkpoint", "--save", file).returncode == 2
    assert file.read_text() == "ten years of work\n"
    assert cdc(config, "checkpoint", "--save", file, "--force").returncode == 0
    assert (tmp_path / "thesis.txt.1").read_text() == "ten years of work\n"
    assert cdc(config, "verify", "--checkpoint", file).returncode == 0


def test_a_checkpoint_of_a_log_outside_the_scope_is_said_not_to_be_checked(config: Path, tmp_path: Path):
    file = tmp_path / "checkpoint"
    cdc(config, "checkpoint", "--save", file)
    file.write_text(file.read_text() + "\n\u2014 somebody c2lnbmF0dXJl\n")
    done = cdc(config, "verify", "trading", "--checkpoint", file)
    assert done.returncode == 0
    assert "  the checkpoint of operations/1: that log is not in the scope" in done.stdout
    assert "  signatures in the checkpoint file" in done.stdout


def test_progress_shows_on_a_terminal_only(config: Path):
    main, terminal = pty.openpty()
    command = [sys.executable, "-m", "cdc", "audit", "verify", "--config", str(config)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=terminal, check=False, timeout=120, env={**os.environ, "TERM": "xterm"})
    os.close(terminal)
    shown = b""
    try:
        while part := os.read(main, 4096):
            shown += part
    except OSError:  # the other end is closed
        pass
    os.close(main)
    assert done.returncode == 0
    assert b"trading" in shown
    assert b"\x1b" not in done.stdout

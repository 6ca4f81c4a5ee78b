"""Files and settings that are wrong: one line that says where and what to do.

Nothing answers at the addresses in these files: a command that opened anything before it read them would say so.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from governance.roots import keyring
from tests.real.refusing import DEAD, Change, edit, folder, refused

__all__ = ["folder"]


def test_with_good_files_it_is_the_warehouse_that_is_missed(folder: Path) -> None:
    """The control of all that follows."""
    said = refused(folder / "cdc.toml", 5, "replicate", "trading")
    assert "no connection to the warehouse with [warehouse] dsn (" in said.line
    assert "port=1" in said.line
    assert said.hint
    said = refused(folder / "cdc.toml", 5, "connectors", "apply")
    assert DEAD in said.line
    assert said.hint


def write(name: str, content: str) -> Change:
    return lambda folder: (folder / name).write_text(content)


def ring(root: str) -> Change:
    return write("keyring.json", json.dumps({"format": keyring.FORMAT, "root": root}))


SHORT = base64.b64encode(bytes(range(32))).decode()

FILES: dict[str, tuple[Change, int, str, str]] = {
    "no TOML": (edit("cdc.toml", "[connect]", "[connect"), 2, "cdc.toml: not TOML", "line 3"),
    "unknown setting": (edit("cdc.toml", "\ndsn = ", "\ndns = "), 2, "cdc.toml: [warehouse] dns", "unknown setting"),
    "missing table": (edit("cdc.toml", "[keyring]", "[keyrings]"), 2, "cdc.toml: [keyrings]", "keyring"),
    "missing setting": (edit("cdc.toml", "policy = ", "#"), 2, "cdc.toml: [sources.trading] policy", ""),
    "number for a text": (edit("cdc.toml", 'topic = "trading"', "topic = 7"), 2, "[sources.trading] topic", ""),
    "DSN that is none": (
        edit("cdc.toml", 'dsn = "host=127.0.0.1 port=1 dbname=warehouse', 'dsn = "warehouse at 127.0.0.1'),
        2,
        "cdc.toml: [warehouse] dsn: not a libpq connection string",
        "host=",
    ),
    "privacy DSN that is none": (
        edit("cdc.toml", 'dsn = "host=127.0.0.1 port=1 dbname=privacy', 'dsn = "privacy at 127.0.0.1'),
        2,
        "cdc.toml: [privacy] dsn: not a libpq connection string",
        "host=",
    ),
    "port that is none": (
        edit("cdc.toml", "port=1 dbname=warehouse", "port=warehouse dbname=warehouse"),
        2,
        "cdc.toml: [warehouse] dsn",
        "",
    ),
    "policy missing": (lambda f: (f / "trading.policy.yaml").unlink(), 2, "trading.policy.yaml", "policy setting"),
    "policy no YAML": (
        edit("trading.policy.yaml", "      full_name: {protect", "      full_name: }{protect"),
        2,
        "trading.policy.yaml:10: not YAML",
        "",
    ),
    "policy unknown word": (
        edit("trading.policy.yaml", "full_name: {protect: seal", "full_name: {protect: seel"),
        2,
        "trading.policy.yaml:10: public.customers.full_name: 'seel' is not known",
        "clear | token | seal | drop",
    ),
    "policy drops a record": (
        edit("trading.policy.yaml", "risk_class: clear", "risk_class: drop"),
        2,
        "public.customers.risk_class: drop in a books-and-records table",
        "seal",
    ),
    "policy of another source": (
        edit("trading.policy.yaml", "source: trading", "source: portfolio"),
        2,
        "trading.policy.yaml: this is the policy of source 'portfolio'",
        "policy",
    ),
    "keyring missing": (lambda f: (f / "keyring.json").unlink(), 2, "keyring.json: there is no keyring", "backup"),
    "keyring no JSON": (write("keyring.json", "not JSON"), 2, "keyring.json: not a JSON object", "backup"),
    "keyring of another version": (write("keyring.json", '{"format": "x"}'), 2, 'keyring.json: "format"', "version"),
    "keyring too short": (ring(SHORT), 2, 'keyring.json: "root" is not the base64 of 64 bytes', "backup"),
    "keyring no base64": (ring("*" * 88), 2, 'keyring.json: "root" is not the base64', "backup"),
    "keyring open to others": (
        lambda f: (f / "keyring.json").chmod(0o644),
        2,
        "keyring.json: the keyring is open to other users (mode 0644)",
        "chmod 600",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_worker_refuses_files_that_are_wrong(folder: Path, name: str) -> None:
    change, code, line, hint = FILES[name]
    change(folder)
    said = refused(folder / "cdc.toml", code, "replicate", "trading")
    assert line in said.line
    assert hint in f"{said.line} {said.hint}"
    assert SHORT not in f"{said.line} {said.hint}"


def test_a_source_that_is_not_configured_is_not_found(folder: Path) -> None:
    said = refused(folder / "cdc.toml", 3, "replicate", "treding")
    assert "no source 'treding'; there are: trading" in said.line


def test_a_configuration_that_is_not_there_is_named(tmp_path: Path) -> None:
    said = refused(tmp_path / "absent.toml", 2, "replicate", "trading")
    assert "absent.toml" in said.line
    assert said.hint


DEFINITIONS: dict[str, tuple[Change, int, str, str]] = {
    "missing": (lambda f: (f / "trading.definition.yaml").unlink(), 2, "trading.definition.yaml: no such file", "conn"),
    "no YAML": (edit("trading.definition.yaml", "database:", "database: }"), 2, "trading.definition.yaml:6", "YAML"),
    "unknown field": (
        edit("trading.definition.yaml", "kind:", "snapshot: never\nkind:"),
        2,
        "trading.definition.yaml:4: snapshot: unknown field",
        "known here",
    ),
    "password in clear": (
        edit("trading.definition.yaml", "${secret:trading/password}", "hush-hush"),
        2,
        "database.password: a reference is needed",
        "${secret:",
    ),
    "another kind": (edit("trading.definition.yaml", "kind: postgres", "kind: oracle"), 2, "kind", "kind: postgres"),
    "another source": (
        edit("trading.definition.yaml", "name: trading", "name: portfolio"),
        2,
        "name is 'portfolio', but the configuration file says 'trading'",
        "make both the same",
    ),
    "another topic": (
        edit("trading.definition.yaml", "topic: trading", "topic: trades"),
        2,
        "topic is 'trades', but the configuration file says 'trading'",
        "make both the same",
    ),
    "no URL of Connect": (
        edit("cdc.toml", f"http://{DEAD}", "connect at 127.0.0.1"), 2, "cdc.toml: [connect] url", "http://"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DEFINITIONS)
def test_connectors_refuse_definitions_that_are_wrong(folder: Path, name: str) -> None:
    change, code, line, hint = DEFINITIONS[name]
    change(folder)
    said = refused(folder / "cdc.toml", code, "connectors", "apply")
    assert line in said.line
    assert hint in f"{said.line} {said.hint}"

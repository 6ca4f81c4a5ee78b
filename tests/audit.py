"""Asks ``cdc audit`` as the shell does, but within this process: what it says where, and with which exit code."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from cdc import cli
from tests.fix_stack import FreshDatabase


@dataclass(frozen=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """What ``--output json`` says of a refusal."""
        return json.loads(self.err)["error"]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Of NDJSON."""
        assert self.code == 0, self.err
        return [json.loads(line) for line in self.out.splitlines()]


def configuration(
    database: FreshDatabase, folder: Path, *, privacy_dsn: str | None = None, keyring: Path | None = None
) -> Path:
    """A configuration file for a warehouse without Kafka."""
    path = folder / "cdc.toml"
    path.write_text(
        f"""
[kafka]
"bootstrap.servers" = "127.0.0.1:1"
[connect]
url = "http://127.0.0.1:1"
[warehouse]
dsn = "{database.replicator_dsn}"
admin_dsn = "{database.admin_dsn}"
auditor_dsn = "{database.auditor_dsn}"
[privacy]
dsn = "{privacy_dsn or "host=127.0.0.1 port=1 dbname=none"}"
[keyring]
path = "{keyring or folder / "keyring.json"}"
[sources]
"""
    )
    return path


def cdc(*arguments: str, stdin: bytes = b"", terminal: bool = False) -> Said:
    """Run the command line. ``terminal``: standard output says that it is one."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n") for _ in range(2))
    if terminal:
        out.isatty = lambda: True  # type: ignore[method-assign]
    streams = {"stdin": io.TextIOWrapper(io.BytesIO(stdin)), "stdout": out, "stderr": err, "argv": ["cdc", *arguments]}
    code = 0
    with patch.multiple(sys, **streams):
        try:
            cli.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())  # type: ignore[attr-defined]
    return Said(code, *texts)


def ask(path: Path, *arguments: str, stdin: bytes = b"") -> Said:
    """``cdc audit …`` with this configuration."""
    return cdc("audit", *arguments[:1], "--config", str(path), *arguments[1:], stdin=stdin)

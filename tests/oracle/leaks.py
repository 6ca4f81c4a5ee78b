"""The plaintext sweep as a program: ``python -m tests.oracle.leaks CONFIG < values.json``.

Standard input: one JSON object, name of a planted value → value; so no value is in a command line or a file. Every
value must be found in the sources (else nothing is proven), and in nothing else that the local stack has written. Kafka
is the stated exception: its topics hold what Debezium sent, until their retention ends. Imports nothing of the project.
"""

from __future__ import annotations

import json
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg2

from tests.oracle.sweep import Hit, files_of, sweep


class Failed(Exception):
    """A claim does not hold."""


def in_the_sources(state: Path, settings: dict[str, Any], values: dict[str, str]) -> str:
    """The control. What is in no row any more is in the write-ahead log: deleted, rolled back, sent as a message."""
    dumps = {name: source["admin_dsn"] for name, source in settings["sources"].items()}
    dumped = sweep([], dumps, values.values())
    rest = [value for value, hits in dumped.items() if not hits]
    stored = sweep([state / "source"], {}, rest) if rest else {}
    missing = [name for name, value in values.items() if not dumped[value] and not stored[value]]
    if missing:
        raise Failed(f"planted, and not found in the sources: {', '.join(missing)}")
    return (
        f"control: all {len(values)} planted values found in the sources, {len(values) - len(rest)} in rows,"
        f" {len(rest)} only in their WAL (changed, deleted, rolled back, messages)"
    )


def nowhere_else(state: Path, settings: dict[str, Any], values: dict[str, str]) -> str:
    """Files and dumps of everything but the source cluster and Kafka's data."""
    _checkpoint(settings["warehouse"]["admin_dsn"])
    paths = [path for path in state.iterdir() if path.name not in {"source", "broker"}]
    paths += [path for path in (state / "broker").iterdir() if path.name != "data"]
    dumps = {"warehouse": settings["warehouse"]["admin_dsn"], "privacy store": settings["privacy"]["admin_dsn"]}
    with ThreadPoolExecutor(2) as pool:  # both wait for programs
        dumped = pool.submit(sweep, [], dumps, values.values())
        found = sweep(paths, {}, values.values())
        for value, hits in dumped.result().items():
            found[value] += hits
    if leaked := {name: found[value] for name, value in values.items() if found[value]}:
        raise Failed(f"plaintext outside the sources: {'; '.join(_said(*leak) for leak in leaked.items())}")
    size = sum(size for _, size in files_of(paths))
    return (
        f"nowhere in {size / 1e6:,.0f} MB of files (warehouse cluster with its WAL, every log) and dumps of warehouse and"
        f" privacy store, as text, UTF-16, hex, base64, JSON: none of {len(values)}"
    )


def _said(name: str, hits: list[Hit]) -> str:
    places = sorted({f"{hit.place} ({hit.encoding})" for hit in hits})
    return f"{name} in {', '.join(places[:3])}"


def _checkpoint(dsn: str) -> None:
    """So that the files hold what the buffers hold."""
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    connection.cursor().execute("CHECKPOINT")
    connection.close()


def main(path: str) -> int:
    """Sweep the state folder that the configuration file is in."""
    state, settings = Path(path).parent, tomllib.loads(Path(path).read_text())
    values = json.load(sys.stdin)
    for claim in (in_the_sources, nowhere_else):
        began = time.monotonic()
        try:
            held = claim(state, settings, values)
        except Failed as failure:
            print(failure, file=sys.stderr)
            return 1
        print(f"{held} ({time.monotonic() - began:.1f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

"""``make fuzz FUZZ="--schemas 2000 --seed 7"``: more than ``make test`` has time for, with what is found on standard output."""

from __future__ import annotations

import argparse
import json
import secrets
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from cdc.local.stack import Stack
from tests.fix_mariadb import maria_server
from tests.fuzz import mariadb, run_mariadb
from tests.fuzz.run import Outcome, run
from tests.fuzz.scenario import OPEN


def main() -> int:
    """0: nothing found; 1: findings, each with the command that runs it alone."""
    parser = argparse.ArgumentParser(prog="make fuzz FUZZ=…", description=__doc__)
    parser.add_argument("--database", choices=("postgres", "mariadb"), default="postgres", help="what the source is (postgres)")
    parser.add_argument("--schemas", type=int, default=200, help="how many (200)")
    parser.add_argument("--seed", type=int, default=None, help="the same seed, the same schemas (default: random, printed)")
    parser.add_argument("--only", type=int, action="append", help="this number alone; repeatable")
    parser.add_argument("--together", type=int, default=50, help="schemas in one database, under one connector (50)")
    parser.add_argument("--transactions", type=int, default=12, help="of each schema (12)")
    parser.add_argument("--with", dest="with_open", action="append", default=[], choices=sorted(OPEN | mariadb.OPEN), help="changes that are known not to come through")
    parser.add_argument("--done", type=Path, help="a file that notes what is done; with the same file a run goes on where it was")
    parser.add_argument("--state", type=Path, help="a stack that is kept (default: one of its own, removed at the end)")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else secrets.randbelow(10**6)
    done = set(json.loads(given.done.read_text())[str(seed)]) if given.done and given.done.exists() else set()
    wanted = [n for n in (given.only or range(given.schemas)) if n not in done]
    print(f"seed {seed}, {len(wanted)} schemas", flush=True)
    stack = Stack(given.state or Path(tempfile.mkdtemp(prefix="cdc-fuzz-")))
    began, total, around = time.monotonic(), Outcome([]), ExitStack()
    try:
        stack.up(lambda _line: None)
        once = run
        if given.database == "mariadb":
            server = around.enter_context(maria_server())
            once = partial(run_mariadb.run, server)
        for at in range(0, len(wanted), given.together):
            outcome = once(stack, seed, wanted[at : at + given.together], frozenset(given.with_open), given.transactions)
            total.add(outcome)
            done |= set(outcome.numbers)
            if given.done:
                given.done.write_text(json.dumps({str(seed): sorted(done)}))
            for number, what in outcome.failures:
                alone = f"--database {given.database} --seed {seed}" + (f" --only {number}" if number is not None else "")
                print(f"FOUND  {what}\n       make fuzz FUZZ='{alone}'", flush=True)
            print(said(total, time.monotonic() - began), flush=True)
    finally:
        around.close()
        if given.state is None:
            stack.reset()
            shutil.rmtree(stack.state, ignore_errors=True)
    return 1 if total.failures else 0


def said(outcome: Outcome, seconds: float) -> str:
    """One line of figures."""
    return (
        f"{len(outcome.numbers)} schemas, {outcome.tables} tables with {outcome.rows:,} rows equal, {outcome.cells:,} cells opened, {outcome.entries:,} entries,"
        f" {outcome.statements:,} statements ({outcome.refused:,} refused by the source), {outcome.suspended} suspended, {outcome.left_out} left out and named,"
        f" {len(outcome.failures)} findings, {seconds:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())

"""``make pauses``: what a schema change costs a stream under full load, in commits of a worker that drains a topic.

Two streams are filled with the same row changes by real Debezium, one with an additive schema change before each slice
of them. Drained in turn, each into an empty warehouse, they show the gaps between commits: as a rule, and around a
schema change. The clock is the warehouse's, one reading for each commit (``recorded_at``).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cdc.local.stack import Stack
from connectors.apply import apply
from connectors.client import ConnectClient
from connectors.secrets import in_folder
from tests.bench.draining import Target
from tests.bench.filling import CUSTOMERS, Filled, admin, captured, database, definition

SIZE = 10
"""Rows of a transaction."""
WARM = 3
"""Commits at the beginning, and one at the end, that are not looked at: caches fill, and the last batch is short."""
DDL = (
    ("ADD COLUMN", "ALTER TABLE public.trades ADD COLUMN added_1 text"),
    ("ADD COLUMN … DEFAULT", "ALTER TABLE public.trades ADD COLUMN added_2 int NOT NULL DEFAULT 7"),
    ("CREATE TABLE", "CREATE TABLE public.fresh_1 (id int PRIMARY KEY, v text); INSERT INTO public.fresh_1 VALUES (1, 'a')"),
    ("int → bigint", "ALTER TABLE public.trades ALTER COLUMN quantity TYPE bigint"),
    ("ADD COLUMN", "ALTER TABLE public.trades ADD COLUMN added_3 text"),
    ("ADD COLUMN … DEFAULT", "ALTER TABLE public.trades ADD COLUMN added_4 smallint NOT NULL DEFAULT 7"),
    ("CREATE TABLE", "CREATE TABLE public.fresh_2 (id int PRIMARY KEY, v text); INSERT INTO public.fresh_2 VALUES (1, 'a')"),
    ("int → bigint", "ALTER TABLE public.trades ALTER COLUMN added_2 TYPE bigint"),
)  # fmt: skip
"""Kind and statement, one before each slice of the second stream."""
ADDED = "".join(f"\n      added_{n}: clear" for n in range(1, 5))
FRESH = "".join(f"\n  public.fresh_{n}:\n    columns: {{id: clear, v: clear}}" for n in (1, 2))
# A commit, its first entry, and whether a table version is new in it that is none of the first ones.
_COMMITS = """
SELECT extract(epoch FROM recorded_at)::float8, count(*) FILTER (WHERE kind = 'schema' AND table_name <> 'cdc.heartbeat')
  FROM audit.entry WHERE log = %s GROUP BY recorded_at ORDER BY min(seq)
"""


@dataclass(frozen=True, slots=True)
class Gaps:
    """Seconds between commits: ``usual`` ones, and for each schema change those before and after its commit."""

    stream: str
    usual: tuple[float, ...]
    around: tuple[tuple[float, float], ...]

    @property
    def batch(self) -> float:
        """How long a batch takes, in the middle."""
        return statistics.median(self.usual)

    def pause(self, change: int) -> float:
        """What the gaps around a schema change have more than two usual ones of the same drain."""
        return sum(self.around[change]) - 2 * self.batch


def main() -> None:
    """Fill both streams, drain them in turn, print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.evolving", description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(".cdc-bench"), help="folder of the stack")
    parser.add_argument("--rows", type=int, default=12_000, help="rows of the table; each slice changes all of them once")
    parser.add_argument("--rounds", type=int, default=3, help="drains of each stream")
    parser.add_argument("--keep", action="store_true", help="leave stack and filled streams for the next run")
    given = parser.parse_args()
    stack = Stack(given.state)
    stack.up(say)
    try:
        report(stack, given.rows, given.rounds)
    finally:
        if given.keep:
            stack.down(say)
        else:
            stack.reset(say)


def say(line: str) -> None:
    """Progress, on standard error."""
    print(line, file=sys.stderr, flush=True)


def report(stack: Stack, rows: int, rounds: int) -> None:
    """Measure, and print as Markdown."""
    plain, changing = filled(stack, "bench_ddl_none", rows, ()), filled(stack, "bench_ddl", rows, DDL)
    runs: dict[str, list[Gaps]] = {plain.name: [], changing.name: []}
    for number in range(rounds):
        for stream in (plain, changing) if number % 2 == 0 else (changing, plain):
            found = drained(stack, stream)
            say(f"{stream.name}: {len(found.usual) + 1} commits, {found.batch:.3f} s between two of them (median)")
            runs[stream.name].append(found)
    print(f"{rows:,} rows in the table, {len(DDL)} schema changes, {rounds} drains of each stream;", end=" ")
    print(f"load average before the end: {os.getloadavg()[0]:.1f}\n")
    print("| commits | gap, median | gap, at most | ÷ median |\n|---|---:|---:|---:|")
    usual = [gap for run in runs[plain.name] for gap in run.usual]
    line("without schema changes", usual, statistics.median(usual))
    other = [gap for run in runs[changing.name] for gap in run.usual]
    line("with them, those of no schema change", other, statistics.median(usual))
    for kind in dict.fromkeys(kind for kind, _ in DDL):
        of_kind = [(run, n) for run in runs[changing.name] for n, (name, _) in enumerate(DDL) if name == kind]
        line(f"{kind}: the longer one", [max(run.around[n]) for run, n in of_kind], statistics.median(usual))
        line(f"{kind}: pause", [run.pause(n) for run, n in of_kind], statistics.median(usual))
    print("\nPause: both gaps around the commit of a schema change, less two usual ones of the same drain.")


def line(name: str, gaps: Sequence[float], batch: float) -> None:
    """One line of the table; milliseconds."""
    middle, most = statistics.median(gaps), max(gaps)
    print(f"| {name} | {middle * 1000:,.0f} ms | {most * 1000:,.0f} ms | {middle / batch:.2f}, at most {most / batch:.2f} |")


def filled(stack: Stack, name: str, rows: int, ddl: Sequence[tuple[str, str]]) -> Filled:
    """A stream of its own: the rows, then as many slices of changes as there are schema changes, each after one of them."""
    kept = stack.state / "bench" / f"{name}.json"
    kept.parent.mkdir(exist_ok=True)
    if kept.exists():
        stream = Filled(**json.loads(kept.read_text()))
        if stream.changes == rows * (1 + len(DDL)):
            return stream
        raise SystemExit(f"{kept} is of another number of rows: remove {stack.state} or ask for as many")
    say(f"filling {name}")
    with ConnectClient(stack.addresses().connect_url) as client:
        database(stack, name)
        apply(client, definition(stack, name), in_folder(stack.state / "secrets"))
        source = admin(stack, name)
        with source.cursor() as cursor:
            cursor.execute("SET synchronous_commit = off")
            cursor.execute("CALL public.fill(%s, %s, %s)", (rows, SIZE, CUSTOMERS))
            for number in range(len(DDL)):
                for _, statement in ddl[number : number + 1]:
                    cursor.execute(statement)
                cursor.execute("CALL public.change(%s, %s, 0.5)", (rows, SIZE))
        source.close()
        end = captured(stack, name)
        client.stop(name)
    stream = Filled(name, SIZE, rows * (1 + len(DDL)), 0, end, 1)
    kept.write_text(json.dumps(asdict(stream)))
    return stream


def drained(stack: Stack, stream: Filled) -> Gaps:
    """One drain into an empty warehouse."""
    target = Target(stack, stream)
    try:
        policy = target.folder / "policy.yaml"
        columns = policy.read_text().replace("      updated_at: clear", f"      updated_at: clear{ADDED}")
        policy.write_text(columns.rstrip("\n") + FRESH + "\n")
        target.work()
        if target.changes() != stream.changes:
            raise SystemExit(f"{stream.name}: {target.changes()} changes in the warehouse, not {stream.changes}")
        if target.ask("SELECT count(*) FROM pipeline.state_table WHERE suspended_code IS NOT NULL") != (0,):
            raise SystemExit(f"{stream.name}: a table is suspended")
        return gaps(stream.name, target.commits(_COMMITS))
    finally:
        target.drop()


def gaps(stream: str, commits: Sequence[tuple[float, int]]) -> Gaps:
    """``commits``: when each was, and how many table versions came with it."""
    before = [commits[n][0] - commits[n - 1][0] for n in range(1, len(commits))]
    changed = {n for n, (_, versions) in enumerate(commits) if versions and n >= WARM}
    near = changed | {n + 1 for n in changed}
    usual = [gap for n, gap in enumerate(before, 1) if n not in near and WARM <= n < len(commits) - 1]
    around = [(before[n - 1], before[n]) for n in sorted(changed) for _ in range(commits[n][1])]
    return Gaps(stream, tuple(usual), tuple(around))


if __name__ == "__main__":
    main()

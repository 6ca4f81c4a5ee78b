"""``make bench``: how fast one stream is drained with everything on, against what Debezium feeds and a bare floor.

Every rate counts row changes in the target. Arms alternate, so that ratios are of the same minutes; the same arm twice
(A, A') shows how much of a difference is noise. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from cdc.local.stack import Stack
from tests.bench.draining import Drained, drain, drain_cold, drain_together, floor
from tests.bench.filling import TRADES, Filled, fill
from tests.bench.freshness import Freshness, freshness

WIDE = {5: 2, 20: 2, 100: 10}
"""Widths of rows besides the 12 columns, and what the number of changes is divided by."""


def main() -> None:
    """Fill, drain, report."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--state", type=Path, default=Path(".cdc-bench"), help="folder of the stack; filled streams are kept in it"
    )
    parser.add_argument(
        "--changes", type=int, default=500_000, help="row changes a stream (half inserts, half updates)"
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="rounds of floor, A, A' on the stream of 10-row transactions"
    )
    parser.add_argument("--keep", action="store_true", help="leave stack and filled streams for the next run")
    given = parser.parse_args()
    stack = Stack(given.state)
    stack.up(say)
    try:
        report(stack, given.changes, given.rounds)
    finally:
        if given.keep:
            stack.down(say)
        else:
            stack.reset(say)


def say(line: str) -> None:
    """Progress, on standard error."""
    print(line, file=sys.stderr, flush=True)


def report(stack: Stack, changes: int, rounds: int) -> None:
    """Measure everything and print it as Markdown."""
    ten = filled(stack, 10, changes)
    runs = [one for number in range(rounds) for one in gate_round(stack, ten, number)]
    runs.append(told(drain_cold(stack, ten)))
    fresh = freshness(stack)
    say(f"freshness: {fresh}")
    others = {size: filled(stack, size, changes) for size in (1, 1000)}
    by_size = {size: measured(stack, stream) for size, stream in others.items()}
    wide = {columns: measured(stack, filled(stack, 10, changes // WIDE[columns], columns)) for columns in WIDE}
    together = [told(run) for run in drain_together(stack, list(others.values()))]
    print_gate(ten, runs)
    print_table("rows a transaction", by_size)
    print_together(together)
    print_table("columns", wide)
    print_worker(runs, fresh)
    pairs = [*by_size.values(), *wide.values()]
    kept = {
        "filled": [asdict(stream) for stream in (ten, *(stream for stream, _, _ in pairs))],
        "drained": [asdict(run) for run in (*runs, *(run for _, *both in pairs for run in both), *together)],
        "freshness": asdict(fresh),
    }
    (stack.state / "bench" / "report.json").write_text(json.dumps(kept, indent=2))


def measured(stack: Stack, stream: Filled) -> tuple[Filled, Drained, Drained]:
    """One floor and one drain of it."""
    return stream, told(floor(stack, stream)), told(drain(stack, stream))


def filled(stack: Stack, size: int, changes: int, columns: int = TRADES) -> Filled:
    """One stream, filled or kept."""
    stream = fill(stack, size, changes, columns)
    say(f"Debezium filled {stream.name}: {stream.changes:,} changes at {stream.rate:,.0f}/s")
    return stream


def gate_round(stack: Stack, stream: Filled, number: int) -> list[Drained]:
    """Floor, A and A', the order turned in every other round."""
    arms = [
        lambda: floor(stack, stream),
        lambda: drain(stack, stream, "cdc replicate (A)"),
        lambda: drain(stack, stream, "cdc replicate (A')"),
    ]
    return [told(arm()) for arm in (arms if number % 2 == 0 else reversed(arms))]


def told(run: Drained) -> Drained:
    """Say what was measured as it comes."""
    say(f"{run.arm}: {run.changes:,} changes in {run.seconds:.1f} s: {run.rate:,.0f}/s")
    return run


def rates(runs: list[Drained], arm: str) -> list[float]:
    """Rates of one arm, round by round."""
    return [run.rate for run in runs if run.arm.startswith(arm)]


def print_gate(stream: Filled, runs: list[Drained]) -> None:
    """The gate's two ratios."""
    bare, ours = rates(runs, "floor"), rates(runs, "cdc replicate")
    first, second = rates(runs, "cdc replicate (A)"), rates(runs, "cdc replicate (A')")
    print(
        f"Transactions of 10 rows, {stream.changes:,} changes, {stream.records:,} records; medians of {len(bare)} rounds.\n"
    )
    print("| arm | changes/s | least – most |\n|---|---:|---:|")
    print(f"| Debezium filling the topic | {stream.rate:,.0f} | |")
    for name, found in (("bare floor", bare), ("cdc replicate, A", first), ("cdc replicate, A'", second)):
        print(f"| {name} | {statistics.median(found):,.0f} | {min(found):,.0f} – {max(found):,.0f} |")
    (cold,) = rates(runs, "second half, cold")
    print(f"| cdc replicate, updates only, empty caches | {cold:,.0f} | |\n")
    middle = statistics.median(ours)
    print(f"cdc replicate ÷ Debezium: {middle / stream.rate:.2f} (gate: 1.5)")
    print(f"cdc replicate ÷ floor: {middle / statistics.median(bare):.2f} (gate: 0.45)")
    print(f"A ÷ A': {statistics.median(first) / statistics.median(second):.2f} (noise)\n")


def print_table(head: str, found: Mapping[int, tuple[Filled, Drained, Drained]]) -> None:
    """Debezium, floor and drain, a line for each kind of stream."""
    print(f"| {head} | Debezium | floor | cdc replicate | ÷ Debezium | ÷ floor |\n|---:|---:|---:|---:|---:|---:|")
    for number, (stream, bare, ours) in found.items():
        print(
            f"| {number:,} | {stream.rate:,.0f} | {bare.rate:,.0f} | {ours.rate:,.0f} |"
            f" {ours.rate / stream.rate:.2f} | {ours.rate / bare.rate:.2f} |"
        )
    print()


def print_together(runs: list[Drained]) -> None:
    """What further streams with workers of their own bring on this machine: all changes by the time of the slowest."""
    rate = sum(run.changes for run in runs) / max(run.seconds for run in runs)
    print(f"{len(runs)} streams, {len(runs)} workers at once: {rate:,.0f} changes/s together\n")


def print_worker(runs: list[Drained], fresh: Freshness) -> None:
    """Memory, bytes, where the CPU goes, freshness."""
    ours = [run for run in runs if run.arm.startswith("cdc replicate")]
    print("| CPU of a drain, µs a change | |\n|---|---:|")
    for name in ours[0].cpu:
        print(f"| {name} | {statistics.median(run.cpu[name] / run.changes * 1e6 for run in ours):.1f} |")
    one = ours[0]
    print(f"\nMemory of the worker, at most: {max(run.memory for run in ours) / 2**20:,.0f} MiB")
    print(
        f"Log: {one.log_bytes / one.changes:,.0f} bytes of entry a change; {one.table_bytes / one.changes:,.0f} with tables and indexes"
    )
    print(
        f"Freshness at {fresh.load:,.0f} changes/s: p50 {fresh.p50:,.0f} ms, p99 {fresh.p99:,.0f} ms ({fresh.samples} samples)"
    )
    print(f"Machine: {os.cpu_count()} cores")


if __name__ == "__main__":
    main()

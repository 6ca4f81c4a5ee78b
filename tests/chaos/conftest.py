"""What chaos tests share: a seed that can be changed, and lines that every test run shows at its end.

``CDC_CHAOS_SEED`` and ``CDC_CHAOS_ROUNDS`` choose another course of the same tests.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from tests.fix_replication import Captured, Warehouse, drop_warehouse, new_warehouse

LINES = pytest.StashKey[dict[str, list[str]]]()


@pytest.fixture
def tell(pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say what a test has measured: at once under ``-s``, and in the run's last section in any case."""
    lines = pytestconfig.stash.setdefault(LINES, {}).setdefault(request.node.name, [])

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    return say


@pytest.fixture
def seed() -> int:
    return int(os.environ.get("CDC_CHAOS_SEED", "7"))


@pytest.fixture
def rounds() -> int:
    return int(os.environ.get("CDC_CHAOS_ROUNDS", "64"))


@pytest.fixture
def undisturbed(captured: Captured) -> Iterator[Warehouse]:
    """A second warehouse, for what the first must look like in the end."""
    made = new_warehouse(captured)
    yield made
    drop_warehouse(captured, made)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for name, lines in config.stash.get(LINES, {}).items():
        terminalreporter.section(name)
        for line in lines:
            terminalreporter.write_line(line)

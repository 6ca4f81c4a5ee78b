"""Random schemas and random changes, source against warehouse as text. ``make fuzz`` runs more of them, and one alone."""

from __future__ import annotations

import os
import time

import pytest

from cdc.local.mariadb import Server
from cdc.local.stack import Stack
from tests.fuzz import mariadb as maria
from tests.fuzz import run_mariadb
from tests.fuzz.__main__ import said
from tests.fuzz.run import Outcome, run
from tests.fuzz.scenario import Scenario

SEED = int(os.environ.get("CDC_FUZZ_SEED", "7"))
SCHEMAS = 200
TOGETHER = 100
MARIADB_SCHEMAS = 30


def test_random_schemas_come_through(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    began, total = time.monotonic(), Outcome([])
    for at in range(0, SCHEMAS, TOGETHER):
        total.add(run(stack, SEED, range(at, at + TOGETHER), transactions=5))
    with capsys.disabled():
        print(f"\nfuzz, seed {SEED}: {said(total, time.monotonic() - began)}")
    assert [f"--seed {SEED} --only {number}: {what}" for number, what in total.failures] == []
    assert len(total.numbers) == SCHEMAS
    assert total.tables > SCHEMAS
    assert total.rows > 10 * SCHEMAS // 4
    assert total.cells > SCHEMAS
    assert total.refused < total.statements / 3


def test_random_schemas_of_mariadb_come_through(stack: Stack, mariadb: Server, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    outcome = run_mariadb.run(mariadb, stack, SEED, range(MARIADB_SCHEMAS), transactions=5)
    with capsys.disabled():
        print(f"\nfuzz of MariaDB, seed {SEED}: {said(outcome, time.monotonic() - began)}")
    assert [f"--database mariadb --seed {SEED} --only {number}: {what}" for number, what in outcome.failures] == []
    assert outcome.tables > MARIADB_SCHEMAS
    assert outcome.rows > 5 * MARIADB_SCHEMAS
    assert outcome.cells > 5 * MARIADB_SCHEMAS
    assert outcome.left_out > 0
    assert outcome.refused < outcome.statements / 3


def test_a_scenario_of_mariadbs_follows_from_its_seed_and_number_alone() -> None:
    one, same, other = maria.Scenario(7, 3), maria.Scenario(7, 3), maria.Scenario(8, 3)
    assert (one.create, one.fill, list(one.transactions(9))) == (same.create, same.fill, list(same.transactions(9)))
    assert one.create != other.create


def test_a_scenario_follows_from_its_seed_and_number_alone() -> None:
    one, same, other = Scenario(7, 3), Scenario(7, 3), Scenario(8, 3)
    assert (one.create, one.fill, list(one.transactions(9))) == (same.create, same.fill, list(same.transactions(9)))
    assert one.create != other.create

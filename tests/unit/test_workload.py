"""The workload's invented data: repeatable, shared between the databases, and fit to be searched for."""

from __future__ import annotations

from cdc.local.workload import PHASES, canaries
from cdc.local.workload.people import person
from tests.oracle.sweep import SHORTEST


def test_a_person_is_the_same_every_time_and_never_shares_an_address():
    people = [person(7, n) for n in range(3000)]
    assert people == [person(7, n) for n in range(3000)]
    assert len({p.email.lower() for p in people}) == len(people)
    assert people[0] != person(8, 0)
    assert sum(not p.full_name.isascii() for p in people) > 500


def test_a_person_keeps_quiet_in_repr():
    who = person(7, 1)
    shown = repr(who)
    assert not any(v in shown for v in (who.full_name, who.email, who.phone, who.tax_id, who.address, str(who.born)))


def test_canaries_differ_by_seed_contain_no_other_and_can_be_searched():
    values = [c.value for seed in (0, 7, 8, 9999) for c in canaries(seed)]
    assert len(set(values)) == len(values)
    assert not [(a, b) for a in values for b in values if a != b and a.lower() in b.lower()]
    assert all(len(value.encode()) >= SHORTEST for value in values)


def test_no_invented_person_can_be_taken_for_a_canary():
    planted = {c.value for c in canaries(7)}
    taxes = {person(7, n).tax_id for n in range(3000)}
    assert not planted & taxes
    assert not any(tax.startswith("9") for tax in taxes)


def test_both_databases_play_the_same_families_of_shapes():
    assert list(PHASES["trading"]) == list(PHASES["portfolio"])

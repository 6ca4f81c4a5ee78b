"""A warehouse that went back in time: what Kafka holds is read again into the same bytes; what it no longer holds is a gap."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.conftest import LOG, Feed, position
from tests.chaos.judge import whole
from tests.chaos.standby import Standby, standby
from tests.chaos.test_gaps import accept, assert_goes_on, cdc
from tests.chaos.test_halts import assert_refuses
from tests.chaos.topics import OwnTopic
from tests.fix_replication import Captured, Warehouse


def lsn(warehouse: Warehouse) -> str:
    ((found,),) = warehouse.query("SELECT pg_current_wal_insert_lsn()::text")
    return found


def moved(captured: Captured, warehouse: Warehouse, copy: Standby) -> str:
    """The configuration file, its warehouse at the standby; the privacy store stays where it was."""
    primary = captured.stack.cluster("warehouse").port
    text = warehouse.path.read_text()
    old, new = (f"port={port} dbname={warehouse.name} " for port in (primary, copy.port))
    assert text.count(old) == 3
    return text.replace(old, new)


def test_a_standby_that_missed_the_last_commits(
    captured: Captured, warehouse: Warehouse, topic: OwnTopic, feed: Feed, halves: int, tmp_path: Path
) -> None:
    """Promoted, it refills from Kafka: leaves equal, and a checkpoint saved before the failover verifies."""
    text = warehouse.path.read_text()
    with standby(captured, captured.stack.state / f"standby_{warehouse.name}") as copy:
        copy.catch_up(lsn(warehouse))
        copy.cut()
        topic.produce(feed.second)
        warehouse.drain(LOG)
        leaves, checkpoint = warehouse.leaves(LOG), tmp_path / "checkpoint.txt"
        saved = cdc(warehouse, "audit", "checkpoint", "--save", str(checkpoint))
        assert saved.returncode == 0, saved.stderr
        copy.promote()
        warehouse.path.write_text(moved(captured, warehouse, copy))
        behind = position(warehouse)
        assert (behind, len(warehouse.leaves(LOG)) < len(leaves)) == (halves, True)
        done = warehouse.replicate(LOG, "--until-caught-up")
        assert done.returncode == 0, done.stderr
        assert f"the warehouse was rolled back: it was at offset {len(feed.first + feed.second)}" in done.stderr
        assert warehouse.leaves(LOG) == leaves
        verified = cdc(warehouse, "audit", "verify", LOG, "--checkpoint", str(checkpoint))
        assert verified.returncode == 0, verified.stdout + verified.stderr
        whole(warehouse, LOG)
        ((count,),) = warehouse.query(
            "SELECT count(*) FROM audit.entry WHERE log = 'operations' AND entry LIKE '%%\"name\":\"warehouse-rolled-back\"%%'"
        )
        assert count == 1
        warehouse.path.write_text(text)


def test_what_kafka_no_longer_holds(
    captured: Captured, warehouse: Warehouse, topic: OwnTopic, feed: Feed, halves: int
) -> None:
    """Failed over to the past, and retention was shorter: named as such, and a gap once accepted."""
    text = warehouse.path.read_text()
    with standby(captured, captured.stack.state / f"standby_{warehouse.name}") as copy:
        copy.catch_up(lsn(warehouse))
        copy.cut()
        topic.produce(feed.second)
        warehouse.drain(LOG)
        copy.promote()
        warehouse.path.write_text(moved(captured, warehouse, copy))
        topic.delete_before(halves + 2)
        assert_refuses(warehouse, "warehouse-behind")
        assert accept(warehouse, "warehouse-behind")["lost"] == "2"
        assert_goes_on(warehouse)
        warehouse.path.write_text(text)

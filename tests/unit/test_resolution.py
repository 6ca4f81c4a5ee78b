"""What becomes of quarantined records: the entries that say so, judged by both readers."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from cdc.audit.verify import verify_log
from cdc.batch import Batch
from cdc.debezium import Decoder
from cdc.event import Record
from cdc.protect import Protector
from cdc.resolution import Replay, Resolving, place_of, record
from governance.seal import associated_tail
from tests.builders import FILLS, ORDERS, POLICY, Feed, entries
from tests.independent import reader
from tests.memory_keys import MemoryKeys
from tests.unit.test_quarantine import Reading, of, row, spoil, updates
from tests.verification import findings, given

SALT = "00112233445566778899aabbccddeeff"
SAID = {"at": "2026-01-01T00:00:00.000000Z", "by": "somebody", "reason": "because"}


class Owner(Reading):
    """Reads a feed, and resolves as the owner of a stream does. What the record once was is in ``meant``."""

    def __init__(self, meant: dict[int, Record] | None = None) -> None:
        super().__init__()
        self.meant = meant or {}
        self.batches: list[Batch] = []

    def feed(self, records: list[Record]) -> None:
        self.read(records)
        batch = self.batch()
        assert batch is not None
        self.batches.append(batch)

    def open(self, seq: int) -> Record:
        """The record out of its sealed entry; then, as a later decoder could read it, what it was meant to be."""
        _, text, body, _ = entries(self.batches)[seq]
        place = place_of(text.encode(), body.encode() if body else None)
        keys = MemoryKeys()
        cipher = keys.cipher(keys.subject("source", "trading"), 0)
        tail = associated_tail("trading", "", "quarantined", json.dumps([str(place.offset)]).encode())
        opened = record("trading", place, cipher.open(place.cell, tail))
        return self.meant.get(place.offset, opened)

    def resolve(self, seq: int, how: str, later: int | None = None, salt: str = SALT) -> None:
        _, text, body, _ = entries(self.batches)[seq]
        place = place_of(text.encode(), body.encode() if body else None)
        making = Resolving(self.standing, self._sequencer.identity, place)
        if how == "replayed":
            (event,) = Protector("trading", POLICY, MemoryKeys()).protect([Decoder().decode(self.open(seq))])  # type: ignore[arg-type]
            head = self.heads.get((event.table.table, event.key)) if hasattr(event, "table") else None
            making.replay(Replay(event, None if later is None else f"entry/{later}", head, self.suspended), self._sequencer.known)
        batch = making.end({**SAID, "how": how}, salt)
        self._sequencer.go_on(batch)
        self.heads.update(batch.heads)
        self.batches.append(batch)

    def whole(self) -> None:
        rows = entries(self.batches)
        assert reader.verify(rows) == []
        assert findings(verify_log(given(rows))) == []


def spoilt(feed: Feed, *at: int) -> Owner:
    meant = {feed.records[n].offset: feed.records[n] for n in at}
    for n in at:
        spoil(feed, n)
    return Owner(meant)


def more(feed: Feed, before: dict, after: dict) -> list[Record]:
    known = len(feed.records)
    feed.begin()
    feed.row(ORDERS, "u", before, after)
    feed.end()
    return feed.records[known:]


def test_the_last_change_of_a_row_continues_its_chain() -> None:
    """And the row's next change continues from there, its before image compared with what was replayed."""
    feed = updates()
    owner = spoilt(feed, 8)  # BEGIN, 3, END; BEGIN, u, u, the third u
    owner.feed(feed.records)
    (held,) = of(owner.batches, "quarantined")
    owner.resolve(int(held["seq"]), "replayed")
    owner.feed(more(feed, row(1, "12"), row(1, "new")))
    changes, (done,) = of(owner.batches, "change"), of(owner.batches, "resolved")
    late = next(each for each in changes if "resolves" in each)
    assert [late[name] for name in ("offset", "ordinal", "version", "table")] == [held["offset"], "1", "6", "public.orders"]
    assert late["resolves"] == {"seq": held["seq"], "transaction": {"id": "702", "order": "3"}}
    assert "transaction" not in late
    assert late["after"]["id"] == "1"
    assert late["ordered_at"] == held["ordered_at"]
    assert done["content"] == {**SAID, "how": "replayed", "of": held["seq"]}
    assert int(done["seq"]) == int(late["seq"]) + 1
    assert [each["version"] for each in changes] == ["1", "2", "3", "4", "5", "6", "7"]
    assert owner.standing.extra_entries == 3  # a schema entry, the change, the resolution
    owner.whole()
    assert owner.standing.records == len(feed.records)


def test_a_row_with_a_later_change_is_recorded_and_not_applied() -> None:
    feed = updates()
    owner = spoilt(feed, 3)
    owner.feed(feed.records)
    (held,) = of(owner.batches, "quarantined")
    newest = of(owner.batches, "change")[-1]
    owner.resolve(int(held["seq"]), "replayed", later=int(newest["seq"]))
    late = of(owner.batches, "change")[-1]
    assert late["replay_of"] == f"entry/{newest['seq']}"
    assert "version" not in late
    assert not any(owner.batches[-1].changes.values())
    owner.feed(more(feed, row(1, "12"), row(1, "new")))
    owner.whole()


def test_records_of_one_row_may_be_replayed_in_any_order() -> None:
    """The later one first: the earlier one is recorded then, and not applied. In between one stays open for ever."""
    feed = updates(5)
    owner = spoilt(feed, 10, 11, 12)
    owner.feed(feed.records)
    first, _, third = (int(each["seq"]) for each in of(owner.batches, "quarantined"))
    owner.resolve(first, "replayed")
    owner.resolve(third, "replayed", salt=SALT[::-1])  # its before image is that of the second
    owner.feed(more(feed, row(1, "14"), row(1, "new")))
    owner.whole()
    other = spoilt(again := updates(5), 11, 12)
    other.feed(again.records)
    first, third = (int(each["seq"]) for each in of(other.batches, "quarantined"))
    other.resolve(third, "replayed")
    other.resolve(first, "replayed", later=int(of(other.batches, "change")[-1]["seq"]), salt=SALT[::-1])
    other.feed(more(again, row(1, "14"), row(1, "new")))
    other.whole()


def test_a_table_version_that_only_the_record_has_is_described_with_it() -> None:
    feed = updates()
    known = len(feed.records)
    feed.begin()
    feed.row(FILLS, "c", None, {"symbol": "A", "quantity": 1, "secret": "s"})
    feed.end()
    owner = spoilt(feed, known + 1)
    owner.feed(feed.records)
    (held,) = of(owner.batches, "quarantined")
    owner.suspended.clear()
    owner.resolve(int(held["seq"]), "replayed")
    described = of(owner.batches, "schema")[-1]
    assert (described["table"], described["ordinal"]) == ("public.fills", "1")
    assert described["resolves"] == {"seq": held["seq"]}
    late = of(owner.batches, "change")[-1]
    assert (late["ordinal"], late["flags"]) == ("2", ["keyless"])
    assert [row.copies for rows in owner.batches[-1].changes.values() for row in rows.values()] == [1]
    owner.whole()
    feed.begin()
    feed.row(FILLS, "d", {"symbol": "A", "quantity": 1, "secret": "s"}, None)
    feed.end()
    owner.feed(feed.records[known + 3 :])
    owner.whole()


def test_a_message_out_of_quarantine() -> None:
    feed = Feed()
    feed.begin()
    feed.message("audit", "hello")
    feed.end()
    owner = spoilt(feed, 1)
    owner.feed(feed.records)
    (held,) = of(owner.batches, "quarantined")
    owner.resolve(int(held["seq"]), "replayed")
    (late,) = of(owner.batches, "message")
    assert late["resolves"]["transaction"] == {"id": "701", "order": "1"}
    owner.whole()


def test_a_record_of_an_earlier_incarnation_of_the_topic_keeps_its_place() -> None:
    """The log goes on in another topic by now; salt and identity are of the one that the record was in."""
    feed = updates()
    owner = spoilt(feed, 3)
    owner.feed(feed.records)
    (held,) = of(owner.batches, "quarantined")
    owner._sequencer.identity = owner._sequencer.identity.of_topic("AAAAAAAAAAAAAAAAAAAAAA")
    owner.resolve(int(held["seq"]), "replayed", later=int(of(owner.batches, "change")[-1]["seq"]))
    late = of(owner.batches, "change")[-1]
    assert [late[name] for name in ("topic_id", "offset", "produced_at")] == [held[name] for name in ("topic_id", "offset", "produced_at")]
    assert late["salt"] != held["salt"]
    owner.whole()


def test_a_long_row_has_its_body() -> None:
    feed = Feed()
    feed.begin()
    feed.row(ORDERS, "c", None, row(1, "x" * 80_000))
    feed.end()
    owner = spoilt(feed, 1)
    owner.feed(feed.records)
    owner.resolve(0, "replayed")
    assert [seq for seq, _ in owner.batches[-1].bodies] == [2]
    owner.whole()


def test_dismissed_is_one_entry() -> None:
    feed = updates()
    owner = spoilt(feed, 2)
    owner.feed(feed.records)
    (held,) = of(owner.batches, "quarantined")
    size = owner.standing.edge.size
    owner.resolve(int(held["seq"]), "dismissed")
    assert owner.standing.edge.size == size + 1
    (done,) = of(owner.batches, "resolved")
    assert "offset" not in done
    owner.whole()


def test_the_record_comes_out_as_it_went_in() -> None:
    feed = updates()
    odd = replace(feed.records[2], value=b"\xff\0", headers=(("__debezium.oldkey", b'{"id":1}'),))
    feed.records[2] = odd
    owner = Owner()
    owner.feed(feed.records)
    (held,) = of(owner.batches, "quarantined")
    assert owner.open(int(held["seq"])) == odd


def recorded(late: dict, replay_of: str) -> None:
    """As an event that the log had before."""
    del late["version"], late["prev"]
    late["replay_of"] = replay_of


def test_a_replay_that_claims_to_be_a_copy_and_is_none() -> None:
    feed = updates()
    owner = spoilt(feed, 8)
    owner.feed(feed.records)
    (held,) = of(owner.batches, "quarantined")
    owner.resolve(int(held["seq"]), "replayed")
    rows = [json.loads(text) for _, text, _, _ in entries(owner.batches)]
    late = rows[-2]
    recorded(late, f"{late['position'][0]}/{late['resolves']['transaction']['order']}")
    spelt = [(n, json.dumps(each, sort_keys=True, separators=(",", ":")), None, "00" * 32) for n, each in enumerate(rows)]
    causes = [one.cause for one in verify_log(given(spelt, findings=500)).findings if one.check == "quarantine"]
    assert causes == ["it is called a replay, and the log did not have its source position before its record"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda rows: rows[-1].update(content={**rows[-1]["content"], "of": "0"}),
        lambda rows: rows[-1].update(content={**rows[-1]["content"], "how": "dismissed"}),
        lambda rows: rows[-2].update(resolves={"seq": "1"}),
        lambda rows: rows[-2].update(offset="3"),
        lambda rows: rows[-2].pop("resolves"),
        lambda rows: rows.pop(),
        lambda rows: rows.pop(-2),
        lambda rows: rows[-2].update(replay_of=f"entry/{int(rows[-2]['seq']) + 5}"),
        lambda rows: recorded(rows[-2], "1/3"),
        lambda rows: recorded(rows[-2], rows[-2]["position"][0] + "/2"),
    ],
)
def test_both_readers_find_what_does_not_belong_together(damage) -> None:
    feed = updates()
    owner = spoilt(feed, 8)
    owner.feed(feed.records)
    (held,) = of(owner.batches, "quarantined")
    owner.resolve(int(held["seq"]), "replayed")
    owner.feed(more(feed, row(1, "12"), row(1, "new")))
    rows = [json.loads(text) for _, text, _, _ in entries(owner.batches)]
    tail = rows[-1:]
    del rows[-1:]
    damage(rows)
    spelt = [(n, json.dumps({**each, "seq": str(n)}, sort_keys=True, separators=(",", ":")), None, "00" * 32) for n, each in enumerate(rows + tail)]
    assert [one for one in reader.verify(spelt) if "leaf" not in one.reason]
    assert [one for one in verify_log(given(spelt, findings=500)).findings if one.check in {"quarantine", "entry", "order"}]



"""Tables whose key is another one, is gone, or came: ``cdc rebuild`` keys rows from before by what their images have; verification comes to the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from cdc.errors import Conflict
from cdc.warehouse.rebuild import fold as folding
from cdc.warehouse.rebuild import rebuild, rekey
from cdc.warehouse.rebuild import run as running
from cdc.warehouse.refusal import StateRefused
from governance import policy
from tests.builders import Column, Feed, Table
from tests.independent.reader import verify
from tests.warehouse import log, query, verified, worker

NUMBER = Column("id", "INT4", "int32", optional=False)
T = Table("public", "t", (NUMBER, Column("alt", "INT4", "int32"), Column("name"), Column("hidden"), Column("v")), ("id",))
PLAN = policy.parse("""
source: trading
tables:
  public.t:
    columns: {id: clear, alt: clear, name: {protect: token, domain: name, class: personal}, hidden: seal, v: clear, extra: clear}
""")


def _image(number: int, **more: object) -> dict:
    return {"id": number, "alt": number + 1, "name": f"n{number}", "hidden": "h", "v": "v", **more}


_row = _image


def _change(feed: Feed, *changes: tuple[Table, str, dict | None, dict | None]) -> list:
    at = len(feed.records)
    feed.begin()
    for table, op, before, after in changes:
        if op == "t":
            feed.truncate(table)
        elif op == "u" and table.key and [before[name] for name in table.key] != [after[name] for name in table.key]:
            feed.change_key(table, before, after)
        else:
            feed.row(table, op, before, after)
    feed.end()
    return feed.records[at:]


def _baseline(feed: Feed, table: Table = T, rows: list[dict] = ()) -> list:
    at = len(feed.records)
    feed.notify("STARTED")
    feed.snapshot(table, list(rows))
    feed.notify("COMPLETED")
    return feed.records[at:]


def _rebuilt(database, *, code: str | None = "key-changed"):
    done = rebuild(database.admin_dsn, "trading", "public.t")
    assert done.code == code
    return done


def _held(database, *names: str) -> Counter:
    listed = ", ".join(f"{name}::text" for name in names)
    return Counter(query(database.auditor_dsn, f"SELECT {listed} FROM trading.t"))


def _suspended(database) -> str | None:
    return query(database.auditor_dsn, "SELECT suspended_code FROM pipeline.state_table WHERE table_name = 'public.t'")[0][0]


def _sound(database) -> None:
    assert verify(log(database)) == []
    assert verified(database) == []


KEYS = {"another": ("alt",), "wider": ("id", "alt"), "a token": ("name",), "none": ()}


@pytest.mark.parametrize("key", KEYS)
def test_rows_of_another_key_are_found_under_the_new_one(warehouse_database, key):
    """``alt`` is the id of the next row: under the new key the same row keys stand for other rows."""
    other = replace(T, key=KEYS[key])
    kept = {} if KEYS[key] else {"hidden": None}  # a sealed cell is bound to its row key, so without one it is another

    def _row(number: int, **more: object) -> dict:
        return _image(number, **kept, **more)

    feed = Feed()
    with worker(warehouse_database, PLAN) as it:
        it.bring(_baseline(feed, T, [_row(n) for n in (1, 2, 3)]))
        it.bring(_change(feed, *((T, "c", None, _row(n)) for n in (4, 5, 6)), (T, "d", _row(3), None), (T, "u", _row(4), _row(4, v="w"))))
        it.bring(_change(feed, (other, "u", _row(1), _row(1, v="since")), (other, "d", _row(2), None), (other, "c", None, _row(9))))
        assert _suspended(warehouse_database) == "key-changed"
        _sound(warehouse_database)
    _rebuilt(warehouse_database)
    rows = {("1", "since"), ("4", "w"), ("5", "v"), ("6", "v"), ("9", "v")}
    assert _held(warehouse_database, "id", "v") == Counter(rows)
    _sound(warehouse_database)
    with worker(warehouse_database, PLAN) as it:  # rows from before are changed, deleted, made again under their new key
        it.bring(_change(feed, (other, "u", _row(4, v="w"), _row(4, v="x")), (other, "d", _row(5), None), (other, "u", _row(6), _row(60)), (other, "c", None, _row(2))))
        it.bring(_change(feed, (other, "u", _row(4, v="x"), _row(4, v="y"))))
        assert it.projections.suspended == {}
    rows = {("1", "since"), ("4", "y"), ("60", "v"), ("9", "v"), ("2", "v")}
    assert _held(warehouse_database, "id", "v") == Counter(rows)
    _sound(warehouse_database)
    _rebuilt(warehouse_database, code=None)
    assert _held(warehouse_database, "id", "v") == Counter(rows)
    _sound(warehouse_database)


@pytest.mark.parametrize("key", [("alt",), ()], ids=["another", "none"])
def test_a_key_that_goes_with_its_column(warehouse_database, key):
    """``ALTER TABLE … DROP COLUMN id, ADD PRIMARY KEY (alt)``, and one without a key after it."""
    other = Table("public", "t", T.columns[1:], key)
    rows = [_row(n, hidden=None) for n in (1, 2, 3)]
    cut = [{name: value for name, value in row.items() if name != "id"} for row in rows]
    feed = Feed()
    with worker(warehouse_database, PLAN) as it:
        it.bring(_change(feed, *((T, "c", None, row) for row in rows)))
        it.bring(_change(feed, (other, "u", cut[0], {**cut[0], "v": "since"}), (other, "d", cut[1], None)))
    assert _suspended(warehouse_database) == "key-changed"
    _rebuilt(warehouse_database)
    assert _held(warehouse_database, "alt", "v") == Counter({("2", "since"), ("4", "v")})
    _sound(warehouse_database)
    with worker(warehouse_database, PLAN) as it:
        it.bring(_change(feed, (other, "d", cut[2], None), (other, "c", None, cut[1])))
        assert it.projections.suspended == {}
    assert _held(warehouse_database, "alt", "v") == Counter({("2", "since"), ("3", "v")})
    _sound(warehouse_database)


def test_a_table_that_gets_a_key_and_had_copies(warehouse_database):
    none = replace(T, key=())
    feed = Feed()
    with worker(warehouse_database, PLAN) as it:
        it.bring(_change(feed, (none, "c", None, _row(1)), (none, "c", None, _row(1)), (none, "c", None, _row(2)), (none, "u", _row(2), _row(2, v="w")), (none, "d", _row(1), None)))
        it.bring(_change(feed, (T, "u", _row(1), _row(1, v="x")), (T, "c", None, _row(3))))
        assert _suspended(warehouse_database) == "key-changed"
    _rebuilt(warehouse_database)
    assert _held(warehouse_database, "id", "v") == Counter({("1", "x"), ("2", "w"), ("3", "v")})
    assert query(warehouse_database.admin_dsn, "SELECT _key, _version FROM trading_state.t ORDER BY 1") == [('["1"]', 1), ('["2"]', None), ('["3"]', 1)]
    _sound(warehouse_database)
    with worker(warehouse_database, PLAN) as it:
        it.bring(_change(feed, (T, "d", _row(2, v="w"), None), (T, "u", _row(1, v="x"), _row(1, v="y"))))
    assert _held(warehouse_database, "id", "v") == Counter({("1", "y"), ("3", "v")})
    assert query(warehouse_database.admin_dsn, "SELECT _key, _version, _deleted FROM trading_state.t ORDER BY 1") == [('["1"]', 2, False), ('["2"]', 1, True), ('["3"]', 1, False)]
    _sound(warehouse_database)


def test_verification_sees_a_forged_row_of_before(warehouse_database):
    other = replace(T, key=("alt",))
    feed = Feed()
    with worker(warehouse_database, PLAN) as it:
        it.bring(_change(feed, (T, "c", None, _row(1)), (T, "c", None, _row(2))))
        it.bring(_change(feed, (other, "c", None, _row(9))))
    _rebuilt(warehouse_database)
    _sound(warehouse_database)
    for forgery in ("SET v = 'forged' WHERE id = 1", "SET _key = '[\"77\"]' WHERE id = 2", "SET _deleted = true WHERE id = 2"):
        saved = query(warehouse_database.admin_dsn, "SELECT _key, v, _deleted FROM trading_state.t WHERE id IN (1, 2) ORDER BY id")
        query(warehouse_database.admin_dsn, f"UPDATE trading_state.t {forgery}")
        assert verified(warehouse_database) != []
        for number, (key, v, deleted) in zip((1, 2), saved, strict=True):
            query(warehouse_database.admin_dsn, "UPDATE trading_state.t SET _key = %s, v = %s, _deleted = %s WHERE id = %s", key, v, deleted, number)
    _sound(warehouse_database)


UNKNOWN = {
    "NULL": (("alt",), {"alt": None}, "NULL"),
    "sealed": (("hidden",), {}, "protected otherwise"),
    "sealed under the key it had": ((), {}, "sealed under the key"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_a_key_that_the_log_does_not_tell_is_refused_and_said(warehouse_database, case):
    key, more, cause = UNKNOWN[case]
    other = replace(T, key=key)
    feed = Feed()
    tokens = policy.parse("source: trading\ntables:\n  public.t:\n    columns: {id: clear, alt: clear, name: {protect: token, domain: name, class: personal}, hidden: {protect: token, domain: h, class: personal}, v: clear}\n")
    with worker(warehouse_database, PLAN) as it:
        it.bring(_change(feed, (T, "c", None, _row(1, **more)), (T, "c", None, _row(2))))
    with worker(warehouse_database, tokens if case == "sealed" else PLAN) as it:
        it.bring(_change(feed, (other, "c", None, _row(9))))
    before = query(warehouse_database.admin_dsn, "SELECT t::text FROM trading_state.t t ORDER BY 1")
    with pytest.raises(Conflict, match=cause) as refused:
        rebuild(warehouse_database.admin_dsn, "trading", "public.t")
    assert ("read the table anew" in str(refused.value.hint)) == bool(key)
    assert query(warehouse_database.admin_dsn, "SELECT t::text FROM trading_state.t t ORDER BY 1") == before
    assert _suspended(warehouse_database) == "key-changed"


def test_a_key_of_a_new_column_waits_for_a_re_snapshot(warehouse_database):
    """``ALTER TABLE … ADD COLUMN extra … PRIMARY KEY``: PostgreSQL fills it in rows of which no row change comes."""
    bare = replace(T, key=())
    other = replace(bare.with_column(Column("extra", "INT8", "int64")), key=("extra",))
    feed = Feed()
    with worker(warehouse_database, PLAN) as it:
        it.bring(_baseline(feed, bare, [_row(1), _row(2)]))
        it.bring(_change(feed, (other, "c", None, _row(9, extra=3))))
    with pytest.raises(Conflict, match="new key of 2 rows: column extra"):
        rebuild(warehouse_database.admin_dsn, "trading", "public.t")
    with worker(warehouse_database, PLAN) as it:
        it.bring(_baseline(feed, other, [_row(1, extra=1), _row(2, extra=2), _row(9, extra=3)]))
    _rebuilt(warehouse_database)
    assert _held(warehouse_database, "id", "extra") == Counter({("1", "1"), ("2", "2"), ("9", "3")})
    _sound(warehouse_database)


@pytest.mark.parametrize("late", [False, True], ids=["rebuilt before", "rebuilt after"])
@pytest.mark.parametrize(("before", "after"), [(("id",), ("alt",)), ((), ("id",))], ids=["another", "got one"])
def test_a_re_snapshot_after_the_key_changed(warehouse_database, before, after, late):
    """What it writes for rows that it did not show is the same bytes, whether the state was rebuilt or not."""
    was, now = replace(T, key=before), replace(T, key=after)
    feed = Feed()
    with worker(warehouse_database, PLAN) as it:
        it.bring(_baseline(feed, was, [_row(n) for n in (1, 2, 3)]))
        it.bring(_change(feed, (now, "u", _row(1), _row(1, v="x")), (now, "c", None, _row(9)), (now, "c", None, _row(8))))
    if not late:
        _rebuilt(warehouse_database)
    with worker(warehouse_database, PLAN) as it:
        it.bring(_baseline(feed, now, [_row(1, v="x"), _row(2), _row(3), _row(9)]))
    if late:
        _rebuilt(warehouse_database)
    assert _held(warehouse_database, "id", "v") == Counter({("1", "x"), ("2", "v"), ("3", "v"), ("9", "v")})
    absent = query(warehouse_database.auditor_dsn, "SELECT row_key FROM audit.entry WHERE log = 'trading' AND kind = 'absent' ORDER BY seq")
    assert len(absent) == (2 if before else 4)  # the row that is gone; and what only row keys of before say, where those are none of today
    _sound(warehouse_database)


@pytest.mark.parametrize("late", [False, True], ids=["rebuilt before", "rebuilt after"])
def test_a_re_snapshot_after_the_key_was_lost_suspends_again(warehouse_database, late):
    now = replace(T, key=())
    rows = [_row(n, hidden=None) for n in (1, 2, 3)]
    feed = Feed()
    with worker(warehouse_database, PLAN) as it:
        it.bring(_baseline(feed, T, rows[:2]))
        it.bring(_change(feed, (now, "c", None, rows[2])))
    if not late:
        _rebuilt(warehouse_database)
        with worker(warehouse_database, PLAN) as it, pytest.raises(StateRefused, match="re-snapshot"):
            it.bring(_baseline(feed, now, rows))
        return
    with worker(warehouse_database, PLAN) as it:
        it.bring(_baseline(feed, now, rows))
    with pytest.raises(Conflict, match="lost its key"):
        rebuild(warehouse_database.admin_dsn, "trading", "public.t")


class _Life:
    """A table in miniature: random changes, truncates, and another key now and then; never two rows of one key."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.feed = Feed()
        self.table = T
        self.rows: list[dict] = []
        self.sealed = random.random() < 0.5

    def step(self) -> list:
        if self.random.random() < 0.12:
            self.table = replace(T, key=self.random.choice([("id",), ("alt",), ("id", "alt"), ("name",), ("id",) if self.sealed else ()]))
        return _change(self.feed, *[self._one() for _ in range(self.random.choice((1, 2, 4)))])

    def _one(self) -> tuple[Table, str, dict | None, dict | None]:
        kind = self.random.choice("cccuuuudt" if self.random.random() < 0.1 else "cccuuuud")
        if kind == "t":
            self.rows = []
            return self.table, "t", None, None
        if kind == "c" or not self.rows:
            self.rows.append(self._row())
            return self.table, "c", None, self.rows[-1]
        at = self.random.randrange(len(self.rows))
        before = self.rows[at]
        if kind == "d":
            del self.rows[at]
            return self.table, "d", before, None
        self.rows[at] = {**before, "v": str(self.random.random())} if self.random.random() < 0.7 else self._row()
        return self.table, "u", before, self.rows[at]

    def _row(self) -> dict:
        """Its numbers are none that a row has now, in whatever key; those of rows that are gone come again."""
        for column in ("id", "alt", "name"):
            taken = {row[column] for row in self.rows}
            number = self.random.choice([n for n in range(1, 40) if (f"n{n}" if column == "name" else n) not in taken])
            if column == "id":
                row = {"id": number, "hidden": "h" if self.sealed else None, "v": str(self.random.random())}
            else:
                row[column] = f"n{number}" if column == "name" else number
        return {name: row[name] for name in ("id", "alt", "name", "hidden", "v")}


@pytest.mark.parametrize("seed", range(6))
def test_any_life_with_any_keys_is_folded_to_what_the_source_has(warehouse_database, monkeypatch, seed):
    random = Random(seed)
    monkeypatch.setattr(folding, "STRETCH", random.choice((3, 10_000)))
    monkeypatch.setattr(running, "CLOSE", random.choice((0, 5)))
    monkeypatch.setattr(rekey, "TOGETHER", 2)
    life = _Life(random)
    for _ in range(4):
        with worker(warehouse_database, PLAN) as it:
            for _ in range(random.choice((3, 12))):
                it.bring(life.step())
        rebuild(warehouse_database.admin_dsn, "trading", "public.t")
        want = Counter((str(row["id"]), str(row["alt"]), row["v"]) for row in life.rows)
        assert _held(warehouse_database, "id", "alt", "v") == want
        _sound(warehouse_database)
    assert query(warehouse_database.admin_dsn, "SELECT count(*) FROM pg_class WHERE relname LIKE 'rebuild\\_%' AND relkind = 'r'") == [(0,)]

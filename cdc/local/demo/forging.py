"""What a database superuser can do to a log: the tamperings of act 9, each made on a clone of its own.

Triggers are switched off with ``session_replication_role = replica`` (PostgreSQL documentation, "Client Connection
Defaults"): grants and triggers are not what protects a log against a superuser.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import psycopg2

from cdc.ledger.merkle import Edge, leaf_hash
from cdc.local.demo.claims import ClaimFailed, ask

_VICTIM = """
SELECT e.seq, e.row_key, e.entry, l.size FROM audit.log l JOIN audit.entry e USING (log)
 WHERE log = 'trading' AND e.table_name = 'public.executions' AND e.version = 1 AND e.row_key::jsonb ->> 0 = %s
   AND NOT EXISTS (SELECT FROM audit.entry later WHERE later.log = 'trading' AND later.prev = e.seq
                       AND later.table_name = e.table_name)
 ORDER BY e.seq LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Victim:
    """An execution: its entry and row key, its price, and one that it never had; how many entries the log has."""

    seq: int
    row_key: str
    entry: str
    price: str
    forged: str
    size: int

    @property
    def forged_entry(self) -> str:
        """Its entry with the other price; still canonical."""
        return self.entry.replace(f'"price":"{self.price}"', f'"price":"{self.forged}"')


class Superuser:
    """A superuser's connection to one clone, triggers off. Every method is one act of tampering, committed."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg2.connect(dsn)
        self._connection.autocommit = True
        self._cursor = self._connection.cursor()
        self._cursor.execute("SET session_replication_role = replica")

    def close(self) -> None:
        """Leave."""
        self._connection.close()

    def edit_entry(self, victim: Victim) -> None:
        """Another price in the entry."""
        self._do(
            "UPDATE audit.entry SET entry = %s WHERE log = 'trading' AND seq = %s", victim.forged_entry, victim.seq
        )

    def edit_with_leaf(self, victim: Victim) -> None:
        """The same, with the leaf hashed anew and current state edited alike."""
        self.edit_entry(victim)
        leaf = leaf_hash(victim.forged_entry.encode())
        self._do("UPDATE audit.entry SET leaf = %s WHERE log = 'trading' AND seq = %s", leaf, victim.seq)
        self.edit_state(victim)

    def edit_with_tree(self, victim: Victim) -> None:
        """The same, with the whole tree hashed anew: a forgery that fits together."""
        self.edit_with_leaf(victim)
        self._cursor.execute("SELECT leaf FROM audit.entry WHERE log = 'trading' ORDER BY seq")
        edge = Edge.empty().append([bytes(leaf) for (leaf,) in self._cursor])
        self._do("UPDATE audit.log SET edge = %s::bytea[] WHERE log = 'trading'", list(edge.hashes))

    def edit_state(self, victim: Victim) -> None:
        """Another price in current state."""
        self._do("UPDATE trading_state.executions SET price = %s WHERE _key = %s", victim.forged, victim.row_key)

    def delete_last(self, victim: Victim) -> None:
        """The newest entry is gone."""
        self._do("DELETE FROM audit.entry WHERE log = 'trading' AND seq = %s", victim.size - 1)

    def swap(self, victim: Victim) -> None:
        """The entry and the one after it change places."""
        for old, new in ((victim.seq, victim.size), (victim.seq + 1, victim.seq), (victim.size, victim.seq + 1)):
            self._do("UPDATE audit.entry SET seq = %s WHERE log = 'trading' AND seq = %s", new, old)

    def _do(self, statement: str, *parameters: object) -> None:
        self._cursor.execute(statement, parameters)
        if self._cursor.rowcount != 1:
            raise ClaimFailed(f"a tampering hit {self._cursor.rowcount} rows instead of one")


Tamper = Callable[[Superuser, Victim], None]


def victim(dsn: str, order: str) -> Victim:
    """Choose an execution of this order that nothing changed later.

    Raises:
        ClaimFailed: there is none.
    """
    ((seq, row_key, entry, size),) = ask(dsn, _VICTIM, order) or [(0, "", "", 0)]
    found = re.search(r'"price":"([0-9])([0-9.]*)"', entry)
    if found is None:
        raise ClaimFailed(f"order {order} has no execution to tamper with")
    other = "1" if found[1] != "1" else "2"
    return Victim(seq, row_key, entry, found[1] + found[2], other + found[2], size)

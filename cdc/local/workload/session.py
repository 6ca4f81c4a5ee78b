"""Transactions that count what they do.

A workload that says "I committed 31,207 row changes" is only worth something if the number is exact, so every statement
goes through `Transaction`, which counts rows as PostgreSQL reports them and throws the counts away on roll-back.
"""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, Self, TypeAlias

import psycopg2
from psycopg2.extras import execute_values

from cdc.errors import Unreachable

Operation = Literal["inserted", "updated", "rekeyed", "deleted", "truncated"]
"""``rekeyed``: an update that changes the primary key (Debezium sends a delete and a create for it)."""
Row = Mapping[str, Any]
Report = Callable[[str, int], None]
"""Called after each commit with the phase and the row changes committed so far."""


Connection: TypeAlias = Any
"""A connection by PEP 249: of psycopg2 or of pymysql."""


class Session:
    """One workload's hold on one source database: connections, counts and pace."""

    number = "numeric"
    """The type of a number with all its digits."""
    logical_messages = True

    def __init__(self, dsn: str, *, pace: float | None = None, report: Report | None = None) -> None:
        """Open nothing yet. ``pace`` is in row changes per second; None runs unthrottled."""
        self.dsn = dsn
        self._pace = pace
        self._report = report
        self._connections: list[Connection] = []
        self._identifiers: dict[str, int] = {}
        self._started = time.monotonic()
        self.phase = ""
        self.changes: Counter[tuple[str, Operation]] = Counter()
        self.committed = 0
        self.rolled_back = 0
        self.empty = 0
        self.messages = 0

    def close(self) -> None:
        """Close the connections; open transactions are rolled back."""
        for connection in self._connections:
            connection.close()

    def transaction(self, which: int = 0) -> Transaction:
        """Begin a transaction on connection ``which``; two numbers make two interleaved transactions."""
        return Transaction(self, self._connection(which))

    def query(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Read something, outside every transaction of the workload."""
        connection = self._connection(2)
        with connection.cursor() as cursor:
            cursor.execute(statement, tuple(parameters))
            answer: list[tuple[Any, ...]] = list(cursor.fetchall())
        connection.rollback()
        return answer

    def one(self, table: str, match: str) -> str:
        """The condition that takes one of the rows that match, of a table without a key."""
        return f"ctid = (SELECT ctid FROM {table} WHERE {match} LIMIT 1)"

    def connect(self) -> Connection:
        """Open a connection. One thread drives all of them, so waiting for a lock would be waiting for itself."""
        try:
            connection = psycopg2.connect(self.dsn, application_name="cdc workload", connect_timeout=10)
        except psycopg2.OperationalError as failure:
            raise Unreachable("the source database does not answer", hint="cdc local up") from failure
        connection.cursor().execute("SET lock_timeout = '10s'; SET TimeZone = 'UTC'")
        connection.commit()
        return connection

    def _connection(self, which: int) -> Connection:
        while len(self._connections) <= which:
            self._connections.append(self.connect())
        return self._connections[which]

    def identifiers(self, table: str, column: str, count: int) -> range:
        """Return ``count`` unused identifiers of a table: above all that were there when it was first asked."""
        if table not in self._identifiers:
            ((highest,),) = self.query(f"SELECT coalesce(max({column}), 0) FROM {table}")
            self._identifiers[table] = int(highest) + 1
        first = self._identifiers[table]
        self._identifiers[table] += count
        return range(first, first + count)

    def settle(self, counts: Counter[tuple[str, Operation]], messages: int) -> None:
        """Take the counts of a transaction that has just committed, tell the caller, and keep the pace."""
        self.changes += counts
        self.messages += messages
        if counts or messages:
            self.committed += 1
        else:
            self.empty += 1
        done = self.changes.total()
        if self._report is not None and (counts or messages):
            self._report(self.phase, done)
        if self._pace:
            ahead = done / self._pace - (time.monotonic() - self._started)
            if ahead > 0:
                time.sleep(ahead)


class Transaction:
    """One transaction. As a context manager it commits at the end and rolls back on an exception."""

    def __init__(self, session: Session, connection: Connection) -> None:
        self._session = session
        self._connection = connection
        self._cursor = connection.cursor()
        self._counts: Counter[tuple[str, Operation]] = Counter()
        self._messages = 0
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if not self._open:
            return
        if kind is None:
            self.commit()
        else:
            self.rollback()

    def commit(self) -> None:
        """Commit and hand the counts to the session."""
        self._open = False
        self._connection.commit()
        self._session.settle(self._counts, self._messages)

    def rollback(self) -> None:
        """Roll back; nothing of it counts."""
        self._open = False
        self._connection.rollback()
        self._session.rolled_back += 1

    def query(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement that changes no row and return what it answers."""
        self._cursor.execute(statement, tuple(parameters))
        return self._cursor.fetchall() if self._cursor.description else []

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Insert all rows, which have the same columns, in one statement."""
        if not rows:
            return
        columns = ", ".join(rows[0])
        values = [tuple(row.values()) for row in rows]
        execute_values(self._cursor, f"INSERT INTO {table} ({columns}) VALUES %s", values, page_size=len(values))
        self._count(table, "inserted")

    def copy(self, table: str, rows: Sequence[Row]) -> None:
        """Insert all rows with one ``COPY``: PostgreSQL writes them as multi-inserts that share an LSN."""
        if not rows:
            return
        text = "".join("\t".join(map(_copy_text, row.values())) + "\n" for row in rows)
        self._cursor.copy_expert(f"COPY {table} ({', '.join(rows[0])}) FROM STDIN", io.StringIO(text))
        self._count(table, "inserted")

    def update(self, table: str, change: str, parameters: Sequence[object] = ()) -> int:
        """Run ``UPDATE <table> <change>`` ("SET … WHERE …") that leaves keys alone; return how many rows it hit."""
        self._cursor.execute(f"UPDATE {table} {change}", tuple(parameters))
        return self._count(table, "updated")

    def rekey(self, table: str, change: str, parameters: Sequence[object] = ()) -> int:
        """Run an ``UPDATE`` that changes the primary key of every row it hits."""
        self._cursor.execute(f"UPDATE {table} {change}", tuple(parameters))
        return self._count(table, "rekeyed")

    def delete(self, table: str, condition: str, parameters: Sequence[object] = ()) -> int:
        """Run ``DELETE FROM <table> WHERE <condition>``; return how many rows it hit."""
        self._cursor.execute(f"DELETE FROM {table} WHERE {condition}", tuple(parameters))
        return self._count(table, "deleted")

    def truncate(self, *tables: str) -> None:
        """Truncate tables with one statement."""
        self._cursor.execute(f"TRUNCATE {', '.join(tables)}")
        for table in tables:
            self._counts[table, "truncated"] += 1

    def define(self, statement: str) -> None:
        """Run a statement that changes the schema."""
        self._cursor.execute(statement)

    def message(self, prefix: str, content: str, *, transactional: bool = True) -> None:
        """Write a logical message. A non-transactional one is out even if the transaction rolls back.

        It is flushed at once: without that (PostgreSQL 17's fourth argument) nobody sees it until the next commit.
        """
        statement = "SELECT pg_logical_emit_message(%s, %s, %s, %s)"
        self._cursor.execute(statement, (transactional, prefix, content, not transactional))
        if transactional:
            self._messages += 1
        else:
            self._session.messages += 1

    def cascaded(self, table: str, operation: Operation, rows: int) -> None:
        """Count rows that a foreign key changed along with a statement of this transaction."""
        self._counts[table, operation] += rows

    @contextmanager
    def rolled_back_savepoint(self) -> Iterator[None]:
        """Undo everything that is done inside, and go on."""
        counts, messages = self._counts.copy(), self._messages
        self._cursor.execute("SAVEPOINT undone")
        yield
        # Released as well: nested ones have the same name, and the outer roll-back would stop at the inner one.
        self._cursor.execute("ROLLBACK TO SAVEPOINT undone; RELEASE SAVEPOINT undone")
        self._counts, self._messages = counts, messages

    def _count(self, table: str, operation: Operation) -> int:
        rows: int = self._cursor.rowcount
        if rows:
            self._counts[table, operation] += rows
        return rows


def _copy_text(value: object) -> str:
    """Return a value in PostgreSQL's COPY text format."""
    if value is None:
        return r"\N"
    if isinstance(value, bytes):
        return r"\\x" + value.hex()
    text = str(value)
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")

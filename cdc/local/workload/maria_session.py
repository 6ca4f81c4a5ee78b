"""The same on MariaDB. What differs: no COPY, DDL and TRUNCATE commit what came before, no logical messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

import pymysql

from cdc.errors import Unreachable
from cdc.local.workload.session import Connection, Row, Session, Transaction


class MariaSession(Session):
    """A session by ``mariadb://USER:PASSWORD@HOST:PORT/DATABASE``."""

    number = "decimal(65, 30)"
    logical_messages = False

    def transaction(self, which: int = 0) -> Transaction:
        """Begin a transaction on connection ``which``."""
        connection = self._connection(which)
        connection.begin()
        return MariaTransaction(self, connection)

    def one(self, table: str, match: str) -> str:  # noqa: ARG002 - PostgreSQL needs it
        """The condition that takes one of the rows that match."""
        return f"{match} LIMIT 1"

    def connect(self) -> Connection:
        """Open a connection. READ COMMITTED: by default an update that finds nothing locks where it looked."""
        parts = urlsplit(self.dsn)
        try:
            return pymysql.connect(
                host=parts.hostname, port=parts.port or 3306, user=parts.username,
                password=unquote(parts.password or ""), database=parts.path.lstrip("/"), charset="utf8mb4",
                connect_timeout=10,
                init_command="SET time_zone = '+00:00', innodb_lock_wait_timeout = 10, tx_isolation = 'READ-COMMITTED'",
            )  # fmt: skip
        except pymysql.err.OperationalError:
            raise Unreachable("the source database does not answer", hint="cdc local up") from None


class MariaTransaction(Transaction):
    """One transaction, or several where a DDL in it commits."""

    _depth = 0

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Insert all rows, which have the same columns, in one statement."""
        if not rows:
            return
        one = f"({', '.join(['%s'] * len(rows[0]))})"
        values = [value for row in rows for value in row.values()]
        columns = ", ".join(rows[0])
        self._cursor.execute(f"INSERT INTO {table} ({columns}) VALUES {', '.join([one] * len(rows))}", values)
        self._count(table, "inserted")

    def copy(self, table: str, rows: Sequence[Row]) -> None:
        """The same: there is no COPY."""
        self.insert(table, rows)

    def truncate(self, *tables: str) -> None:
        """Each with a statement and a transaction of its own."""
        self._committed()
        for table in tables:
            self._cursor.execute(f"TRUNCATE TABLE {table}")
            self._counts[table, "truncated"] += 1
            self._committed()

    def define(self, statement: str) -> None:
        """Run a statement that changes the schema, and commits."""
        self._committed()
        self._cursor.execute(statement)
        self._connection.begin()

    def message(self, prefix: str, content: str, *, transactional: bool = True) -> None:
        """There are none: whoever asks looks at ``logical_messages`` first."""
        raise NotImplementedError

    @contextmanager
    def rolled_back_savepoint(self) -> Iterator[None]:
        """Undo everything that is done inside, and go on. A name that is taken again would end the outer one."""
        counts = self._counts.copy()
        self._depth += 1
        name = f"undone{self._depth}"
        self._cursor.execute(f"SAVEPOINT {name}")
        yield
        self._cursor.execute(f"ROLLBACK TO SAVEPOINT {name}")
        self._cursor.execute(f"RELEASE SAVEPOINT {name}")
        self._depth -= 1
        self._counts = counts

    def _committed(self) -> None:
        """Hand over what a statement commits, or has committed."""
        self._connection.commit()
        if self._counts:
            self._session.settle(self._counts, 0)
            self._counts = self._counts.__class__()
        self._connection.begin()

"""MariaDB's binary log: how far it is written, what is kept of it, and how far a connector has read it.

It has no slots: a server purges by age and by its own settings, whoever still has to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pymysql

from connectors.errors import ConnectorError
from connectors.mariadb_check import connect


@dataclass(frozen=True, slots=True)
class BinaryLog:
    """Files with their bytes, oldest first; where the next event goes; the GTID of the last one.

    ``expire_s``: seconds after which a file may be purged; 0: never by age.
    """

    files: tuple[tuple[str, int], ...]
    file: str
    position: int
    gtid: str
    expire_s: int

    @property
    def bytes(self) -> int:
        """Kept in all."""
        return sum(size for _file, size in self.files)

    def behind(self, file: str, position: int) -> int | None:
        """Bytes from there to the end; None when that place is no longer kept: it is purged."""
        names = [name for name, _size in self.files]
        if file not in names:
            return None
        at = names.index(file)
        return max(0, sum(size for _name, size in self.files[at:]) - position)


def binary_log(dsn: str, name: str) -> BinaryLog:
    """Read it off the server. The account needs BINLOG MONITOR.

    Raises:
        AddressError, Unreachable: the server cannot be reached.
        ConnectorError: it keeps no binary log, or the account may not see it.
    """
    with connect(dsn, f"the source database of {name}") as connection, connection.cursor() as cursor:
        try:
            cursor.execute("SHOW MASTER STATUS")
            status = cursor.fetchone()
            cursor.execute("SHOW BINARY LOGS")
            files = cursor.fetchall()
            cursor.execute("SELECT @@GLOBAL.gtid_binlog_pos, @@GLOBAL.binlog_expire_logs_seconds")
            settings = cursor.fetchone()
        except pymysql.err.MySQLError as error:
            raise ConnectorError(
                f"the binary log of {name} cannot be looked at: MariaDB error {error.args[0]}",
                hint="GRANT BINLOG MONITOR ON *.* TO the connector's account",
            ) from None
    if status is None or settings is None:
        raise ConnectorError(f"the server of {name} keeps no binary log", hint="log-bin in its option file")
    return BinaryLog(_sized(files), str(status[0]), int(status[1]), str(settings[0] or ""), int(settings[1]))


def _sized(files: Sequence[Sequence[object]]) -> tuple[tuple[str, int], ...]:
    return tuple((str(row[0]), int(str(row[1]))) for row in files)

"""Which cluster and timeline a source is now, in the words of its heartbeat table (``cdc.heartbeat``)."""

from __future__ import annotations

import psycopg2
import pymysql

from connectors.definition import HEARTBEAT, Definition
from connectors.inventory import opened

_POSTGRES = """
SELECT s.system_identifier::text, c.timeline_id::text FROM pg_control_system() AS s, pg_control_checkpoint() AS c"""
_MARIADB = f"SELECT system_identifier, concat(@@gtid_domain_id, '-', @@server_id) FROM {HEARTBEAT} WHERE id = 1"


def epoch(definition: Definition, dsn: str) -> tuple[str, str] | None:
    """System identifier and timeline; None where the role may not ask.

    Raises:
        Unreachable: the database does not answer or refuses the role.
    """
    what = f"the source database of {definition.name}"
    if definition.kind == "mariadb":
        from connectors.mariadb_check import connect

        with connect(dsn, what) as maria, maria.cursor() as beats:
            try:
                beats.execute(_MARIADB)
                found = beats.fetchone()
            except pymysql.err.MySQLError:
                return None
        return None if found is None else (str(found[0]), str(found[1]))
    with opened(dsn, what) as connection, connection.cursor() as cursor:
        try:
            cursor.execute(_POSTGRES)
            row = cursor.fetchone()
        except psycopg2.Error:
            return None
    return None if row is None else (str(row[0]), str(row[1]))

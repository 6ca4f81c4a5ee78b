"""Rows of a rebuilt table that wait: they get back the state that they had when they began to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg2

from cdc.errors import Conflict
from cdc.warehouse.rebuild.fold import Fold
from cdc.warehouse.rebuild.making import Making, rekeyed
from cdc.warehouse.rebuild.newest import newest
from cdc.warehouse.rebuild.shape import Renderer, Version

_WAITING = "SELECT row_key, since FROM pipeline.row_wait WHERE log = %s AND table_name = %s"
# A truncate that came while the table was suspended has ended what a row waited for before it.
_TRUNCATED = """
UPDATE pipeline.row_wait SET (since, open) = (
    SELECT coalesce(min(o), since), coalesce(array_agg(o ORDER BY o), '{}') FROM unnest(open) o WHERE o > %(through)s)
 WHERE log = %(log)s AND table_name = %(table)s AND since < %(through)s
"""
_ENDED = """
DELETE FROM pipeline.row_wait WHERE log = %s AND table_name = %s AND open = '{}'
"""


def put_back(cursor: psycopg2.extensions.cursor, making: Making, known: Mapping[Any, Version]) -> None:
    """After the last stretch of a fold; ends the waiting of those that wait for nothing any more.

    Raises:
        UnfitError: a column cannot hold a value.
        Conflict: the table had another key once: which row of the new table such a one is cannot be told.
    """
    log, table = making.log, making.table
    cursor.execute(_TRUNCATED, {"log": log, "table": table, "through": making.truncated_through})
    cursor.execute(_ENDED, (log, table))
    cursor.execute(_WAITING, (log, table))
    waiting = cursor.fetchall()
    if not waiting:
        return
    if rekeyed(known):
        raise Conflict(
            f"{len(waiting)} rows of {table} wait for records in quarantine, and its key is not what it was",
            hint=f"cdc quarantine list {log}",
        )
    rows: dict[str, list[Any]] = {}
    for key, since in waiting:
        cursor.execute(f"DELETE FROM {making.name} WHERE _key = %s", (key,))
        found = newest(cursor, log, table, key, since)
        if found is None:
            continue
        renderer = Renderer(found.version_of, making.target, making.as_text)
        line = renderer.deleted(found.image) if found.deleted else renderer.row(found.image)
        rows[key] = [found.version, found.seq, found.committed_at, "t" if found.deleted else "f", line]
    Fold(cursor, making, known).put(rows)

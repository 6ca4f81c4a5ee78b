"""A batch that failed after its tables were made ready is read again, and asks for the columns it began with."""

from __future__ import annotations

import json

import psycopg2


def define(cursor, *columns: str) -> None:
    listed = [{"name": name, "type": "text", "protect": "clear"} for name in columns]
    cursor.execute(
        "SELECT pipeline.define_state('trading', 'public.customers', 'customers', false, %s, '[\"id\"]')",
        (json.dumps(listed),),
    )


def test_asking_for_fewer_columns_again_keeps_those_that_are_there(warehouse_database):
    connection = psycopg2.connect(warehouse_database.replicator_dsn)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit.create_log('trading', 'trading/1')")
        define(cursor, "id", "name")
        define(cursor, "id", "name", "maiden name")
        define(cursor, "id", "name")
        define(cursor, "id", "name", "maiden name")
        cursor.execute("SELECT * FROM trading.customers")
        assert [column.name for column in cursor.description] == ["id", "name", "maiden name"]
    connection.close()

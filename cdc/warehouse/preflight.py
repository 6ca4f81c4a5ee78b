"""What a worker needs of a warehouse, asked before it opens anything else."""

from __future__ import annotations

import psycopg2

from cdc.errors import ConfigError, Unreachable
from cdc.warehouse.sqlstate import classify

_NEEDED = """
SELECT thing FROM (VALUES
    ('INSERT on the log''s entries',
     coalesce(has_table_privilege(to_regclass('audit.entry_' || %(log)s), 'INSERT'), true)),
    ('INSERT on audit.body', has_table_privilege('audit.body', 'INSERT')),
    ('SELECT on columns of audit.entry', has_any_column_privilege('audit.entry', 'SELECT')),
    ('SELECT on audit.log', has_table_privilege('audit.log', 'SELECT')),
    ('SELECT on pipeline.stream', has_table_privilege('pipeline.stream', 'SELECT')),
    ('INSERT on pipeline.stream', has_table_privilege('pipeline.stream', 'INSERT')),
    ('UPDATE on pipeline.stream', has_table_privilege('pipeline.stream', 'UPDATE')),
    ('SELECT on pipeline.lease', has_table_privilege('pipeline.lease', 'SELECT')),
    ('INSERT on pipeline.lease', has_table_privilege('pipeline.lease', 'INSERT')),
    ('UPDATE on pipeline.lease', has_table_privilege('pipeline.lease', 'UPDATE')),
    ('SELECT on pipeline.table_version', has_table_privilege('pipeline.table_version', 'SELECT')),
    ('INSERT on pipeline.table_version', has_table_privilege('pipeline.table_version', 'INSERT')),
    ('SELECT on pipeline.state_table', has_table_privilege('pipeline.state_table', 'SELECT')),
    ('UPDATE on columns of pipeline.state_table', has_any_column_privilege('pipeline.state_table', 'UPDATE')),
    ('EXECUTE on audit.create_log', has_function_privilege('audit.create_log(text, text)', 'EXECUTE')),
    ('EXECUTE on audit.cut_partitions',
     has_function_privilege('audit.cut_partitions(text, bigint)', 'EXECUTE')),
    ('EXECUTE on pipeline.define_state',
     has_function_privilege('pipeline.define_state(text, text, text, boolean, jsonb, jsonb)', 'EXECUTE')),
    ('EXECUTE on pipeline.end_owner', has_function_privilege('pipeline.end_owner(text, bigint)', 'EXECUTE')),
    ('EXECUTE on audit.advance', has_function_privilege('audit.advance(text, bigint, bigint, bytea[])', 'EXECUTE')),
    ('DELETE on pipeline.row_wait', has_table_privilege('pipeline.row_wait', 'DELETE')),
    ('EXECUTE on audit.open_quarantine', has_function_privilege('audit.open_quarantine(text)', 'EXECUTE')),
    ('UPDATE on columns of pipeline.resolution_request',
     has_any_column_privilege('pipeline.resolution_request', 'UPDATE')),
    ('TEMPORARY on the database', has_database_privilege(current_database(), 'TEMPORARY'))
) AS needed (thing, held) WHERE NOT held
"""


def check(dsn: str, log: str) -> None:
    """Make sure that the warehouse answers, is migrated, and lets this role do its work.

    Raises:
        Unreachable: no connection.
        ConfigError: tables or privileges are missing; the message names the first that is.
        TransientError: the warehouse ends the question, for example by a time-out.
    """
    parts = psycopg2.extensions.parse_dsn(dsn)
    place = " ".join(f"{key}={value}" for key, value in parts.items() if "password" not in key)
    try:
        connection = psycopg2.connect(dsn, connect_timeout=5, application_name="cdc preflight")
    except psycopg2.OperationalError:
        raise Unreachable(
            f"no connection to the warehouse with [warehouse] dsn ({place})",
            hint="is it running, are role and password right?   cdc local status",
        ) from None
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(_NEEDED, {"log": log})
            missing = cursor.fetchone()
    except (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName, psycopg2.errors.UndefinedFunction):
        raise ConfigError(f"the warehouse has no tables yet ({place})", hint="cdc migrate") from None
    except psycopg2.errors.InsufficientPrivilege:
        raise ConfigError(f"this role may not use the warehouse's schemas ({place})", hint="cdc migrate") from None
    except psycopg2.Error as error:
        raise classify(error, f"the warehouse cannot be looked at ({place})") from None
    finally:
        connection.close()
    if missing is not None:
        raise ConfigError(f"this role lacks {missing[0]} in the warehouse ({place})", hint="cdc migrate")

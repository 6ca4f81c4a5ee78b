"""What a worker needs of the privacy store, asked before it takes a stream."""

from __future__ import annotations

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from governance.connection import StoreConnection
from governance.errors import StoreError, StoreUnfit
from governance.roots import Root
from governance.vault import Vault

_NEEDED = """
SELECT thing FROM (VALUES
    ('SELECT on privacy.kek', has_table_privilege('privacy.kek', 'SELECT')),
    ('INSERT on privacy.secret', has_table_privilege('privacy.secret', 'INSERT')),
    ('INSERT on privacy.subject', has_table_privilege('privacy.subject', 'INSERT')),
    ('INSERT on privacy.data_key', has_table_privilege('privacy.data_key', 'INSERT')),
    ('INSERT on privacy.token', has_table_privilege('privacy.token', 'INSERT')),
    ('UPDATE on privacy.store (high_water)', has_column_privilege('privacy.store', 'high_water', 'UPDATE'))
) AS needed (thing, held) WHERE NOT held
"""


def check(dsn: str, root: Root) -> None:
    """Make sure that the store answers, is set up, lets this role do its work, and belongs to this root.

    StoreUnavailable when it does not answer; StoreUnfit when tables or privileges are missing; KeyringError when
    ``root`` is not this store's. Nothing is written.
    """
    connection = StoreConnection(dsn, application_name="cdc privacy preflight")
    try:
        missing = connection.run(_missing)
        if missing is None:
            Vault(connection, root)
    except StoreError as error:
        raise StoreUnfit(str(error), hint=error.hint) from None
    finally:
        connection.close()
    if missing is not None:
        raise StoreUnfit(
            f"this role lacks {missing} in the privacy store", hint="[privacy] dsn: a member of the role cdc_privacy"
        )


def _missing(cursor: Cursor) -> str | None:
    cursor.execute("SELECT to_regclass('privacy.store') IS NULL")
    if cursor.fetchone() == (True,):
        raise StoreUnfit("the privacy store has no tables yet ([privacy] dsn)", hint="cdc keys init")
    cursor.execute(_NEEDED)
    row = cursor.fetchone()
    return None if row is None else str(row[0])

"""Sets up the privacy database: applies ``sql/privacy/NNNN_*.sql`` in order, once, each in its own transaction."""

from __future__ import annotations

import hashlib
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812

from governance.errors import GovernanceError, StoreError, StoreUnavailable

_LOCK = 0x63646370  # any number that nobody else takes: "cdcp"


def migrate(admin_dsn: str) -> list[str]:
    """Bring the privacy database up to date, as its owner; the names of the files that were applied now.

    Repeatable, and safe to run from several places at once (advisory lock). StoreUnavailable when the database does not
    answer; StoreError when a statement fails or when an applied file was changed since.
    """
    try:
        connection = psycopg2.connect(admin_dsn, connect_timeout=5, application_name="cdc privacy migrate")
    except psycopg2.OperationalError:
        connection = None
    except psycopg2.Error:
        raise StoreError("the privacy store's admin DSN is malformed", hint="check [privacy] admin_dsn") from None
    if connection is None:
        raise StoreUnavailable("the privacy store does not answer", hint="check that it runs: [privacy] admin_dsn")
    try:
        return _apply(connection)
    except psycopg2.Error as error:
        failed = StoreError(f"the privacy store cannot be migrated (SQLSTATE {error.pgcode})")
    finally:
        connection.close()
    raise failed


def _sql() -> Path:
    """``sql/privacy``: beside this package in a checkout, in ``cdc/_sql`` in an installed wheel."""
    installed = Path(__file__).parents[1] / "cdc" / "_sql" / "privacy"
    return installed if installed.is_dir() else Path(__file__).parents[1] / "sql" / "privacy"


def names() -> list[str]:
    """The files that make the store, in order."""
    return [file.name for file in sorted(_sql().glob("[0-9][0-9][0-9][0-9]_*.sql"))]


def _apply(connection: Connection) -> list[str]:
    files = sorted(_sql().glob("[0-9][0-9][0-9][0-9]_*.sql"))
    if not files:
        raise GovernanceError(f"no SQL files in {_sql()}", hint="the installation is incomplete: install it again")
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))  # held until the connection closes
        cursor.execute("CREATE SCHEMA IF NOT EXISTS privacy")
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS privacy.migration (version int PRIMARY KEY, name text NOT NULL, "
            "sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT transaction_timestamp())"
        )
        cursor.execute("SELECT version, sha256 FROM privacy.migration")
        known = dict(cursor.fetchall())
    applied = []
    for file in files:
        body = file.read_bytes()
        version, digest = int(file.name[:4]), hashlib.sha256(body).hexdigest()
        if version in known:
            if known[version] != digest:
                raise StoreError(f"{file.name} was changed after it had been applied", hint="write a new file instead")
            continue
        with connection, connection.cursor() as cursor:
            cursor.execute(body.decode())
            cursor.execute(
                "INSERT INTO privacy.migration (version, name, sha256) VALUES (%s, %s, %s)",
                (version, file.name, digest),
            )
        applied.append(file.name)
    return applied

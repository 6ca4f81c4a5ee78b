"""Applies ``sql/roles.sql`` and ``sql/migrations/*.sql`` to a warehouse, once each, under a lock."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

import psycopg2

from cdc.errors import ConfigError, Conflict, Unreachable

_LOCK = 4_231_870_011
"""Advisory lock: two administrators never migrate at once."""


def sql_folder() -> Path:
    """``sql/``: inside the installed package, or beside it in a checkout."""
    packaged = Path(str(files("cdc") / "_sql"))
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[2] / "sql"


def migrate(admin_dsn: str) -> list[str]:
    """Bring the warehouse to the newest version; returns the names of the migrations that were applied.

    Raises:
        Unreachable: no connection.
        Conflict: an applied migration's text differs from the file of that name.
        ConfigError: the role may not create schemas.
    """
    try:
        connection = psycopg2.connect(admin_dsn)
    except psycopg2.OperationalError:
        raise Unreachable(
            "warehouse: no connection with the administrator's DSN ([warehouse] admin_dsn)", hint="cdc local status"
        ) from None
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SET client_min_messages = warning")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            cursor.execute((sql_folder() / "roles.sql").read_text())
            cursor.execute("CREATE SCHEMA IF NOT EXISTS migration")
            cursor.execute(
                "CREATE TABLE IF NOT EXISTS migration.applied"
                " (name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
            )
            cursor.execute("SELECT name, sha256 FROM migration.applied")
            applied = dict(cursor.fetchall())
            files = sorted((sql_folder() / "migrations").glob("*.sql"))
            done = [file.name for file in files if _apply(cursor, file, applied)]
            cursor.execute("SELECT to_regproc('pipeline.define_all_history') IS NOT NULL")
            if cursor.fetchone() == (True,):
                cursor.execute("SELECT pipeline.define_all_history()")  # views that could not be extended at their time
            return done
    except psycopg2.errors.InsufficientPrivilege:
        raise ConfigError(
            "warehouse: the administrator's role may not create schemas and roles ([warehouse] admin_dsn)"
        ) from None
    finally:
        connection.close()


def _apply(cursor: psycopg2.extensions.cursor, file: Path, applied: dict[str, str]) -> bool:
    text = file.read_text()
    digest = hashlib.sha256(text.encode()).hexdigest()
    if file.name in applied:
        if applied[file.name] != digest:
            raise Conflict(
                f"warehouse: migration {file.name} was applied with another text",
                hint="restore the file, or add a new migration",
            )
        return False
    cursor.execute(text)
    cursor.execute("INSERT INTO migration.applied (name, sha256) VALUES (%s, %s)", (file.name, digest))
    return True

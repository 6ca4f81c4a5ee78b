"""The privacy store and its keyring: without both nothing can be protected, and nothing read again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from cdc.checks import warehouse
from connectors.finding import Finding
from governance import migrate, preflight
from governance.connection import StoreConnection
from governance.errors import GovernanceError, KeyringError, StoreRestored, StoreUnavailable
from governance.roots import keyring
from governance.store import StoreMark
from governance.vault import Vault


def store(dsn: str, path: Path, seen: StoreMark | None) -> Iterator[Finding]:
    """Keyring, privileges, and whether the store is the one that the warehouse has seen, not an older one.

    Raises:
        StoreUnavailable: it does not answer.
    """
    try:
        root = keyring.load(path)
    except KeyringError as error:
        yield Finding("keyring_unusable", str(error), command=error.hint or "")
        return
    try:
        preflight.check(dsn, root)
        with closing(StoreConnection(dsn, application_name="cdc check")) as connection:
            Vault(connection, root, seen)
    except StoreUnavailable:
        raise
    except KeyringError as error:
        yield Finding("keyring_unusable", str(error), command=error.hint or "")
    except StoreRestored as error:
        yield Finding("privacy_behind", str(error), command=error.hint or "")
    except GovernanceError as error:
        yield Finding("privacy_unfit", str(error), command=error.hint or "")


def database(cursor: Cursor) -> Iterator[Finding]:
    """The server under the store, and the role that workers have there."""
    yield from warehouse.privacy_durability(cursor)
    cursor.execute("SELECT current_user::text, rolsuper FROM pg_roles WHERE rolname = current_user")
    name, superuser = cursor.fetchone() or ("", False)
    if superuser:
        yield Finding("privacy_superuser", f"role {name} is a superuser", place=name)


def migrations(cursor: Cursor) -> Iterator[Finding]:
    """Whether the store is of this version. Needs its owner."""
    try:
        cursor.execute("SELECT name FROM privacy.migration")
    except psycopg2.errors.InsufficientPrivilege:
        return
    except psycopg2.errors.lookup("42P01"):
        yield Finding("privacy_unmigrated", "the privacy store has no tables yet", command="cdc keys init")
        return
    applied = {row[0] for row in cursor.fetchall()}
    missing = [name for name in migrate.names() if name not in applied]
    if missing:
        problem = f"{len(missing)} migrations are missing, the first is {missing[0]}"
        yield Finding("privacy_unmigrated", problem, command="cdc keys init")

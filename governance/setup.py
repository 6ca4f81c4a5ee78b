"""Sets up the privacy store and its keyring, together: neither is of use without the other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from governance import store
from governance.connection import StoreConnection
from governance.errors import KeyringError
from governance.migrate import migrate
from governance.roots import keyring
from governance.vault import establish


@dataclass(frozen=True, slots=True)
class SetUp:
    """What ``set_up`` found and did."""

    applied: tuple[str, ...]  # names of the SQL files that were applied now
    keyring_created: bool
    epoch: int  # of the newest key-encryption key


def set_up(admin_dsn: str, keyring_path: Path | str) -> SetUp:
    """Migrate the privacy store, make the keyring if there is none, and give the store its first key. Repeatable.

    ``admin_dsn``: the store's owner. KeyringError when the keyring is missing but the store has keys already (a new one
    could not open them), is not this store's, or cannot be used; StoreUnavailable, StoreError.
    """
    path = Path(keyring_path)
    root = keyring.load(path) if path.exists() else None  # a keyring that cannot be used stops before anything is made
    applied = migrate(admin_dsn)
    connection = StoreConnection(admin_dsn, application_name="cdc privacy setup")
    try:
        created = root is None
        if root is None:
            if connection.run(store.key_encryption_keys):
                raise KeyringError(
                    f"{path}: there is no keyring, but the privacy store was set up with one",
                    hint="restore the keyring from its backup: a new one cannot open the store's keys",
                )
            root = keyring.create(path)
        return SetUp(tuple(applied), created, establish(connection, root))
    finally:
        connection.close()

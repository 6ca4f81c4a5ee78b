"""Fixture ``privacy``: a privacy store of its own on the session's warehouse cluster, as ``cdc keys init`` sets it up."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from governance.connection import StoreConnection
from governance.keys import Keys, Subject
from governance.roots import keyring
from governance.setup import set_up
from tests.fix_stack import FreshDatabase, WarehouseCluster


def execute(dsn: str, statement: str, *parameters: object) -> list:
    """One statement on a connection of its own, committed; its rows."""
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


class PrivacyStore:
    """A privacy store of its own, as `cdc keys init` sets it up."""

    def __init__(self, database: FreshDatabase, path: Path) -> None:
        self.name, self.dsn, self.admin_dsn = database.name, database.privacy_dsn, database.admin_dsn
        self.keyring = path

    def keys(self, **options: Any) -> Keys:
        """A worker's keys, on a connection of their own."""
        return Keys(StoreConnection(self.dsn), keyring.load(self.keyring), **options)

    def all(self, statement: str, *parameters: object) -> list:
        """Rows, as the owner sees them."""
        return execute(self.admin_dsn, statement, *parameters)

    def one(self, statement: str, *parameters: object) -> Any:
        """The first column of the first row."""
        return self.all(statement, *parameters)[0][0]

    def stop_answering(self, keys: Keys) -> None:
        """No connection is left, and none is let in."""
        self.answer(False)
        keys._vault._connection.close()

    def answer(self, allowed: bool = True) -> None:
        """Let connections in, or none."""
        execute(make_dsn(self.admin_dsn, dbname="postgres"), f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS {allowed}")


@pytest.fixture(scope="session")
def template_keyring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The keyring of the template that each store is a copy of."""
    return tmp_path_factory.mktemp("privacy") / "keyring.json"


@pytest.fixture
def privacy(warehouse_cluster: WarehouseCluster, template_keyring: Path, tmp_path: Path) -> Iterator[PrivacyStore]:
    """A store of the test's own, with a copy of its keyring."""
    warehouse_cluster.template("privacy", lambda dsn: set_up(dsn, template_keyring))
    path = Path(shutil.copy2(template_keyring, tmp_path / "keyring.json"))
    database = warehouse_cluster.fresh_database("privacy", template="privacy")
    yield PrivacyStore(database, path)
    warehouse_cluster.drop(database)


def customers(keys: Keys, *texts: str, tiers: Sequence[int] = (0,)) -> list[Subject]:
    """The subjects of these customers, made where they do not exist."""
    keys.ensure_subjects({"customer": texts}, tiers)
    return [keys.subject("customer", text) for text in texts]

"""Looks up tokens of key values in the privacy store, for commands that are given personal data on standard input."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cdc.config import Config

if TYPE_CHECKING:
    from cdc.audit.keys import TokenOf
    from cdc.audit.reading import Reading

_SEEN = "SELECT privacy_identity::text, privacy_high_water FROM pipeline.stream WHERE log = %(log)s"


@contextmanager
def tokens(settings: Config, asked: Reading, log: str, *, wanted: bool) -> Iterator[TokenOf | None]:
    """The look-up that finds existing tokens and mints none; None unless ``wanted``.

    Raises:
        governance.errors.GovernanceError: keyring or privacy store cannot be used, or the store is not the one that the
        log was written with.
    """
    if not wanted:
        yield None
        return
    from governance.connection import StoreConnection
    from governance.keys import Keys
    from governance.roots import keyring
    from governance.store import StoreMark

    row = asked.one(_SEEN, {"log": log})
    seen = StoreMark(*row) if row is not None and row[0] is not None else None
    root = keyring.load(settings.keyring)
    connection = StoreConnection(settings.privacy_dsn, application_name="cdc audit")
    try:
        yield Keys(connection, root, seen=seen).existing_token
    finally:
        connection.close()

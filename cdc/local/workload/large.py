"""Large values that PostgreSQL stores out of line (TOAST), updated with and without touching them."""

from __future__ import annotations

import hashlib

from cdc.local.workload.session import Row
from cdc.local.workload.world import SYMBOLS, World

LARGEST_DOCUMENT = 600_000
"""Characters of the largest document. An update's record carries it twice, in the before and in the after image, so the
record passes 1 MiB: Kafka's default limits do not do."""


def trading(world: World) -> None:
    """Play documents (sealed, uncompressed) and prospectuses (public, compressed)."""
    sizes = [world.rng.randint(100_000, 140_000) for _ in range(world.many(12))]
    for size in (LARGEST_DOCUMENT, *sizes, 70_000):
        (document,) = world.session.identifiers("documents", "document_id", 1)
        where = " WHERE document_id = %s"
        with world.session.transaction() as tx:
            tx.insert("documents", [document_row(world, document, world.words(size))])
        with world.session.transaction() as tx:  # body untouched, twice in one transaction
            tx.update("documents", "SET pages = pages + 1" + where, (document,))
            tx.update(
                "documents", "SET title = title || ' (copy)', revised_at = %s" + where, (world.instant(), document)
            )
        if world.rng.random() < 0.5:
            with world.session.transaction() as tx:  # a little at the end changes
                tx.update("documents", "SET body = body || ' signed'" + where, (document,))
    with world.session.transaction() as tx:  # large → small → large; set to the value it has; delete
        tx.update("documents", "SET body = 'withdrawn'" + where, (document,))
        tx.update("documents", "SET body = %s" + where, (world.words(100_000), document))
        tx.update("documents", "SET body = body" + where, (document,))
    with world.session.transaction() as tx:
        tx.delete("documents", where.removeprefix(" WHERE "), (document,))
    _prospectuses(world)


def portfolio(world: World) -> None:
    """Play statements: a large text and a large binary in one row, of which one, both or none is touched."""
    for _ in range(world.many(8)):
        (statement,) = world.session.identifiers("statements", "statement_id", 1)
        where = " WHERE statement_id = %s"
        account = world.rng.choice(world.accounts)
        with world.session.transaction() as tx:
            tx.insert("statements", [statement_row(world, statement, account, world.words(100_000))])
        with world.session.transaction() as tx:
            tx.update("statements", "SET delivered = true" + where, (statement,))
        with world.session.transaction() as tx:
            tx.update("statements", "SET rendering = %s" + where, (world.rng.randbytes(40_000), statement))
            tx.update("statements", "SET body = upper(body), rendering = NULL" + where, (statement,))


def document_row(world: World, document: int, body: str) -> Row:
    """Return a row of ``trading.documents``."""
    return {
        "document_id": document,
        "customer_id": world.rng.choice(world.people),
        "kind": world.rng.choice(("application", "power of attorney", "affidavit")),
        "title": f"Document № {document}",
        "body": body,
        "checksum": hashlib.sha256(body.encode()).digest(),
        "pages": 1 + len(body) // 3000,
        "revised_at": world.instant(),
    }


def statement_row(world: World, statement: int, account: tuple[int, int], body: str) -> Row:
    """Return a row of ``portfolio.statements`` for (portfolio, client)."""
    return {
        "statement_id": statement,
        "client_id": account[1],
        "portfolio_id": account[0],
        "period_start": "2025-07-01",
        "period_end": "2025-12-31",
        "body": body,
        "rendering": world.rng.randbytes(30_000),
        "issued_at": world.instant(),
    }


def _prospectuses(world: World) -> None:
    first = world.session.identifiers("prospectuses", "edition", 1)[0]
    for symbol in SYMBOLS[: world.many(8)]:
        key = (symbol, first)
        text = {
            "symbol": symbol,
            "edition": first,
            "body": world.words(150_000),
            "published_at": "2026-01-02 03:04:05.678901",
        }
        where = " WHERE symbol = %s AND edition = %s"
        with world.session.transaction() as tx:
            tx.insert("prospectuses", [text])
            tx.update("prospectuses", "SET downloads = downloads + 1" + where, key)
        with world.session.transaction() as tx:
            tx.update("prospectuses", "SET downloads = 9007199254740993" + where, key)
            tx.update("prospectuses", "SET body = %s" + where, (world.words(70_000), *key))

"""Plants the canaries, each where its family belongs."""

from __future__ import annotations

from dataclasses import replace

from cdc.local.workload.business import movement_row, order_row
from cdc.local.workload.canaries import canary
from cdc.local.workload.foundation import account_row, beneficiary_row, client_row, customer_row
from cdc.local.workload.large import document_row, statement_row
from cdc.local.workload.people import person
from cdc.local.workload.world import World


def trading(world: World) -> None:
    """Plant one value per way personal data can take out of the trading database."""
    seed = world.seed
    kept, foreign, gone, undone = world.session.identifiers("customers", "customer_id", 4)
    somebody = person(seed, 800_000)
    main = replace(
        somebody,
        full_name=canary(seed, "name"),
        email=canary(seed, "email"),
        phone=canary(seed, "phone"),
        tax_id=canary(seed, "ssn"),
        address=canary(seed, "address"),
    )
    with world.session.transaction() as tx:
        tx.define("ALTER TABLE customers ADD COLUMN IF NOT EXISTS maiden_name text")
        row = dict(customer_row(world, kept, main)) | {"phone": main.phone, "ssn": main.tax_id}
        named = customer_row(world, foreign, replace(somebody, full_name=canary(seed, "non-ascii name")))
        tx.insert("customers", [row, named])
        tx.insert("customers", [customer_row(world, gone, replace(somebody, full_name=canary(seed, "deleted row")))])
        with tx.rolled_back_savepoint():
            tx.insert(
                "customers", [customer_row(world, undone, replace(somebody, full_name=canary(seed, "savepoint")))]
            )
        tx.update("customers", "SET maiden_name = %s WHERE customer_id = %s", (canary(seed, "unknown column"), kept))
    with world.session.transaction() as tx:
        tx.delete("customers", "customer_id = %s", (gone,))
        tx.message("cdc.case", _twice(canary(seed, "message")))
    tx = world.session.transaction()
    tx.insert("customers", [customer_row(world, undone, replace(somebody, full_name=canary(seed, "rolled back")))])
    tx.rollback()
    (account,) = world.session.identifiers("accounts", "account_id", 1)
    (order,) = world.session.identifiers("orders", "order_id", 1)
    (document,) = world.session.identifiers("documents", "document_id", 1)
    with world.session.transaction() as tx:
        tx.insert(
            "accounts", [dict(account_row(world, account, kept)) | {"account_number": canary(seed, "account number")}]
        )
        tx.insert("orders", [dict(order_row(world, order, (account, kept))) | {"client_note": canary(seed, "note")}])
        contact = {
            "email": canary(seed, "key e-mail"),
            "kind": "alerts",
            "customer_id": kept,
            "added_at": world.instant(),
        }
        tx.insert("contact_points", [contact])
        remark = {
            "customer_id": kept,
            "author": "desk",
            "note": canary(seed, "keyless note"),
            "noted_at": world.instant(),
        }
        tx.insert("audit_notes", [remark])
        # At the start of the text: an out-of-line value is stored in chunks, and a value cut in two is not found.
        body = f"This {canary(seed, 'document')} " + world.words(120_000)
        tx.insert("documents", [document_row(world, document, body)])


def portfolio(world: World) -> None:
    """Plant one value per way personal data can take out of the portfolio database."""
    seed = world.seed
    somebody = person(seed, 800_001)
    kept, undone = world.session.identifiers("clients", "client_id", 2)
    main = replace(somebody, full_name=canary(seed, "client name"), tax_id=canary(seed, "client tax id"))
    with world.session.transaction() as tx:
        tx.define("ALTER TABLE clients ADD COLUMN IF NOT EXISTS passport_no text")
        passport = {"passport_no": canary(seed, "client unknown column")}
        tx.insert("clients", [dict(client_row(world, kept, main)) | passport])
        if world.session.logical_messages:
            tx.message("cdc.case", _twice(canary(seed, "client message")), transactional=False)
    tx = world.session.transaction()
    tx.insert("clients", [client_row(world, undone, replace(somebody, full_name=canary(seed, "client rolled back")))])
    tx.rollback()
    account = world.accounts[0]
    (statement,) = world.session.identifiers("statements", "statement_id", 1)
    with world.session.transaction() as tx:
        heir = replace(somebody, email=canary(seed, "key beneficiary"))
        tx.insert("beneficiaries", [beneficiary_row(world, *account, heir)])
        paid = {"iban": canary(seed, "iban"), "reference": canary(seed, "reference")}
        tx.insert("cash_movements", [dict(movement_row(world, account)) | paid])
        body = f"Statement {canary(seed, 'statement')} " + world.words(100_000)
        tx.insert("statements", [statement_row(world, statement, account, body)])


def _twice(value: str) -> str:
    """A message is only in the WAL, whose pages may cut one occurrence in two."""
    return f"{value}; once more: {value}"

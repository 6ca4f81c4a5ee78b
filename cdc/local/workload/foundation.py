"""The first rows: instruments, people, accounts. Every other phase builds on them."""

from __future__ import annotations

from cdc.local.workload.extremes import STRINGS
from cdc.local.workload.people import Person, person
from cdc.local.workload.session import Row
from cdc.local.workload.world import SYMBOLS, World


def trading(world: World) -> None:
    """Create instruments, customers (multi-row inserts), accounts (COPY) and contact points."""
    known = {symbol for (symbol,) in world.session.query("SELECT symbol FROM instruments")}
    with world.session.transaction() as tx:
        tx.insert("instruments", [_instrument(world, symbol) for symbol in SYMBOLS if symbol not in known])
    world.people = list(world.session.identifiers("customers", "customer_id", world.many(400, 20)))
    people = [(customer, person(world.seed, number)) for number, customer in enumerate(world.people)]
    for batch in _batches(people, 50):
        with world.session.transaction() as tx:
            tx.insert("customers", [customer_row(world, customer, who) for customer, who in batch])
            tx.insert("contact_points", [_contact(world, customer, who.email, "primary") for customer, who in batch])
    numbers = world.session.identifiers("accounts", "account_id", len(people) * 3 // 2)
    world.accounts = [(account, world.people[i % len(people)]) for i, account in enumerate(numbers)]
    with world.session.transaction() as tx:
        tx.copy("accounts", [account_row(world, account, customer) for account, customer in world.accounts])


def portfolio(world: World) -> None:
    """Create clients (the first persons of the trading database again), portfolios and beneficiaries."""
    world.people = list(world.session.identifiers("clients", "client_id", world.many(200, 10)))
    people = [(client, person(world.seed, number)) for number, client in enumerate(world.people)]
    for batch in _batches(people, 50):
        with world.session.transaction() as tx:
            tx.insert("clients", [client_row(world, client, who) for client, who in batch])
    numbers = world.session.identifiers("portfolios", "portfolio_id", len(people) * 4 // 3)
    world.accounts = [(number, world.people[i % len(people)]) for i, number in enumerate(numbers)]
    with world.session.transaction() as tx:
        tx.copy("portfolios", [_portfolio_row(world, number, client) for number, client in world.accounts])
    with world.session.transaction() as tx:
        heirs = [
            beneficiary_row(world, number, client, person(world.seed, 100_000 + i))
            for i, (number, client) in enumerate(world.accounts)
        ]
        tx.insert("beneficiaries", heirs)


def customer_row(world: World, customer: int, who: Person) -> Row:
    """Return a row of ``trading.customers``."""
    return {
        "customer_id": customer,
        "full_name": who.full_name,
        "email": who.email,
        "phone": who.phone if customer % 11 else None,
        "ssn": who.tax_id if customer % 13 else None,
        "date_of_birth": who.born,
        "address": who.address,
        "tax_residence": who.residence,
        "risk_class": world.rng.randint(-1, 7),
        "is_exposed": customer % 17 == 0,
        "created_at": world.instant(),
        "updated_at": world.now,
    }


def account_row(world: World, account: int, customer: int) -> Row:
    """Return a row of ``trading.accounts``."""
    return {
        "account_id": account,
        "customer_id": customer,
        "account_number": f"{world.seed % 1000:03d}-{account:07d}-{world.rng.randrange(97):02d}",
        "account_type": world.rng.choice(("cash", "margin", "ira", "joint")),
        "opened_on": world.now.date(),
        "balance": world.amount(),
        "margin_ratio": world.amount(17, 2),
        "updated_at": world.instant(),
    }


def client_row(world: World, client: int, who: Person) -> Row:
    """Return a row of ``portfolio.clients``."""
    return {
        "client_id": client,
        "full_name": who.full_name,
        "email": who.email,
        "tax_id": who.tax_id,
        "phone": who.phone,
        "date_of_birth": who.born,
        "address": who.address,
        "segment": world.rng.choice(("retail", "private", "institutional", "")),
        "reference": world.uuid(),
        "onboarded_at": world.instant(),
    }


def beneficiary_row(world: World, portfolio: int, client: int, who: Person) -> Row:
    """Return a row of ``portfolio.beneficiaries``."""
    return {
        "portfolio_id": portfolio,
        "email": who.email,
        "client_id": client,
        "full_name": who.full_name,
        "share": world.rng.choice(("100.000000", "50.000000", "33.333333", "0.000001")),
        "relationship": world.rng.choice(("spouse", "child", None, *STRINGS)),
        "named_on": world.now.date(),
    }


def _instrument(world: World, symbol: str) -> Row:
    return {
        "symbol": symbol,
        "isin": f"US{world.rng.randrange(10**10):010d}",
        "name": f"{symbol.title()} Holdings, Inc.",
        "tick_size": world.rng.choice(("0.01", "0.0050", "1")),
        "listed_on": world.now.date(),
    }


def _contact(world: World, customer: int, email: str, kind: str) -> Row:
    label = world.rng.choice(("home", "work", *STRINGS))
    return {"email": email, "kind": kind, "customer_id": customer, "label": label, "added_at": world.instant()}


def _portfolio_row(world: World, number: int, client: int) -> Row:
    return {
        "portfolio_id": number,
        "client_id": client,
        "title": f"{person(world.seed, number).full_name} family trust",
        "strategy": world.rng.choice(("growth", "income", "balanced")),
        "discretionary": number % 3 == 0,
        "opened_on": world.now.date(),
    }


def _batches(people: list[tuple[int, Person]], size: int) -> list[list[tuple[int, Person]]]:
    return [people[start : start + size] for start in range(0, len(people), size)]

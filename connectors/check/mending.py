"""The SQL that mends a source, as one script for psql: what findings carry, and all that the connector's role needs.

Every block is a transaction of its own, gives up rather than wait for a lock, and may be run again. Nothing in it drops
a slot, sets a password or deletes anything: such acts stand as comments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import psycopg2

from connectors.catalog import Table, tables
from connectors.definition import HEARTBEAT, SIGNAL, Definition
from connectors.errors import AddressError
from connectors.finding import Finding
from connectors.inventory import demand_address, opened
from connectors.preparation import literal, quoted
from connectors.proposal import printable
from connectors.setting import include_patterns

_FIRST = ("role_superuser", "role_replication", "capture_table", "replica_identity", "publication_missing")
"""Codes in the order in which their fixes must run; all others come after them."""


def captured(definition: Definition, dsn: str) -> tuple[Table, ...]:
    """The tables that the definition captures, and their partitions.

    Raises:
        Unreachable: the database does not answer or refuses the role.
    """
    with opened(dsn, f"the source database of {definition.name}") as connection, connection.cursor() as cursor:
        connection.set_session(readonly=True)
        return tables(cursor, include_patterns(definition))


def role_of(dsn: str) -> str:
    """Whom a DSN connects as.

    Raises:
        AddressError: the DSN names nobody.
    """
    demand_address(dsn)
    user = psycopg2.extensions.parse_dsn(dsn).get("user")
    if not user:
        raise AddressError("the DSN of the source names no user", hint="user=… in the DSN")
    return str(user)


def script(definition: Definition, role: str, found: Sequence[Table], findings: Iterable[Finding]) -> str:
    """The script for a PostgreSQL source. ``role``: whom Debezium connects as."""
    order = {code: number for number, code in enumerate(_FIRST)}
    ranked = sorted(findings, key=lambda finding: order.get(finding.code, len(order)))
    fixes = tuple(dict.fromkeys(finding.fix for finding in ranked if finding.fix))
    by_hand = tuple(dict.fromkeys(f"{finding.problem}: {finding.remedy}" for finding in ranked if not finding.fix))
    system = tuple(fix for fix in fixes if fix.startswith("ALTER SYSTEM"))
    blocks = [
        _head(definition),
        _guard(definition.database.name),
        _block(_made(role), "The role that Debezium connects as; it gets no password here: \\password in psql."),
        *(_block((_repeatable(fix),)) for fix in fixes if fix not in system),
        _block(_grants(definition, role, found), "What the role needs, and nothing more."),
        *("-- Outside a transaction, as the server demands.\n" + fix for fix in system),
        *("-- By hand: " + printable(line) for line in by_hand),
    ]
    return "\n\n".join(blocks) + "\n"


def plain(findings: Iterable[Finding]) -> str:
    """The statements alone, for a MariaDB source: there a DDL is a transaction of its own."""
    return "".join(f"{fix}\n" for fix in dict.fromkeys(finding.fix for finding in findings if finding.fix))


def _head(definition: Definition) -> str:
    return (
        f"-- Mends the source {definition.name}. Read it, then run it as a superuser; it may be run again:\n"
        f"--   cdc connectors check {definition.name} --fix-sql | psql -v ON_ERROR_STOP=1"
    )


def _guard(database: str) -> str:
    says = literal(f"this is not the database {database}")
    return (
        f"-- Not in another database by mistake.\nDO $guard$\nBEGIN\n"
        f"    IF current_database() <> {literal(database)} THEN\n        RAISE EXCEPTION USING MESSAGE = {says};\n"
        "    END IF;\nEND\n$guard$;"
    )


def _made(role: str) -> Iterator[str]:
    yield _repeatable(f"CREATE ROLE {quoted(role)};")
    yield f"ALTER ROLE {quoted(role)} LOGIN REPLICATION;"


def _grants(definition: Definition, role: str, found: Sequence[Table]) -> Iterator[str]:
    name = quoted(role)
    included = [table for table in found if table.included and table.name not in {HEARTBEAT, SIGNAL}]
    yield f"GRANT CONNECT ON DATABASE {quoted(definition.database.name)} TO {name};"
    schemas = dict.fromkeys([*(table.quoted_schema for table in included), "cdc"])
    yield f"GRANT USAGE ON SCHEMA {', '.join(schemas)} TO {name};"
    if included:
        listed = ",\n    ".join(table.quoted for table in included)
        yield f"GRANT SELECT ON\n    {listed}\n    TO {name};"
    yield f"GRANT SELECT, UPDATE ON {HEARTBEAT} TO {name};"
    yield f"GRANT SELECT, INSERT ON {SIGNAL} TO {name};"
    yield f"GRANT EXECUTE ON FUNCTION pg_control_system(), pg_control_checkpoint() TO {name};"


def _repeatable(statement: str) -> str:
    """The statement; one that would fail where its object is there already does nothing then."""
    makes = (
        statement.startswith(("CREATE ROLE", "CREATE PUBLICATION"))
        or " ADD TABLE " in statement.split("\n", maxsplit=1)[0]
    )
    if not makes:
        return statement
    return f"DO $fix$\nBEGIN\n    {statement}\nEXCEPTION WHEN duplicate_object THEN\n    NULL;\nEND\n$fix$;"


def _block(statements: Iterable[str], why: str = "") -> str:
    lines = [*([f"-- {why}"] if why else []), "BEGIN;", "SET LOCAL lock_timeout = '10s';", *statements, "COMMIT;"]
    return "\n".join(lines)

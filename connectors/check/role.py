"""The role that Debezium connects as: it needs LOGIN and REPLICATION, to read the captured tables, and nothing more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from connectors.catalog import Table
from connectors.finding import Finding
from connectors.preparation import quoted

_ROLE = """
SELECT rolname, oid = 10, rolsuper, rolreplication, rolcreaterole, rolcreatedb
  FROM pg_roles WHERE rolname = current_user
"""
_WRITABLE = """
SELECT n.nspname || '.' || c.relname, format('%%I.%%I', n.nspname, c.relname), pg_has_role(c.relowner, 'USAGE')
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname || '.' || c.relname = ANY (%s) AND n.nspname <> 'cdc' AND c.relkind IN ('r', 'p')
   AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') ORDER BY 1"""


def findings(cursor: Cursor, captured: Sequence[Table]) -> Iterator[Finding]:
    """What the role lacks, and what it has too much of."""
    cursor.execute(_ROLE)
    row = cursor.fetchone()
    assert row is not None  # the role that asks
    name, first, superuser, replication, makes_roles, makes_databases = row
    role = quoted(name)
    if superuser:
        fix = "" if first else f"ALTER ROLE {role} NOSUPERUSER REPLICATION;"  # the first superuser cannot be another
        command = "a role of its own for the connector: cdc connectors init NAME writes it" if first else ""
        yield Finding("role_superuser", f"role {role} is a superuser", fix, place=name, command=command)
        return
    if not replication:
        yield Finding(
            "role_replication", f"role {role} may not replicate", f"ALTER ROLE {role} REPLICATION;", place=name
        )
    if makes_roles or makes_databases:
        fix = f"ALTER ROLE {role} NOCREATEROLE NOCREATEDB;"
        yield Finding("role_attributes", f"role {role} may make roles or databases", fix, place=name)
    cursor.execute(_WRITABLE, ([table.name for table in captured],))
    for title, table, owned in cursor.fetchall():
        fix = "" if owned else f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {table} FROM {role};"
        command = f"another owner for {title}" if owned else ""
        how = "owns" if owned else "may write"
        yield Finding("role_writes", f"role {role} {how} {title}", fix, place=title, command=command)

"""One table of a source, looked at alone: whether what Debezium would make of it can be evidence."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.catalog import Table
from connectors.finding import Finding

LOSSY = {
    "bit varying": "Debezium drops a bit string's length, so its leading zeros",
    "time with time zone": "Debezium converts to UTC, so the offset is lost",
}
"""Types of which Debezium 3.7 writes less than the value."""

LEFT_OUT = frozenset(f"{kind}[]" for kind in ("money", "name", "interval", "bit varying", "xml", "point", "refcursor"))
"""Types whose columns Debezium 3.7 leaves out of its records, ``include.unknown.datatypes`` or not."""
UNREADABLE = frozenset({"int2vector", "oidvector", "bit[]", "box[]", "refcursor"})
"""Types of which a value stops Debezium's task."""


def obstacles(table: Table) -> Iterator[Finding]:
    """What keeps a table from being captured, whatever grants and publication say."""
    name = table.name
    if table.unlogged:
        problem = f"{name} is unlogged: its changes are in no log"
        yield Finding("unlogged", problem, f"ALTER TABLE {table.quoted} SET LOGGED;", place=name)
    if '"' in table.name or any('"' in column for column in table.types):
        problem = f"{name} or a column of it has a double quote in its name, which Debezium's snapshot does not escape"
        yield Finding("quote_in_name", f"{problem}; rename it, or leave the table out", place=name)
    if table.has_heirs:
        problem = f"{name} is inherited by other tables: its snapshot would hold their rows too"
        yield Finding("inherited", f"{problem}; leave it out", place=name)
    if table.key is not None and table.key.shared:
        problem = (
            f"{name} has no primary key, and rows can share its index {table.key.index}, which Debezium takes for one"
        )
        yield Finding("key_shared", f"{problem}; add a key, or leave the table out", place=name)
    yield from _columns(table)
    if table.virtual_columns:
        problem = f"{name} has a virtual generated column: with REPLICA IDENTITY FULL its own UPDATEs fail"
        yield Finding("generated_virtual", f"{problem}; make the column STORED, or leave the table out", place=name)


def _columns(table: Table) -> Iterator[Finding]:
    name = table.name
    for column in table.nested_arrays:
        problem = f"{name}.{column}: Debezium writes null for the elements of an array of arrays"
        yield Finding("nested_array", problem, place=f"{name}.{column}")
    for column in table.shadowed:
        problem = f"{name}.{column}: its schema has a table or type named like its type, which Debezium takes for that"
        yield Finding("shadowed_type", f"{problem}; rename that, or leave {name} out", place=f"{name}.{column}")
    for column, kind in table.declared.items():
        if kind in LEFT_OUT:
            problem = f"{name}.{column}: Debezium leaves columns of type {kind} out, silently"
            yield Finding("array_left_out", problem, place=f"{name}.{column}")
        if kind in UNREADABLE:
            problem = f"{name}.{column}: a value of type {kind} stops Debezium's task"
            yield Finding("unreadable_type", problem, place=f"{name}.{column}")


def table_findings(table: Table, captured: set[str], role: str) -> Iterator[Finding]:
    """Every finding about one table, or partition, that the publication has no part in."""
    name, quoted = table.name, table.quoted
    if table.included and table.root in captured:
        problem = f"{name} is a partition of {table.root}: its rows would be read twice; name it under `exclude`"
        yield Finding("partition_captured", problem, place=name)
    yield from obstacles(table)
    if table.replica_identity != "f":
        problem = f"{name}: before images and unchanged large values would be missing"
        yield Finding("replica_identity", problem, f"ALTER TABLE {quoted} REPLICA IDENTITY FULL;", place=name)
    if table.included and not table.readable:
        grants = f"GRANT USAGE ON SCHEMA {table.quoted_schema} TO {role}; GRANT SELECT ON {quoted} TO {role};"
        yield Finding("select", f"{name} may not be read", grants, place=name)
    if table.row_security:
        problem = f"{name}: row security hides rows from role {role}"
        yield Finding("row_security", problem, f"ALTER ROLE {role} BYPASSRLS;", place=name)
    if table.included and table.key is None:
        yield Finding("table_keyless", f"{name} has no key", place=name)
    for column, kind in table.types.items():
        if kind in LOSSY:
            yield Finding("lossy_type", f"{name}.{column}: {LOSSY[kind]}", place=f"{name}.{column}")

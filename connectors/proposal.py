"""A definition for a database that nobody has described yet: what can be captured, and why the rest is left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import yaml

from connectors.definition import HEARTBEAT, SIGNAL, Definition
from connectors.errors import SourceUnfit
from connectors.inventory import Inventory, Relation
from connectors.setting import include_patterns
from connectors.table_check import obstacles

OWN_SCHEMA = "cdc"
_SCHEMA = re.compile(r"[^\x00-\x1f,.\"'\\]{1,63}")
_OWN = frozenset({HEARTBEAT, SIGNAL})


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A pattern for ``exclude``, and the reason that stands beside it."""

    pattern: str
    reason: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a definition should say. ``left_out``: why some tables are not captured."""

    schemas: tuple[str, ...]
    tables: tuple[str, ...]
    exclude: tuple[Exclusion, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is, as far as a definition says it in clear."""

    database: str
    sslmode: str
    sslrootcert: str | None


def propose(inventory: Inventory, schemas: Sequence[str] = ()) -> Proposal:
    """Capture every table that can be captured, of these schemas or of all.

    Raises:
        SourceUnfit: there is no table, or no such schema, or none that can be captured.
    """
    foreign = [r for r in inventory.relations if r.schema == OWN_SCHEMA and r.table.name not in _OWN]
    wanted = [r for r in inventory.relations if r.schema != OWN_SCHEMA and (not schemas or r.schema in schemas)]
    for schema in schemas:
        if not any(relation.schema == schema for relation in wanted):
            raise SourceUnfit(f"schema {schema} has no table", hint="schemas are named as \\dn of psql shows them")
    if not wanted:
        raise SourceUnfit(
            f"database {inventory.server.database} has no tables to capture", hint="is that the right database?"
        )
    partitions = [relation for relation in wanted if relation.table.root is not None]
    whole = [relation for relation in wanted if relation.table.root is None]
    left = [(relation, reason) for relation in whole if (reason := _unfit(relation, partitions))]
    out = {relation.table.quoted for relation, _ in left}
    kept = [relation for relation in whole if relation.table.quoted not in out]
    if not kept:
        reasons = "".join(f"\n  {reason}" for _, reason in left)
        raise SourceUnfit(f"no table of database {inventory.server.database} can be captured:{reasons}")
    names = [relation.table.name for relation in kept]
    exclude = [Exclusion(literal(relation.table.name), reason) for relation, reason in left]
    for root in dict.fromkeys(partition.table.root for partition in partitions):
        mine = [partition.table.name for partition in partitions if partition.table.root == root]
        reason = f"partitions of {root}: their rows come under its name"
        given = {item.pattern for item in exclude}  # tables whose names differ by numbers have the same patterns
        exclude += [Exclusion(pattern, reason) for pattern in _patterns(mine, names) if pattern not in given]
    return Proposal(
        tuple(dict.fromkeys(relation.schema for relation in kept)),
        tuple(names),
        tuple(exclude),
        (*(reason for _, reason in left), *(f"{r.table.name} is in schema cdc, which is cdc's own" for r in foreign)),
    )


def _unfit(relation: Relation, partitions: Iterable[Relation]) -> str | None:
    """Why a table cannot be captured, by the rules of the check that comes later."""
    name = relation.table.name
    if _SCHEMA.fullmatch(relation.schema) is None:
        return f"{name}: Debezium's list of tables cannot name this schema"
    if relation.extension is not None:
        return f"{name} belongs to the extension {relation.extension}"
    if not relation.columns:
        return f"{name} has no column"
    parts = (part.table for part in partitions if part.table.root == name)
    return next((finding.problem for part in (relation.table, *parts) for finding in obstacles(part)), None)


def _patterns(partitions: Sequence[str], tables: Sequence[str]) -> list[str]:
    """Patterns that match these partitions and no table. Where names differ by numbers, those of next month as well."""
    found: dict[str, None] = {}
    for name in partitions:
        pattern = re.sub(r"\d+", r"\\d+", literal(name))
        if any(re.fullmatch(pattern, table, re.IGNORECASE) for table in tables):
            pattern = literal(name)
        found[pattern] = None
    return list(found)


def literal(name: str) -> str:
    """A regular expression for one name. What Debezium's list cannot hold matches as any character."""
    return "".join("." if letter == "," or not letter.isprintable() else re.escape(letter) for letter in name)


def text(proposal: Proposal, name: str, address: Address) -> str:
    """The definition's YAML."""
    lines = [
        f"# What is captured of the database {printable(address.database)}. `cdc connectors init {name}` wrote it, and",
        f"# will not change it: it is yours. After an edit `init` brings {name}.sql in line with it.",
        f"name: {name}",
        "kind: postgres",
        f"topic: {name}",
    ]
    if address.database != name:
        lines.append(f"publication: cdc_{name}")
    lines.append("database:")
    lines += [f"  {key}: ${{secret:{name}/{key}}}" for key in ("host", "port")]
    lines.append(f"  name: {scalar(address.database)}")
    lines += [f"  {key}: ${{secret:{name}/{key}}}" for key in ("user", "password")]
    if address.sslmode != "prefer":
        lines.append(f"  sslmode: {address.sslmode}")
    if address.sslrootcert is not None:
        lines.append(f"  sslrootcert: {scalar(address.sslrootcert)}   # a path on Connect's workers")
    lines.append(f"schemas: [{', '.join(map(scalar, proposal.schemas))}]   # every table in them, tomorrow's too")
    if proposal.exclude:
        lines.append("exclude:")
        lines += [f"  - {scalar(item.pattern)}   # {printable(item.reason)}" for item in proposal.exclude]
    return "\n".join(lines) + "\n"


def demand_exact(inventory: Inventory, definition: Definition, proposal: Proposal) -> None:
    """See that a definition captures what was proposed, no more and no less, in the eyes of Debezium.

    Raises:
        SourceUnfit: two names differ in capitals only, and one of the two is to stay out.
    """
    wrong = {relation.table.name for relation in _matched(inventory, definition)} ^ set(proposal.tables)
    if wrong:
        raise SourceUnfit(
            f"{', '.join(sorted(wrong))}: Debezium, which ignores capitals, cannot tell it from another table",
            hint="rename it, or capture some schemas only (--schema)",
        )


def captured(inventory: Inventory, definition: Definition) -> tuple[Relation, ...]:
    """The tables of the database that a definition captures, without cdc's own.

    Raises:
        SourceUnfit: none.
    """
    found = _matched(inventory, definition)
    if not found:
        raise SourceUnfit(f"{definition.path}: it captures no table that the database has", hint="see `schemas` there")
    return found


def _matched(inventory: Inventory, definition: Definition) -> tuple[Relation, ...]:
    patterns = [re.compile(pattern, re.IGNORECASE) for pattern in include_patterns(definition)]
    return tuple(
        relation
        for relation in inventory.relations
        if relation.table.name not in _OWN and any(pattern.fullmatch(relation.table.name) for pattern in patterns)
    )


def printable(text: str) -> str:
    """A name for a comment: on one line, whatever it holds."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def scalar(text: str) -> str:
    """A YAML scalar, within a flow list too."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", text) is not None and yaml.safe_load(text) == text
    if plain:
        return text
    style = "'" if text.isprintable() else '"'
    return yaml.dump(text, default_style=style, allow_unicode=True, width=10_000).rstrip("\n")

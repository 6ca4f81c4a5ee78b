"""A first policy for a database, from its catalog alone: safe as it stands, and for a person to open up.

What is not part of a key is sealed. A key column, and whatever a foreign key ties to it, is decided once for all of
them, so that joins keep working: a token in one domain where text or a personal name is among them, else clear, because
a number says nothing by itself and hides nothing either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from governance import personal
from governance.errors import PolicyError
from governance.plan import Protect, SubjectRule

Node = tuple[str, str]
"""A table and a column of it."""

_NUMBERS = frozenset({"int2", "int4", "int8", "numeric", "oid", "float4", "float8"})
_TIMES = frozenset({"date", "time", "timetz", "timestamp", "timestamptz", "interval"})


@dataclass(frozen=True, slots=True)
class Column:
    """``base``: PostgreSQL's name of the type below domains and arrays. ``automatic``: identity or sequence. ``state``:
    the type of its column in current state, left clear; empty where no catalog was read.
    """

    name: str
    type: str
    base: str
    enum: bool
    array: bool
    automatic: bool
    state: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key: ``columns`` refer to ``references`` of ``table``."""

    columns: tuple[str, ...]
    table: str
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A captured table; ``title`` is ``schema.table`` as policies write it."""

    title: str
    schema: str
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """How one column should be protected, and why. ``meaning``: what its name suggests about a person."""

    column: Column
    protect: Protect
    domain: str | None
    meaning: str | None
    why: str


@dataclass(frozen=True, slots=True)
class TableChoice:
    """A table's choices. ``subjects``: whose keys could protect a row, likeliest first."""

    table: Table
    columns: tuple[Choice, ...]
    subjects: tuple[SubjectRule, ...]


def suggest(source: str, tables: Sequence[Table], clear: Iterable[str] = ()) -> tuple[TableChoice, ...]:
    """Choose for every column. ``clear``: patterns (``*``, ``?``) of ``[schema.]table.column`` to leave in clear.

    Raises:
        PolicyError: a pattern matches no column.
    """
    return _Suggestion(source, tables, tuple(clear)).choices()


class _Suggestion:
    """The columns of one database, those that foreign keys tie together in one group."""

    def __init__(self, source: str, tables: Sequence[Table], clear: tuple[str, ...]) -> None:
        self._source = source
        self._tables = {table.title: table for table in tables}
        self._columns = {(table.title, column.name): column for table in tables for column in table.columns}
        self._opened = _matching(clear, self._tables.values())
        self._targets: dict[Node, list[Node]] = {}
        for node, target in self._ties():
            self._targets.setdefault(node, []).append(target)
        self._groups = _connected((node, target) for node, targets in self._targets.items() for target in targets)
        self._domains: dict[frozenset[Node], str] = {}
        self._people = self._people_keys()

    def choices(self) -> tuple[TableChoice, ...]:
        """All tables, in the order given."""
        return tuple(
            TableChoice(table, tuple(self._choice((table.title, c.name)) for c in table.columns), self._subjects(table))
            for table in self._tables.values()
        )

    def _ties(self) -> Iterator[tuple[Node, Node]]:
        """Referring column → column referred to, where both are captured."""
        for table in self._tables.values():
            for reference in table.references:
                for here, there in zip(reference.columns, reference.references, strict=True):
                    node, target = (table.title, here), (reference.table, there)
                    if node in self._columns and target in self._columns:
                        yield node, target

    def _choice(self, node: Node) -> Choice:
        column, meaning = self._columns[node], self._meaning(node)
        group = self._groups.get(node, frozenset({node}))
        in_key = node[1] in self._tables[node[0]].key
        if node in self._opened:
            return Choice(column, "clear", None, meaning, "asked for with --clear")
        if not in_key and node not in self._groups:
            return Choice(column, "seal", None, meaning, "")
        if opened := sorted(group & self._opened):
            return Choice(column, "clear", None, meaning, f"joins {_title(opened[0])}, asked for with --clear")
        role = self._role(node, in_key)
        named = sorted(member for member in group if self._speaks(member))
        if not named:
            return Choice(column, "clear", None, meaning, f"{role}: {_harmless(column)}")
        by = "" if node in named else f" (for {_title(named[0])})"
        return Choice(column, "token", self._domain(group), meaning, f"{role}: equal values get equal tokens{by}")

    def _role(self, node: Node, in_key: bool) -> str:
        targets = self._targets.get(node)
        words = ["key"] if in_key else []
        if targets:
            words.append(f"refers to {_title(targets[0])}")
        elif not in_key:
            words.append("referred to")
        return ", ".join(words)

    def _speaks(self, node: Node) -> bool:
        """Whether a value could say who somebody is."""
        column = self._columns[node]
        plain = column.base in _NUMBERS or column.base in _TIMES or column.base in {"uuid", "bool"} or column.enum
        return not plain or column.array or self._meaning(node) is not None

    def _meaning(self, node: Node) -> str | None:
        return personal.meaning(node[1], self._tables[node[0]].name)

    def _domain(self, group: frozenset[Node]) -> str:
        """A domain named after the column that all others refer to. Another source's is another one."""
        if group not in self._domains:
            ends = sorted(node for node in group if node not in self._targets) or sorted(group)
            table, column = ends[0]
            words = re.sub(r"[^a-z0-9]+", "_", f"{self._source}_{table.removeprefix('public.')}_{column}".lower())
            name, number = words.strip("_"), 1
            while name in self._domains.values():
                number += 1
                name = f"{words.strip('_')}_{number}"
            self._domains[group] = name
        return self._domains[group]

    def _people_keys(self) -> dict[Node, str]:
        """Key columns that stand for a person, with a name for that kind of subject."""
        found = {}
        for table in self._tables.values():
            meanings = {self._meaning((table.title, column.name)) for column in table.columns} - {None}
            if len(table.key) == 1 and personal.names_people(table.name) and meanings:
                kind = re.sub(r"[^a-z0-9]+", "_", personal.singular(table.name).lower()).strip("_")
                found[table.title, table.key[0]] = kind if re.match("[a-z]", kind) and kind != "source" else "person"
        return found

    def _subjects(self, table: Table) -> tuple[SubjectRule, ...]:
        nodes = [(table.title, column.name) for column in table.columns]
        people = [(node, person) for node in nodes for person in (node, *self._targets.get(node, ()))]
        found = [SubjectRule(self._people[person], node[1]) for node, person in people if person in self._people]
        return tuple(dict.fromkeys(found))


def _harmless(column: Column) -> str:
    if column.automatic:
        return "a number that the database counts"
    if column.enum:
        return "one of a few words that the schema lists"
    if column.base == "uuid":
        return "an identifier without meaning of its own"
    return "a time" if column.base in _TIMES else "a yes or no" if column.base == "bool" else "a number"


def _title(node: Node) -> str:
    return f"{node[0]}.{node[1]}"


def _matching(patterns: Sequence[str], tables: Iterable[Table]) -> frozenset[Node]:
    found: set[Node] = set()
    listed = [(table, column.name) for table in tables for column in table.columns]
    for pattern in patterns:
        matched = {
            (table.title, column)
            for table, column in listed
            if fnmatchcase(f"{table.schema}.{table.name}.{column}", pattern)
            or fnmatchcase(f"{table.name}.{column}", pattern)
        }
        if not matched:
            raise PolicyError(f"--clear {pattern}: matches no column", hint="[SCHEMA.]TABLE.COLUMN, with * and ?")
        found |= matched
    return frozenset(found)


def _connected(ties: Iterable[tuple[Node, Node]]) -> Mapping[Node, frozenset[Node]]:
    """Each node's group: all that it is tied to, over any number of ties."""
    groups: dict[Node, set[Node]] = {}
    for one, other in ties:
        merged = groups.get(one, {one}) | groups.get(other, {other})
        for node in merged:
            groups[node] = merged
    frozen = {id(group): frozenset(group) for group in groups.values()}
    return {node: frozen[id(group)] for node, group in groups.items()}

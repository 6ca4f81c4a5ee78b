"""Reads a policy file (YAML), strictly: what is not understood is refused, with file, line, table and column.

::

    source: trading                       # the logical name of the source
    messages: seal                        # optional: seal (default) | clear; logical decoding messages
    tables:
      public.customers:
        subject: {type: customer, column: customer_id}      # optional
        retention: books-and-records      # optional: books-and-records (default) | operational
        key: [customer_id]                # optional: lets a sealed key column be refused here, not only at run time
        columns:
          customer_id: clear              # clear | seal | drop, or in full:
          email: {protect: token, domain: email, class: personal, tier: 0}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar

import yaml

from governance.errors import PolicyError
from governance.plan import ColumnRule, Messages, Plan, Policy, Protect, Retention, SubjectRule, TableRule

__all__ = ["Plan", "Policy", "load", "parse"]

T = TypeVar("T")
_PART = r'(?:[a-z_][a-z0-9_$]*|"(?:[^"]|"")+")'
_TABLE = re.compile(rf"{_PART}\.{_PART}")
_NAME = re.compile(r"[a-z][a-z0-9_]*")  # no dot: a column's own domain has dots, so the two never meet
_CLASS = re.compile(r"[a-z][a-z0-9-]*")
_PROTECT: dict[str, Protect] = {"clear": "clear", "token": "token", "seal": "seal", "drop": "drop"}
_RETENTION: dict[str, Retention] = {"books-and-records": "books-and-records", "operational": "operational"}
_MESSAGES: dict[str, Messages] = {"seal": "seal", "clear": "clear"}


def load(path: Path | str) -> Policy:
    """The policy in ``path``. PolicyError names file, line, ``table.column`` and what to do."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        problem = f"{path}: cannot read the policy ({error.strerror})"
        raise PolicyError(problem, hint="check the source's policy setting; `cdc policy init` writes one") from None
    except UnicodeDecodeError:
        raise PolicyError(f"{path}: the policy is not UTF-8 text", hint="save the file as UTF-8") from None
    return parse(text, path)


def parse(text: str, path: Path | str = "policy") -> Policy:
    """The policy in ``text``; ``path`` is for messages."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise PolicyError(f"{path}{line}: not YAML: {error.problem}", hint="mend the syntax there") from None
    except (yaml.YAMLError, RecursionError):
        raise PolicyError(f"{path}: not YAML", hint="it holds characters or nesting that YAML does not allow") from None
    if root is None:
        raise PolicyError(f"{path}: the policy is empty", hint="begin with source: and tables:")
    return _policy(_Place(str(path), root, ""))


@dataclass(frozen=True, slots=True)
class _Place:
    """A node of the file, and where it is: ``what`` is ``table.column`` or a part of it."""

    path: str
    node: yaml.Node
    what: str

    def refuse(self, problem: str, hint: str) -> NoReturn:
        where = f"{self.path}:{self.node.start_mark.line + 1}"
        raise PolicyError(f"{where}: {self.what + ': ' if self.what else ''}{problem}", hint=hint)

    def text(self, expected: str) -> str:
        node = self.node
        if not isinstance(node, yaml.ScalarNode) or node.tag != "tag:yaml.org,2002:str":
            self.refuse("not a text", f"write {expected}")
        return str(node.value)

    def one_of(self, names: Mapping[str, T]) -> T:
        expected = " | ".join(names)
        found = self.text(expected)
        if found not in names:
            self.refuse(f"{found!r} is not known", f"write {expected}")
        return names[found]

    def matching(self, pattern: re.Pattern[str], expected: str) -> str:
        found = self.text(expected)
        if not pattern.fullmatch(found):
            self.refuse(f"{found!r} is no {expected}", f"write one that matches {pattern.pattern}")
        return found

    def members(self, expected: str) -> Iterator[tuple[str, _Place, _Place]]:
        """Name, place of the name, place of the value. Refuses anything but a mapping, and a name that comes twice."""
        if not isinstance(self.node, yaml.MappingNode):
            self.refuse("not a mapping", f"write {expected}")
        seen = set()
        for name_node, value in self.node.value:
            if not isinstance(name_node, yaml.ScalarNode) or name_node.tag == "tag:yaml.org,2002:merge":
                _Place(self.path, name_node, self.what).refuse("not a name", f"write {expected}")
            name = name_node.value  # as it is written: a column may be called `on` or `null`
            if name in seen:
                _Place(self.path, name_node, self.what).refuse(f"{name} comes twice", "keep one of them")
            seen.add(name)
            yield name, _Place(self.path, name_node, self.what), _Place(self.path, value, self.what)

    def fields(self, required: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, _Place]:
        """A mapping with these members, and no others."""
        known = ", ".join(required + optional)
        found = {}
        for name, at, value in self.members(known):
            if name not in required + optional:
                at.refuse(f"{name!r} is not known here", f"the members are {known}")
            found[name] = value
        for name in required:
            if name not in found:
                self.refuse(f"{name} is missing", f"the members are {known}")
        return found

    def within(self, what: str) -> _Place:
        return _Place(self.path, self.node, what)


def _policy(root: _Place) -> Policy:
    fields = root.fields(("source", "tables"), ("messages",))
    messages = fields["messages"].within("messages").one_of(_MESSAGES) if "messages" in fields else "seal"
    tables = {}
    for name, at, value in fields["tables"].within("tables").members("table: {columns: …}"):
        if not _TABLE.fullmatch(name):
            at.refuse(f"{name!r} is no table name", 'write schema.table, with "…" around a part that is not lower case')
        tables[name] = _table(name, value.within(name))
    return Policy(fields["source"].within("source").matching(_NAME, "source name"), messages, tables)


def _table(table: str, at: _Place) -> TableRule:
    fields = at.fields(("columns",), ("subject", "retention", "key"))
    retention = fields["retention"].one_of(_RETENTION) if "retention" in fields else "books-and-records"
    columns = {}
    for name, _, value in fields["columns"].members("column: clear | seal | drop | {protect: …}"):
        here = value.within(f"{table}.{name}")
        columns[name] = rule = _column(here)
        if rule.protect == "drop" and retention == "books-and-records":
            here.refuse(
                "drop in a books-and-records table: the record could not be re-created", "seal it, or correct retention"
            )
    key = _key(table, fields["key"], columns) if "key" in fields else None
    subject = _subject(fields["subject"], columns) if "subject" in fields else None
    return TableRule(subject, retention, columns, key)


def _column(at: _Place) -> ColumnRule:
    if isinstance(at.node, yaml.MappingNode):
        fields = at.fields(("protect",), ("domain", "class", "tier"))
        protect = fields["protect"].one_of(_PROTECT)
    else:
        fields, protect = {}, at.one_of(_PROTECT)
    if protect == "token" and "domain" not in fields:
        at.refuse("a token needs a domain", "write {protect: token, domain: …}: tokens of one domain can be joined")
    if protect != "token" and "domain" in fields:
        at.refuse(f"{protect} has no domain", "take the domain away, or write protect: token")
    return ColumnRule(
        protect,
        fields["domain"].matching(_NAME, "domain") if "domain" in fields else None,
        fields["class"].matching(_CLASS, "class") if "class" in fields else None,
        _tier(fields["tier"]) if "tier" in fields else 0,
    )


def _tier(at: _Place) -> int:
    node = at.node
    if (
        not isinstance(node, yaml.ScalarNode)
        or not re.fullmatch(r"0|[1-9][0-9]{0,2}", node.value)
        or int(node.value) > 255
    ):
        at.refuse("the tier is not a whole number of 0..255", "write a number, 0 for the ordinary tier")
    return int(node.value)


def _subject(at: _Place, columns: Mapping[str, ColumnRule]) -> SubjectRule:
    fields = at.fields(("type", "column"), ())
    type_, column = fields["type"].matching(_NAME, "subject type"), fields["column"].text("a column's name")
    if type_ == "source":
        fields["type"].refuse(
            "the subject type source is taken", "it is the one of tables without a person: name another"
        )
    if column not in columns:
        fields["column"].refuse(f"the subject column {column!r} is not among the columns", "list it there")
    return SubjectRule(type_, column)


def _key(table: str, at: _Place, columns: Mapping[str, ColumnRule]) -> tuple[str, ...]:
    if not isinstance(at.node, yaml.SequenceNode):
        at.refuse("key is not a list", "write key: [column, …]")
    names = []
    for node in at.node.value:
        place = _Place(at.path, node, table)
        name = place.text("a column's name")
        rule = columns.get(name)
        here = place.within(f"{table}.{name}")
        if rule is not None and rule.protect not in {"clear", "token"}:
            here.refuse(
                f"{rule.protect} on a key column", "write token with a domain, or clear: rows are found by their key"
            )
        names.append(name)
    return tuple(names)

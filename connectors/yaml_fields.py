"""YAML read strictly: every error names the file, the line and the field, and no value is ever guessed or printed.

The nodes of a text know the file that they come from, so that a mapping made of several files
(:mod:`connectors.overlay`) still says where each field stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from connectors.errors import DefinitionError

_BOOLEAN = "tag:yaml.org,2002:bool"
_INTEGER = "tag:yaml.org,2002:int"
_NULL = "tag:yaml.org,2002:null"
_STRING = "tag:yaml.org,2002:str"
_TRUE = frozenset({"yes", "true", "on"})


def read(path: Path) -> yaml.MappingNode:
    """The mapping at the root of a YAML file.

    Raises:
        DefinitionError: no such file, not YAML, not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DefinitionError(
            f"{path}: no such file", hint="the definitions of this installation are in connectors/definitions"
        ) from None
    except OSError as error:
        raise DefinitionError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DefinitionError(f"{path}: not UTF-8") from None
    return parse(text, path)


def parse(text: str, path: Path) -> yaml.MappingNode:
    """The mapping at the root of a YAML text; ``path`` is for messages.

    Raises:
        DefinitionError: not YAML, not a mapping.
    """
    try:
        loader = yaml.SafeLoader(text)
        loader.name = str(path)  # what the marks of its nodes say
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except RecursionError:
        raise DefinitionError(f"{path}: nested too deeply") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        raise DefinitionError(f"{where}: not YAML: {getattr(error, 'problem', None) or 'malformed'}") from None
    if not isinstance(node, yaml.MappingNode):
        raise DefinitionError(f"{path}: a mapping is needed, such as `name: trading`")
    return node


def place(node: yaml.Node) -> str:
    """``file:line`` of a node."""
    return f"{node.start_mark.name}:{node.start_mark.line + 1}"


def children(node: yaml.MappingNode) -> dict[str, tuple[yaml.ScalarNode, yaml.Node]]:
    """Name → the node of the name, the node of the value.

    Raises:
        DefinitionError: a name that stands twice, or is none.
    """
    found: dict[str, tuple[yaml.ScalarNode, yaml.Node]] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.value in found:
            raise DefinitionError(f"{place(key)}: a field that stands twice, or is not a name")
        found[key.value] = (key, value)
    return found


def is_null(node: yaml.Node) -> bool:
    """Whether it is YAML's null: ``null``, ``~`` or nothing."""
    return isinstance(node, yaml.ScalarNode) and node.tag == _NULL


def is_text(node: yaml.Node) -> bool:
    """Whether it is a text with something in it. Numbers and booleans are not taken for text."""
    return isinstance(node, yaml.ScalarNode) and node.tag == _STRING and bool(node.value)


@dataclass(frozen=True, slots=True)
class Fields:
    """One mapping with its place."""

    name: str
    node: yaml.MappingNode

    def __repr__(self) -> str:
        return f"<Fields {place(self.node)} {self.name}>"

    def wrong(self, key: str, problem: str, hint: str | None = None) -> DefinitionError:
        """The error to raise for one of the fields."""
        node = next((name for name, _ in self.node.value if name.value == key), self.node)
        field = f"{self.name}.{key}" if self.name else key
        return DefinitionError(f"{place(node)}: {field}: {problem}", hint=hint)

    def only(self, *known: str) -> None:
        """Refuse every key but these, and a key that stands twice."""
        for key in self.names():
            if key not in known:
                raise self.wrong(key, "unknown field", hint=f"known here: {', '.join(known)}")

    def names(self) -> tuple[str, ...]:
        """What is given, in the order of the file."""
        return tuple(children(self.node))

    def has(self, key: str) -> bool:
        """Whether the field is given."""
        return key in children(self.node)

    def fields(self, key: str) -> Fields:
        """A nested mapping."""
        node = self._given(key)
        if not isinstance(node, yaml.MappingNode):
            raise self.wrong(key, "a mapping is needed")
        return Fields(f"{self.name}.{key}" if self.name else key, node)

    def text(self, key: str) -> str:
        """A non-empty string. Numbers and booleans are not taken for text."""
        node = self._given(key)
        if not is_text(node):
            raise self.wrong(
                key,
                "a non-empty text is needed",
                hint="put it in quotes if it looks like a number, a date or a boolean",
            )
        return str(node.value)

    def integer(self, key: str, least: int, most: int) -> int:
        """A whole number within bounds, both included."""
        node = self._given(key)
        if isinstance(node, yaml.ScalarNode) and node.tag == _INTEGER and node.value.isascii() and node.value.isdigit():
            value = int(node.value)
            if least <= value <= most:
                return value
        raise self.wrong(key, f"a whole number from {least} to {most} is needed")

    def text_or_integer(self, key: str, least: int, most: int) -> str:
        """A text such as a reference, or a whole number within bounds, as text."""
        node = self._given(key)
        if isinstance(node, yaml.ScalarNode) and node.tag == _INTEGER:
            return str(self.integer(key, least, most))
        return self.text(key)

    def setting(self, key: str) -> str:
        """A text, a whole number or a boolean, as Connect gets it: ``true``, ``-1``."""
        node = self._given(key)
        if isinstance(node, yaml.ScalarNode) and node.tag == _BOOLEAN:
            return "true" if node.value.lower() in _TRUE else "false"
        if isinstance(node, yaml.ScalarNode) and node.tag == _INTEGER:
            digits = node.value.removeprefix("-")
            if digits.isascii() and digits.isdigit() and (digits == "0" or digits[0] != "0"):
                return str(node.value)
        elif is_text(node):
            return str(node.value)
        raise self.wrong(key, "a text, a whole number, true or false is needed", hint="put anything else in quotes")

    def texts(self, key: str) -> tuple[str, ...]:
        """A non-empty list of different texts."""
        node = self._given(key)
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            raise self.wrong(key, "a list with at least one entry is needed", hint=f"{key}: [one, two]")
        found: list[str] = []
        for item in node.value:
            if not is_text(item) or item.value in found:
                raise DefinitionError(f"{place(item)}: {key}: each entry must be a text, and stand once")
            found.append(item.value)
        return tuple(found)

    def _given(self, key: str) -> yaml.Node:
        try:
            return children(self.node)[key][1]
        except KeyError:
            raise self.wrong(key, "missing") from None

"""YAML read strictly: every error names the file, the line and the field, and no value is ever guessed or printed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from connectors.errors import DefinitionError

_INTEGER = "tag:yaml.org,2002:int"
_STRING = "tag:yaml.org,2002:str"


def read(path: Path) -> Fields:
    """The mapping at the root of a YAML file.

    Raises:
        DefinitionError: no such file, not YAML, not a mapping, a key twice.
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


def parse(text: str, path: Path) -> Fields:
    """The mapping at the root of a YAML text; ``path`` is for messages.

    Raises:
        DefinitionError: not YAML, not a mapping, a key twice.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except RecursionError:
        raise DefinitionError(f"{path}: nested too deeply") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        raise DefinitionError(f"{where}: not YAML: {getattr(error, 'problem', None) or 'malformed'}") from None
    if not isinstance(node, yaml.MappingNode):
        raise DefinitionError(f"{path}: a mapping is needed, such as `name: trading`")
    return Fields(path, "", node)


@dataclass(frozen=True, slots=True)
class Fields:
    """One mapping with its place in the file."""

    path: Path
    name: str
    node: yaml.MappingNode

    def __repr__(self) -> str:
        return f"<Fields {self.path} {self.name}>"

    def wrong(self, key: str, problem: str, hint: str | None = None) -> DefinitionError:
        """The error to raise for one of the fields."""
        node = next((name for name, _ in self.node.value if name.value == key), self.node)
        field = f"{self.name}.{key}" if self.name else key
        return DefinitionError(f"{self.path}:{node.start_mark.line + 1}: {field}: {problem}", hint=hint)

    def only(self, *known: str) -> None:
        """Refuse every key but these, and a key that stands twice."""
        for key in self._children():
            if key not in known:
                raise self.wrong(key, "unknown field", hint=f"known here: {', '.join(known)}")

    def has(self, key: str) -> bool:
        """Whether the field is given."""
        return key in self._children()

    def fields(self, key: str) -> Fields:
        """A nested mapping."""
        node = self._given(key)
        if not isinstance(node, yaml.MappingNode):
            raise self.wrong(key, "a mapping is needed")
        return Fields(self.path, f"{self.name}.{key}" if self.name else key, node)

    def text(self, key: str) -> str:
        """A non-empty string. Numbers and booleans are not taken for text."""
        node = self._given(key)
        if not isinstance(node, yaml.ScalarNode) or node.tag != _STRING or not node.value:
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

    def texts(self, key: str) -> tuple[str, ...]:
        """A non-empty list of different texts."""
        node = self._given(key)
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            raise self.wrong(key, "a list with at least one entry is needed", hint=f"{key}: [one, two]")
        found: list[str] = []
        for item in node.value:
            if not isinstance(item, yaml.ScalarNode) or item.tag != _STRING or not item.value or item.value in found:
                raise DefinitionError(
                    f"{self.path}:{item.start_mark.line + 1}: {key}: each entry must be a text, and stand once"
                )
            found.append(item.value)
        return tuple(found)

    def _given(self, key: str) -> yaml.Node:
        try:
            return self._children()[key]
        except KeyError:
            raise self.wrong(key, "missing") from None

    def _children(self) -> dict[str, yaml.Node]:
        children: dict[str, yaml.Node] = {}
        for key, value in self.node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in children:
                raise DefinitionError(
                    f"{self.path}:{key.start_mark.line + 1}: a field that stands twice, or is not a name"
                )
            children[key.value] = value
        return children

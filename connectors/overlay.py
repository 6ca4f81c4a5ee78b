"""One definition on top of another: ``extends: base.yaml``, so that environments differ by a few lines.

::

    # production.yaml
    extends: base.yaml          # counted from this file's folder; it may extend another
    replication_factor: 3       # in place of the base's
    database:
      sslmode: verify-full      # beside the base's other members of `database`
    exclude: ~                  # takes the base's away

Mappings are joined member by member; everything else, lists too, takes the place of what the base says (as values files
of Helm and overrides of Compose do). What is checked is the whole that comes out of it, and every error names the file
and the line that the field stands in.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from connectors.errors import DefinitionError
from connectors.yaml_fields import Fields, children, is_null, is_text, parse, place, read

EXTENDS = "extends"


def load(path: Path) -> Fields:
    """The fields of a file and of all that it extends.

    Raises:
        DefinitionError: no such file, not YAML, a base that is missing or builds on what builds on it.
    """
    return _joined(path, read(path))


def loads(text: str, path: Path) -> Fields:
    """The same for a text; ``path`` is where it will be.

    Raises:
        DefinitionError: as :func:`load`.
    """
    return _joined(path, parse(text, path))


def _joined(path: Path, node: yaml.MappingNode) -> Fields:
    try:
        return Fields("", _with_base(node, (path,)))
    except RecursionError:
        raise DefinitionError(f"{path}: nested too deeply") from None


def _with_base(node: yaml.MappingNode, chain: tuple[Path, ...]) -> yaml.MappingNode:
    """``chain``: the files that led here; the last is the node's own."""
    own = children(node)
    if EXTENDS not in own:
        return node
    key, value = own.pop(EXTENDS)
    if not is_text(value):
        raise DefinitionError(
            f"{place(key)}: {EXTENDS}: the path of one definition is needed", hint="extends: base.yaml"
        )
    base = chain[-1].parent / str(value.value)
    if base.resolve() in {path.resolve() for path in chain}:
        way = " → ".join(str(path) for path in (*chain, base))
        raise DefinitionError(f"{place(key)}: {EXTENDS}: a definition cannot build on itself: {way}")
    if not base.is_file():
        raise DefinitionError(
            f"{place(key)}: {EXTENDS}: {base}: no such file", hint="it is counted from this file's folder"
        )
    rest = yaml.MappingNode(node.tag, list(own.values()), node.start_mark, node.end_mark)
    return _merged(_with_base(read(base), (*chain, base)), rest, "")


def _merged(base: yaml.MappingNode, over: yaml.MappingNode, name: str) -> yaml.MappingNode:
    found = children(base)
    for key, (at, value) in children(over).items():
        field = f"{name}.{key}" if name else key
        below = found[key][1] if key in found else None
        if is_null(value):
            if below is None:
                raise DefinitionError(f"{place(at)}: {field}: nothing to take away: {base.start_mark.name} has none")
            del found[key]
        elif isinstance(value, yaml.MappingNode) and isinstance(below, yaml.MappingNode):
            found[key] = (at, _merged(below, value, field))
        else:
            found[key] = (at, value)
    return yaml.MappingNode(over.tag, list(found.values()), over.start_mark, over.end_mark)

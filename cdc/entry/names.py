"""How a table is named in the log: ``schema.table``, each part quoted only where it must be (docs/formats.md §3)."""

from __future__ import annotations

import re
from hashlib import sha256

from cdc.entry.canonical import EntryError

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")
_PART = r'([a-z_][a-z0-9_$]*|"(?:[^"]|"")+")'
_OWN = re.compile(r"_(key|version|seq|committed_at|deleted|copies)_*")
_LONGEST = 63
_SHORT = _LONGEST // 4
"""Characters that are at most 63 bytes of UTF-8."""
_QUALIFIED = re.compile(rf"{_PART}\.{_PART}")


def state_column(name: str) -> str:
    """The name that a source's column has in state tables and their views: its own, but with one more ``_`` at the end
    where it is, up to such underscores, the name of a column that state tables add; and one that is longer than
    63 bytes, as PostgreSQL's are (MariaDB's have up to 64 characters), ends in a digest. No two columns get one name.
    """
    if len(name) > _SHORT and len(raw := name.encode()) > _LONGEST:
        return raw[: _LONGEST - 11].decode(errors="ignore") + "~" + sha256(raw).hexdigest()[:10]
    return name + "_" if _OWN.fullmatch(name) else name


def qualified_name(schema: str, table: str) -> str:
    """The log's name of a table: ``public.orders``, ``"Back Office".trades``, a quote in a part doubled.

    Raises :class:`EntryError` for an empty part, which no database allows.
    """
    return f"{_quoted(schema)}.{_quoted(table)}"


def split_qualified_name(name: str) -> tuple[str, str]:
    """Schema and table of a name as :func:`qualified_name` writes it.

    Raises :class:`EntryError` for any other spelling.
    """
    parts = _QUALIFIED.fullmatch(name)
    if parts is None:
        raise EntryError("not a qualified table name")
    schema, table = (_unquoted(part) for part in parts.groups())
    if qualified_name(schema, table) != name:
        raise EntryError("a part of a table name is quoted without need")
    return schema, table


def _quoted(part: str) -> str:
    if not part:
        raise EntryError("a part of a table name is empty")
    return part if _PLAIN.fullmatch(part) else '"' + part.replace('"', '""') + '"'


def _unquoted(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part

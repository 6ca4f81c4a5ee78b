"""Which tables the log knows, and which of them a name on the command line means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from cdc.audit.reading import Reading
from cdc.entry import split_qualified_name
from cdc.errors import NotFound

_KNOWN = "SELECT DISTINCT log, table_name FROM pipeline.table_version ORDER BY 1, 2"
_LISTED = 12
"""Names that a message lists at most."""


@dataclass(frozen=True, slots=True, order=True)
class Table:
    """One table of one source: the log's name, and the table's as entries have it."""

    log: str
    name: str

    @property
    def title(self) -> str:
        """``source.schema.table``: what every command accepts."""
        return f"{self.log}.{self.name}"


def known(reading: Reading) -> list[Table]:
    """Every table of which a log has described a version, also where current state is suspended."""
    return [Table(*row) for row in reading.rows(_KNOWN)]


def resolve(wanted: str, tables: Iterable[Table]) -> Table:
    """The table that ``[source.][schema.]table`` names, each part exactly as the source spells it.

    Parts may be quoted as in SQL. A spelling that quotes what must be quoted wins over one that does not.

    Raises:
        NotFound: none, or several; the message names candidates.
    """
    tables = list(tables)
    for spelt in (_exact, _quoted, _bare):
        found = [table for table in tables if wanted in spelt(table)]
        if len(found) == 1:
            return found[0]
        if found:
            raise NotFound(f"several tables have that name: {_list(found)}", hint="name the source and the schema, too")
    if not tables:
        raise NotFound("the log knows no table yet", hint="cdc status")
    near = _near(wanted, tables)
    if near:
        raise NotFound(
            f"no log knows a table of that name; there is {_list(near)}", hint=f"names are exact: {near[0].title}"
        )
    raise NotFound(f"no log knows a table of that name; there are {_list(tables)}", hint="[source.][schema.]table")


def _exact(table: Table) -> set[str]:
    return {table.title}


def _quoted(table: Table) -> set[str]:
    schema, name = split_qualified_name(table.name)
    short = {table.name} | ({table.name.removeprefix("public.")} if schema == "public" else set())
    always = ".".join('"' + part.replace('"', '""') + '"' for part in (schema, name))
    names = short | {always} | ({always.partition(".")[2]} if schema == "public" else set())
    return names | {f"{table.log}.{each}" for each in names}


def _bare(table: Table) -> set[str]:
    schema, name = split_qualified_name(table.name)
    names = {f"{schema}.{name}"} | ({name} if schema == "public" else set())
    return names | {f"{table.log}.{each}" for each in names}


def _near(wanted: str, tables: list[Table]) -> list[Table]:
    """Tables whose name differs in case, or a little."""
    spelt = {each.casefold(): table for table in tables for each in _bare(table) | _quoted(table)}
    close = get_close_matches(wanted.casefold(), spelt, n=3, cutoff=0.7)
    return list(dict.fromkeys(spelt[each] for each in close))


def _list(tables: list[Table]) -> str:
    named = ", ".join(table.title for table in sorted(tables)[:_LISTED])
    return named if len(tables) <= _LISTED else f"{named} and {len(tables) - _LISTED} more"

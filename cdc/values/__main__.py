# ruff: noqa: E501 - lines of a table
"""Prints ``docs/types.md``: ``python -m cdc.values``."""

from __future__ import annotations

from cdc.values import mariadb_document, postgres
from cdc.values.typing import Listed

_HEAD = """# Types

Printed by `python -m cdc.values`; a test compares it. What a column becomes where its policy leaves it `clear`: on Kafka, in an entry
([formats](formats.md) §2), in current state and history. `exact`: the state column writes the text that the source's column writes. `text`: the
value is not typed, the note says what its text is. `limit`: Debezium writes less than some values; the note says which.

A value that a state column cannot hold suspends that table's state (`value-refused`, [operations](operations.md#suspended-tables)); its history goes on.
A type that is in no table here lands as the text of the wire, and the `schema` entry of its table says `"state": "text"`.
"""
_AFTER = """
All of this is tested with connector 3.7.0.Final: on PostgreSQL 18 (`tests/real/test_types.py`), and xml, citext, ltree, hstore, cube, seg and isn, which that server does not have,
on Debian's (`tests/real/test_types_contrib.py`).

`infinity` and `-infinity` of a `date` arrive as one of several days beyond PostgreSQL's calendar, of a snapshot others than of the stream; entries hold the word. A date before
15 October 1582 that the snapshot spelt wrongly stays so in state until its row changes; `cdc audit verify` takes the two spellings for one value, and of a protected date it cannot see
whether they are. A table without a key then suspends alone (`state-diverged`), as it does where a column was added with a default. No other mode of `time.precision.mode` is
used: `isostring` is the one in which dates and times keep all their digits as text.

A `citext` key lands as text, so `Abc` and `ABC` are two keys here where the source has one. An update that changes only the case is a key change (delete and create); no two
live rows come of it, because the source does not let two be. What refers to such a key in another case does not join with it in SQL unless both sides are folded, and never as tokens.

Not captured:

| type | what Debezium does | what happens |
|---|---|---|
| arrays of money, name, interval, bit varying, xml, point, refcursor | leaves the column out, silently | `cdc connectors apply` refuses (`array_left_out`) |
| arrays of arrays | null for each element | refused (`nested_array`) |
| int2vector, oidvector, bit arrays, box arrays, refcursor | its task fails | refused (`unreadable_type`) |
| arrays of enums, domains, composites, `ltree` with a null in them; timetz with seconds in its offset | its task fails | the connector stands still, the slot keeps the changes |
| `numeric` without precision, and arrays, in a schema that has a table or type of that name (`numeric`, `date`) | takes the one for the other; its task fails | refused (`shadowed_type`); the table of that name itself is captured |
"""
_MARIADB = """
## MariaDB

Seen with connector 3.5.0.Final. `uuid`, `inet4`, `inet6` and enum labels with a backslash are refused (`type_changed`, [connectors](connectors.md#mariadb)).

"""


def document() -> str:
    """The whole text."""
    return (
        _HEAD
        + "\n## PostgreSQL\n\n"
        + _table(postgres.listed())
        + _AFTER
        + _MARIADB
        + _table(mariadb_document.listed())
    )


def _table(lines: list[Listed]) -> str:
    rows = ["| source | wire | entry | state | | note |", "|---|---|---|---|---|---|"]
    rows += [
        f"| {line.source} | {line.wire} | {line.entry} | {line.typing.state} | {line.typing.fidelity} | {line.typing.note} |"
        for line in lines
    ]
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(document(), end="")

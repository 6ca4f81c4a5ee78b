"""What a column of MariaDB's catalog becomes in current state, before any record of it was seen.

``tests/real/test_mariadb_types.py`` holds the outcome to the columns that a worker made.
"""

from __future__ import annotations

import re

from cdc.event import Column
from cdc.values.mariadb import CONNECTOR, typing_of

_DECLARED = re.compile(r"(\w+)(?:\((\d+)(?:,\d+)?\))?.*?((?: unsigned| zerofill)*)", re.DOTALL)


def state_type(declared: str) -> str:
    """The type of the state column of a column that is left clear.

    ``declared``: as ``information_schema.columns.column_type`` has it (``int(10) unsigned``, ``enum('a','b')``).
    """
    found = _DECLARED.fullmatch(declared)
    if found is None:
        return "text"
    wire = "boolean" if declared == "bit(1)" else "string"
    return typing_of(Column("", (found[1] + found[3]).upper(), found[2], None, wire, True, "", CONNECTOR)).state

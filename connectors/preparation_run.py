"""Runs a preparation file as it stands, edited or not: paragraph by paragraph, each a transaction of its own."""

from __future__ import annotations

import re

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812

from connectors.errors import SourceUnfit, Unreachable

_HINTS = {
    "42501": "a superuser runs it: psql -v ON_ERROR_STOP=1 -f {file}",
    "55P03": "a transaction holds that table for longer than 10 s: run it again",
}
"""SQLSTATE → what to do (insufficient_privilege, lock_not_available)."""
_OTHERWISE = "the server's log has the statement; mend it and run it again"


def paragraphs(text: str) -> list[str]:
    """What stands between blank lines, without paragraphs that are only comment."""
    blocks = re.split(r"\n[ \t]*\n", text)
    return [
        block.strip()
        for block in blocks
        if any(line.strip() and not line.lstrip().startswith("--") for line in block.splitlines())
    ]


def run(connection: Connection, text: str, file: str) -> int:
    """Run it; returns the number of paragraphs. ``file`` is for messages. It may be run again after any error.

    Raises:
        SourceUnfit: the server refuses a paragraph. Those before it are done.
        Unreachable: the connection was lost.
    """
    connection.autocommit = True
    found = paragraphs(text)
    for number, paragraph in enumerate(found, 1):
        try:
            with connection.cursor() as cursor:
                cursor.execute(paragraph)
        except psycopg2.Error as error:
            if connection.closed:
                raise Unreachable(
                    f"the connection was lost in paragraph {number} of {file}", hint="run it again"
                ) from None
            first = next(line for line in paragraph.splitlines() if not line.startswith("--"))
            what = " ".join(first.split()[:3]).rstrip(";")
            raise SourceUnfit(
                f"{file}: paragraph {number} ({what} …): SQLSTATE {error.pgcode}",
                hint=_HINTS.get(error.pgcode or "", _OTHERWISE).format(file=file),
            ) from None
    return len(found)

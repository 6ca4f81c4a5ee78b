"""Stands in for the privacy store where a test is about something else: real cells, keys derived from names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache

from governance import seal
from governance.keys import Subject


class MemoryKeys:
    """Keys and tokens that follow from their names."""

    def ensure_subjects(self, wanted: dict, tiers: tuple[int, ...] = (0,)) -> None:
        """Nothing to do."""

    def lacking_tokens(self, _domain: str, texts: Iterable[str]) -> list[str]:
        return list(texts)

    def ensure_tokens(self, wanted: dict) -> None:
        """Nothing to do."""

    @cache  # noqa: B019 - as the real one does
    def subject(self, type_: str, text: str) -> Subject:
        name = hashlib.sha256(f"{type_}/{text}".encode()).digest()[:16]
        return Subject(name, 1, f"{name.hex()}/1")

    @cache  # noqa: B019
    def cipher(self, subject: Subject, tier: int = 0) -> seal.CellCipher:
        key = hashlib.sha512(f"{subject.label}/{tier}".encode()).digest()
        return seal.CellCipher(key, seal.header(subject.id, tier, subject.generation))

    def existing_token(self, domain: str, text: str) -> str:
        return self.token(domain, text)

    def open_cell(self, cell: bytes, tail: bytes) -> bytes:
        header = seal.parse_header(cell)
        key = hashlib.sha512(f"{header.subject_id.hex()}/{header.generation}/{header.tier}".encode()).digest()
        return seal.CellCipher(key, cell[: seal.HEADER_BYTES]).open(cell, tail)

    @cache  # noqa: B019
    def token(self, domain: str, text: str) -> str:
        return "tok_" + hashlib.sha256(f"{domain}/{text}".encode()).hexdigest()[:32]

"""Makes tests/vectors/{sealed-cell,token,key-wrap}-v1.json: ``python -m tests.independent.cell_vectors``.

Keys come from SHA-512 of a label, so that anybody can make them again. They protect nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

from tests.independent import canonical, cells, siv

FOLDER = Path(__file__).parents[1] / "vectors"
SUBJECT = hashlib.sha256(b"vector subject").digest()[:16]
TOKEN = "tok_" + hashlib.sha256(b"vector token").hexdigest()[:32]


def key(label: str, length: int = 64) -> bytes:
    """A key that everybody knows."""
    return hashlib.sha512(f"cdc-audit test vector: {label}".encode()).digest()[:length]


def sealed_cells() -> dict:
    """§6."""
    data_key = key("data key")
    cases = [
        ("text", SUBJECT, 0, 1, ["trading", "public.customers", "full_name", ["17"]], "Ann Example"),
        ("empty text", SUBJECT, 0, 1, ["trading", "public.customers", "full_name", ["17"]], ""),
        ("16 bytes with the kind", SUBJECT, 0, 1, ["trading", "public.customers", "phone", ["17"]], "+1 202 555 0123"),
        (
            "tier and generation",
            SUBJECT,
            255,
            65535,
            ["trading", "public.customers", "full_name", ["17"]],
            "Ann Example",
        ),
        (
            "text to escape",
            SUBJECT,
            0,
            1,
            ["trading", 'public."Odd ""Name"', "a\tb\\c\u007f", ["é", "\u2028"]],
            '\x00\x1f"\\ é 𝄞',
        ),
        (
            "token in the row key",
            SUBJECT,
            0,
            2,
            ["portfolio", "public.beneficiaries", "full_name", ["8", {"token": TOKEN}]],
            "Bo",
        ),
        ("no key", SUBJECT, 0, 1, ["trading", "public.audit_notes", "note", []], "x" * 1000),
        ("logical message", SUBJECT, 0, 1, ["trading", "", "app.note", []], "called back"),
        ("array", SUBJECT, 0, 1, ["trading", "public.t", "tags", ["1"]], ["a", None, ["b"]]),
        (
            "struct",
            SUBJECT,
            0,
            1,
            ["trading", "public.t", "detail", ["1"]],
            {"struct": {"b": "2", "a": None, "𝄞": "3", "\ufb33": "4"}},
        ),
    ]
    return {
        "format": "docs/formats.md section 6, sealed cell, version 1",
        "data_key": data_key.hex(),
        "cells": [_cell(data_key, *case) for case in cases],
        "refused": _refused(data_key),
    }


def tokens() -> dict:
    """§7, and the index of subjects, which is made in the same way."""
    index_key, data_key = key("index key", 32), key("data key")
    texts = ["ann@example.com", "Ann@example.com", " ann@example.com", "", "é", "e\u0301"]
    head = cells.header(SUBJECT, 0, 1)
    return {
        "format": "docs/formats.md section 7, token, version 1",
        "domain": "email",
        "index_key": index_key.hex(),
        "data_key": data_key.hex(),
        "values": [
            {
                "text": text,
                "index": cells.index(index_key, text).hex(),
                "token": (token := "tok_" + hashlib.sha256(b"vector token" + text.encode()).hexdigest()[:32]),
                "bound": cells.token_place("email", token).decode(),
                "value_cell": cells.seal(
                    data_key, head, cells.plaintext(text), cells.token_place("email", token)
                ).hex(),
            }
            for text in texts
        ],
    }


def key_wraps() -> dict:
    """§8."""
    root, kek = key("root"), key("key-encryption key")
    data_keys = [(SUBJECT, 0, 1), (SUBJECT, 7, 258)]
    secrets = [
        ("subject-index", "customer"),
        ("token-index", "email"),
        ("token-index", "trading.public.t.c"),
        ("salt", "trading/1"),
    ]
    return {
        "format": "docs/formats.md section 8, keys",
        "root": root.hex(),
        "keyring": json.dumps({"format": "cdc-audit keyring 1", "root": base64.b64encode(root).decode()}),
        "key_encryption_keys": [_wrapped(root, kek, cells.kek_use(epoch), epoch=str(epoch)) for epoch in (1, 12)],
        "data_keys": [
            _wrapped(
                kek,
                key(f"data key {n}"),
                cells.data_key_use(*name),
                subject=name[0].hex(),
                tier=str(name[1]),
                generation=str(name[2]),
            )
            for n, name in enumerate(data_keys)
        ],
        "secrets": [
            _wrapped(kek, key(f"secret {n}", 32), cells.secret_use(*name), purpose=name[0], name=name[1])
            for n, name in enumerate(secrets)
        ],
    }


def _cell(data_key: bytes, what: str, subject: bytes, tier: int, generation: int, at: list, value: object) -> dict:
    head, bound = cells.header(subject, tier, generation), cells.place(*at)
    cell = cells.seal(data_key, head, cells.plaintext(value), bound)
    assert cells.unseal(data_key, cell, bound) == value
    return {
        "what": what,
        "subject": subject.hex(),
        "tier": str(tier),
        "generation": str(generation),
        "source": at[0],
        "table": at[1],
        "column": at[2],
        "row_key": canonical.write(at[3]),
        "plaintext": cells.plaintext(value).hex(),
        "associated_data": (head + bound).hex(),
        "cell": cell.hex(),
    }


def _refused(data_key: bytes) -> list[dict]:
    """Cells that must not open where they are said to be."""
    here = ["trading", "public.customers", "full_name", ["17"]]
    head = cells.header(SUBJECT, 0, 1)
    cell = cells.seal(data_key, head, cells.plaintext("Ann Example"), cells.place(*here))
    elsewhere = [
        ("another row", cell, [*here[:3], ["18"]]),
        ("another column", cell, [*here[:2], "email", here[3]]),
        ("another table", cell, [here[0], "public.accounts", *here[2:]]),
        ("another source", cell, ["portfolio", *here[1:]]),
        ("a bit of the ciphertext", cell[:-1] + bytes([cell[-1] ^ 1]), here),
        ("a bit of the SIV", cell[:20] + bytes([cell[20] ^ 1]) + cell[21:], here),
        ("another tier in the header", cell[:17] + b"\x01" + cell[18:], here),
        ("another generation in the header", cell[:19] + b"\x02" + cell[20:], here),
        ("cut", cell[:-1], here),
    ]
    for _, altered, at in elsewhere:
        try:
            cells.unseal(data_key, altered, cells.place(*at))
        except siv.DoesNotOpen:
            continue
        raise AssertionError("opened")
    return [
        {
            "what": what,
            "cell": altered.hex(),
            "source": at[0],
            "table": at[1],
            "column": at[2],
            "row_key": canonical.write(at[3]),
        }
        for what, altered, at in elsewhere
    ]


def _wrapped(under: bytes, inner: bytes, use: bytes, **named: str) -> dict:
    return named | {"key": inner.hex(), "associated_data": use.hex(), "wrapped": siv.encrypt(under, inner, [use]).hex()}


FILES = {"sealed-cell-v1.json": sealed_cells, "token-v1.json": tokens, "key-wrap-v1.json": key_wraps}

if __name__ == "__main__":
    for name, make in FILES.items():
        (FOLDER / name).write_text(json.dumps(make(), indent=1, ensure_ascii=True) + "\n")

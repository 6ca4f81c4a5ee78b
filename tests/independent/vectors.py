"""Makes the test vectors: ``python -m tests.independent.vectors [folder]``. What is published is never made anew."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.independent import canonical, example, tree

FOLDER = Path(__file__).parent.parent / "vectors"

# The leaves that Certificate Transparency's reference implementations share (transparency-dev/merkle, testonly).
REFERENCE = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]

# Pieces of JSON text, and whether a decoder takes them: spelling is all that differs.
REFUSED = {
    "white space": '{"a": "1"}',
    "members out of order": '{"b":"1","a":"2"}',
    "members in the order of code points, not of UTF-16 code units": '{"\ufb33":"1","😀":"2"}',
    "a member twice": '{"a":"1","a":"1"}',
    "a number": '{"a":1}',
    "a boolean": '{"a":true}',
    "an escape that is not needed": '"\\u0041"',
    "a slash escaped": '"\\/"',
    "an escape in upper case": '"\\u001F"',
    "a long escape where there is a short one": '"\\u000a"',
    "DEL escaped": '"\\u007f"',
    "a line separator escaped": '"\\u2028"',
    "a lone surrogate": '"\\ud800"',
    "something after the value": '"a" ',
    "a byte order mark": '\ufeff"a"',
}
# RFC 8785 §3.2.3's members, in canonical order, and strings that writers escape differently.
WRITTEN: list[object] = [
    {
        "\r": "Carriage Return",
        "1": "One",
        "\x80": "Control",
        "ö": "Latin Small Letter O With Diaeresis",
        "€": "Euro Sign",
        "😀": "Emoji: Grinning Face",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
    },
    [None, "", [], {}, {"": None}],
    "".join(map(chr, range(0x20))) + '"\\/ \x7f\x80\u2028\u2029\ufeff\uffff\U0010ffff',
]


def entry_v1() -> dict:
    return {
        "canonical": [canonical.write(value) for value in WRITTEN],
        "refused": [{"text": text, "why": why} for why, text in REFUSED.items()],
        "logs": [_log(example.stream()), _log(example.operations())],
    }


def leaf_v1() -> dict:
    entries = [bytes.fromhex(entry) for entry in REFERENCE]
    entries += [text.encode() for _, text, _, _ in example.stream().rows()[:3]]
    return {"leaves": [{"entry": entry.hex(), "leaf": tree.leaf(entry).hex()} for entry in entries]}


def tree_v1() -> dict:
    leaves = [tree.leaf(bytes.fromhex(entry)) for entry in REFERENCE]
    sizes = range(len(leaves) + 1)
    return {
        "leaves": _hex(leaves),
        "trees": [{"size": n, "root": tree.root(leaves[:n]).hex(), "edge": _hex(tree.edge(leaves[:n]))} for n in sizes],
        "inclusion": [
            {"index": index, "size": n, "proof": _hex(tree.inclusion(index, leaves[:n]))}
            for n in sizes
            for index in range(n)
        ],
        "consistency": [
            {"first": first, "second": n, "proof": _hex(tree.consistency(first, leaves[:n]))}
            for n in sizes
            for first in range(1, n + 1)
        ],
    }


VECTORS = {"entry-v1.json": entry_v1, "leaf-v1.json": leaf_v1, "tree-v1.json": tree_v1}


def text(name: str) -> str:
    """The contents of one file of vectors."""
    return json.dumps(VECTORS[name](), indent=1) + "\n"


def expand(body: dict | None) -> str | None:
    """A body as the file states it (``head``, ``unit`` × ``times``, ``tail``), written out."""
    return None if body is None else body["head"] + body["unit"] * body["times"] + body["tail"]


def _log(log: example.Log) -> dict:
    rows = log.rows()
    leaves = [bytes.fromhex(leaf) for _, _, _, leaf in rows]
    return {
        "rows": [{"seq": seq, "entry": entry, "body": _short(body), "leaf": leaf} for seq, entry, body, leaf in rows],
        "edge": _hex(tree.edge(leaves)),
        "root": tree.root(leaves).hex(),
    }


def _short(body: str | None) -> dict | None:
    if body is None:
        return None
    head, tail = body[: body.index("éé")], body[body.rindex("é") + 1 :]
    return {"head": head, "unit": "é", "times": len(body) - len(head) - len(tail), "tail": tail}


def _hex(digests: list[bytes]) -> list[str]:
    return [digest.hex() for digest in digests]


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    for file in VECTORS:
        path = folder / file
        if path.exists():
            sys.exit(f"{path} is published; a new version gets a new name")
        path.write_text(text(file))

"""The sweep finds every encoding at every alignment and across every chunk border, and finds nothing that is not there."""

from __future__ import annotations

import base64
import io
import json
import random
import re
from pathlib import Path

import pytest

from tests.oracle import sweep as sweeping
from tests.oracle.sweep import needles, search, sweep

VALUE = 'Šárka "Ď" O\'Brien\\1984'
PLAIN = "Quetzalia.Wimplethorpe@Canary.example"


def encodings(value: str) -> dict[str, bytes]:
    """Every form a leak may have, made without the code under test."""
    raw = value.encode()
    escaped = json.dumps(value)
    return {
        "as it is": raw,
        "lower case": value.lower().encode(),
        "upper case ascii": raw.upper() if value.isascii() else raw,
        "utf-16": value.encode("utf-16-le"),
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "json": escaped.encode(),
        "json utf-8": json.dumps(value, ensure_ascii=False).encode(),
        "json, upper-case escapes": re.sub(r"\\u....", lambda m: "\\u" + m[0][2:].upper(), escaped).encode(),
        "json in json": json.dumps(escaped).encode(),
        "json in a dump": escaped.replace("\\", "\\\\").encode(),
        "text in a dump": value.replace("\\", "\\\\").encode(),
        **{f"base64 +{n}": base64.b64encode(b"abc"[:n] + raw + b"xyz") for n in range(3)},
        **{f"base64 +{n}, last": base64.b64encode(b"abc"[:n] + raw) for n in range(3)},
        **{f"base64url +{n}": base64.urlsafe_b64encode(b"\xff\xfe\xfd"[:n] + raw + b"\xff") for n in range(3)},
    }


@pytest.mark.parametrize("value", [VALUE, PLAIN, "987-65-0007", "für Tante Käthe ???>>>~~~", "彩雲 🐤🐤"])
def test_every_encoding_is_found_at_every_offset(value):
    wanted = {value: needles(value)}
    for name, leaked in encodings(value).items():
        for shift in range(4):
            noise = b"\0\x7f:"[:shift]
            hits = search(io.BytesIO(noise + leaked + b"\0" * 9), "here", wanted)
            assert hits, (name, shift)


def test_what_straddles_a_chunk_border_is_found_once_and_in_its_place(monkeypatch):
    wanted = {VALUE: needles(VALUE)}
    longest = max(map(len, wanted[VALUE]))
    for chunk in (longest + 7, 4096):
        monkeypatch.setattr(sweeping, "CHUNK", chunk)
        for name, leaked in encodings(VALUE).items():
            for start in range(chunk - len(leaked) - 2, chunk + 3):
                whole = search(io.BytesIO(leaked), "", wanted)
                moved = search(io.BytesIO(b"\0" * start + leaked + b"\0" * (2 * chunk)), "", wanted)
                assert sorted(h.offset - start for _, h in moved) == sorted(h.offset for _, h in whole), (
                    name,
                    chunk,
                    start,
                )


def test_chunks_shorter_than_a_needle_do_not_hide_it(monkeypatch):
    monkeypatch.setattr(sweeping, "CHUNK", 5)
    leaked = b"...." + VALUE.encode() + b"...."
    hits = [hit for _, hit in search(io.BytesIO(leaked), "", {VALUE: needles(VALUE)}) if hit.encoding == "utf-8"]
    assert [hit.offset for hit in hits] == [4]


def test_no_hit_in_noise_nor_in_a_value_that_is_almost_it():
    noise = random.Random(1).randbytes(3 << 20)
    almost = PLAIN[:-1].encode() + b"!" + base64.b64encode(PLAIN[:-2].encode()) + PLAIN[1:].encode().hex().encode()
    letters = base64.b64encode(random.Random(2).randbytes(3 << 20))
    assert (
        search(io.BytesIO(noise + almost + letters), "", {v: needles(v) for v in (PLAIN, VALUE, "987-65-0007")}) == []
    )


def test_directories_are_searched_whole_and_every_value_is_answered(tmp_path, monkeypatch):
    monkeypatch.setattr(sweeping, "CHUNK", 1 << 12)  # enough data for the worker processes
    deep = tmp_path / "base" / "16384"
    deep.mkdir(parents=True)
    for number in range(20):
        (deep / str(number)).write_bytes(b"\0" * 5000)
    (deep / "7").write_bytes(b"x" * 4090 + PLAIN.encode("utf-16-le"))
    (tmp_path / "server.log").write_text(f"ERROR: duplicate key ({VALUE})")
    found = sweep([tmp_path], {}, [PLAIN, VALUE, "nowhere to be found"])
    assert [(hit.place, hit.offset, hit.encoding) for hit in found[PLAIN]] == [(str(deep / "7"), 4090, "utf-16le")]
    assert {hit.place for hit in found[VALUE]} == {str(tmp_path / "server.log")}
    assert found["nowhere to be found"] == []


def test_the_quick_look_and_the_exact_search_agree(tmp_path):
    values = [VALUE, PLAIN, "彩雲 🐤🐤", "two\nlines of it"]
    for value in values:
        folder = tmp_path / str(len(value))
        folder.mkdir()
        holding = set()
        for number, leaked in enumerate(encodings(value).values()):
            file = folder / f"{number} a\nname"
            file.write_bytes(b"\0\n\xff" * number + leaked + b"\0" * 70_000)
            holding.add(file)
            (folder / f"{number} clean").write_bytes(leaked[8:] + b"\0" * 70_000)
        files = [file for file, _ in sweeping.files_of([folder])]
        wanted = {value: needles(value)}
        quick = set(sweeping._suspects(files, wanted))
        assert holding <= quick
        exact = {Path(hit.place) for _, hit in sweeping._search_some(files, wanted)}
        assert exact == holding
        if "\n" not in value:
            assert quick == exact


def test_without_grep_nothing_is_overlooked(tmp_path, monkeypatch):
    (tmp_path / "leak").write_text(PLAIN)
    monkeypatch.setattr(sweeping.shutil, "which", lambda _name: None)
    assert sweep([tmp_path], {}, [PLAIN])[PLAIN]
    monkeypatch.undo()
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "grep").write_text("#!/bin/sh\nexit 1\n")  # a grep that never finds anything
    (tmp_path / "grep").chmod(0o755)
    assert sweep([tmp_path / "leak"], {}, [PLAIN])[PLAIN]


def test_a_sweep_that_could_prove_nothing_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        sweep([tmp_path / "absent"], {}, [PLAIN])
    with pytest.raises(ValueError, match="fewer than"):
        sweep([tmp_path], {}, ["short"])

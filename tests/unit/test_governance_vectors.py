"""The product and the independent implementation agree on every byte of tests/vectors, and the latter on RFC 5297."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from governance import seal, tokens, wrap
from governance.errors import CellError
from governance.roots import keyring
from tests.independent import cell_vectors, siv

FOLDER = Path(__file__).parents[1] / "vectors"
CELLS, TOKENS, WRAPS = (
    json.loads((FOLDER / name).read_text()) for name in ("sealed-cell-v1.json", "token-v1.json", "key-wrap-v1.json")
)


def test_independent_siv_is_rfc_5297():
    a1 = siv.encrypt(
        bytes.fromhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"),
        bytes.fromhex("112233445566778899aabbccddee"),
        [bytes.fromhex("101112131415161718191a1b1c1d1e1f2021222324252627")],
    )
    assert a1.hex() == "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c"
    a2 = siv.encrypt(
        bytes.fromhex("7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f"),
        b"this is some plaintext to encrypt using SIV-AES",
        [
            bytes.fromhex("00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100"),
            bytes.fromhex("102030405060708090a0"),
            bytes.fromhex("09f911029d74e35bd84156c5635688c0"),
        ],
    )
    assert a2.hex() == (
        "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d"
    )


@pytest.mark.parametrize("name", cell_vectors.FILES)
def test_files_are_what_the_independent_implementation_makes(name):
    assert json.loads((FOLDER / name).read_text()) == cell_vectors.FILES[name]()


def tail(case: dict) -> bytes:
    return seal.associated_tail(case["source"], case["table"], case["column"], case["row_key"].encode())


@pytest.mark.parametrize("case", CELLS["cells"], ids=lambda case: case["what"])
def test_sealed_cell(case):
    head = seal.header(bytes.fromhex(case["subject"]), int(case["tier"]), int(case["generation"]))
    assert (head + tail(case)).hex() == case["associated_data"]
    cipher = seal.CellCipher(bytes.fromhex(CELLS["data_key"]), head)
    plaintext = bytes.fromhex(case["plaintext"])
    assert cipher.seal(plaintext, tail(case)).hex() == case["cell"]
    assert cipher.open(bytes.fromhex(case["cell"]), tail(case)) == plaintext
    assert seal.parse_header(bytes.fromhex(case["cell"])) == seal.Header(
        bytes.fromhex(case["subject"]), int(case["tier"]), int(case["generation"])
    )


@pytest.mark.parametrize("case", CELLS["refused"], ids=lambda case: case["what"])
def test_cell_that_must_not_open(case):
    cell = bytes.fromhex(case["cell"])
    with pytest.raises(CellError):
        seal.CellCipher(bytes.fromhex(CELLS["data_key"]), cell[:20]).open(cell, tail(case))


@pytest.mark.parametrize("case", TOKENS["values"], ids=lambda case: ascii(case["text"]))
def test_token(case):
    assert tokens.digest(bytes.fromhex(TOKENS["index_key"]), case["text"]).hex() == case["index"]
    assert tokens.value_tail(TOKENS["domain"], case["token"]) == case["bound"].encode()
    cell = bytes.fromhex(case["value_cell"])
    cipher = seal.CellCipher(bytes.fromhex(TOKENS["data_key"]), cell[:20])
    assert cipher.seal(tokens.value_plaintext(case["text"]), tokens.value_tail(TOKENS["domain"], case["token"])) == cell


def test_root_wraps_key_encryption_keys(tmp_path):
    path = tmp_path / "keyring.json"
    path.write_text(WRAPS["keyring"])
    path.chmod(0o600)
    root = keyring.load(path)
    for case in WRAPS["key_encryption_keys"]:
        binding = wrap.kek_binding(int(case["epoch"]))
        assert binding.hex() == case["associated_data"]
        assert root.wrap(bytes.fromhex(case["key"]), binding).hex() == case["wrapped"]
        assert root.unwrap(bytes.fromhex(case["wrapped"]), binding).hex() == case["key"]
    assert json.loads(WRAPS["keyring"])["root"] == base64.b64encode(bytes.fromhex(WRAPS["root"])).decode()


def test_key_encryption_key_wraps_data_keys_and_secrets():
    kek = wrap.KeyEncryptionKey(1, bytes.fromhex(WRAPS["key_encryption_keys"][0]["key"]))
    bindings = [
        wrap.data_key_binding(bytes.fromhex(c["subject"]), int(c["tier"]), int(c["generation"]))
        for c in WRAPS["data_keys"]
    ] + [wrap.secret_binding(c["purpose"], c["name"]) for c in WRAPS["secrets"]]
    for case, binding in zip(WRAPS["data_keys"] + WRAPS["secrets"], bindings, strict=True):
        assert binding.hex() == case["associated_data"]
        assert kek.wrap(bytes.fromhex(case["key"]), binding).hex() == case["wrapped"]
        assert kek.unwrap(bytes.fromhex(case["wrapped"]), binding).hex() == case["key"]
        assert kek.unwrap(bytes.fromhex(case["wrapped"]), binding + b"x") is None

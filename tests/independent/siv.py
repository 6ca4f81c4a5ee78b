"""RFC 5297 (AES-SIV) with CMAC of RFC 4493, written from the RFCs over the bare AES block cipher."""

from __future__ import annotations

import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 16
ZERO = bytes(BLOCK)


class DoesNotOpen(Exception):
    """The synthetic IV is not that of the plaintext: another key, other associated data, or a damaged text."""


def encrypt(key: bytes, plaintext: bytes, associated: list[bytes]) -> bytes:
    """§2.6: SIV ‖ ciphertext. The first half of the key is for S2V, the second for CTR."""
    half = len(key) // 2
    siv = _s2v(key[:half], [*associated, plaintext])
    return siv + _ctr(key[half:], siv, plaintext)


def decrypt(key: bytes, sealed: bytes, associated: list[bytes]) -> bytes:
    """§2.7."""
    half, siv = len(key) // 2, sealed[:BLOCK]
    plaintext = _ctr(key[half:], siv, sealed[BLOCK:])
    if len(siv) != BLOCK or not hmac.compare_digest(siv, _s2v(key[:half], [*associated, plaintext])):
        raise DoesNotOpen
    return plaintext


def _s2v(key: bytes, strings: list[bytes]) -> bytes:
    """§2.4; there is always a last string, the plaintext."""
    d = _cmac(key, ZERO)
    for string in strings[:-1]:
        d = _xor(_double(d), _cmac(key, string))
    last = strings[-1]
    if len(last) >= BLOCK:
        return _cmac(key, last[:-BLOCK] + _xor(last[-BLOCK:], d))
    return _cmac(key, _xor(_double(d), _pad(last)))


def _ctr(key: bytes, siv: bytes, text: bytes) -> bytes:
    """§2.5: the counter starts at the SIV with bits 31 and 63 (from the right) cleared."""
    start = int.from_bytes(siv, "big") & ~(1 << 31) & ~(1 << 63)
    blocks = -(-len(text) // BLOCK)
    counters = b"".join([((start + n) % (1 << 128)).to_bytes(BLOCK, "big") for n in range(blocks)])
    stream = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(counters)  # noqa: S305 - the block cipher itself
    return _xor(text, stream[: len(text)])


def _cmac(key: bytes, message: bytes) -> bytes:
    """RFC 4493 §2.4: the last block of CBC under a zero IV, its last input masked with a subkey."""
    k1 = _double(_chain(key, ZERO))
    whole = bool(message) and len(message) % BLOCK == 0
    head = message[: (len(message) - 1) // BLOCK * BLOCK] if message else b""
    last = message[len(head) :]
    return _chain(key, head + (_xor(last, k1) if whole else _xor(_pad(last), _double(k1))))


def _chain(key: bytes, blocks: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.CBC(ZERO)).encryptor().update(blocks)[-BLOCK:]


def _double(block: bytes) -> bytes:
    """Times x in GF(2^128), RFC 5297 §2.3."""
    number = int.from_bytes(block, "big") << 1
    return ((number ^ 0x87) & ((1 << 128) - 1) if number >> 128 else number).to_bytes(BLOCK, "big")


def _pad(text: bytes) -> bytes:
    return text + b"\x80" + bytes(BLOCK - 1 - len(text))


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")

"""A certificate authority of the tests' own, and certificates that it signs: for servers on loopback, and for what must be refused."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

LOOPBACK = (x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1")))
ELSEWHERE = (x509.DNSName("db.example.com"),)
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files of one certificate: ``chain`` with key and certificate for Java, ``store`` the same as PKCS #12."""

    certificate: Path
    key: Path
    chain: Path
    store: Path


class Authority:
    """Signs certificates into a folder."""

    def __init__(self, folder: Path, name: str = "cdc tests") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._signed = _signed(self._name, self._name, self._key.public_key(), self._key, authority=True)
        self.file = folder / f"{name.replace(' ', '-')}.ca.pem"
        self.file.write_bytes(self._signed.public_bytes(serialization.Encoding.PEM))

    def sign(self, name: str, addresses: tuple[x509.GeneralName, ...] = LOOPBACK, *, days: int = 2, password: str = "") -> Certificate:
        """``days`` negative: it has expired. ``password``: of the PKCS #12 store."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signed = _signed(subject, self._name, key.public_key(), self._key, addresses=addresses, days=days)
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        public = signed.public_bytes(serialization.Encoding.PEM)
        store = pkcs12.serialize_key_and_certificates(
            b"server", key, signed, [self._signed], serialization.BestAvailableEncryption((password or "unused-but-needed").encode())
        )
        files = Certificate(*(self._folder / f"{name}.{end}" for end in ("crt", "key", "pem", "p12")))
        for path, held in ((files.certificate, public), (files.key, private), (files.chain, private + public), (files.store, store)):
            path.touch(mode=0o600)
            path.write_bytes(held)
        return files


def _signed(subject, issuer, public, key, *, authority: bool = False, addresses=(), days: int = 2) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
        .serial_number(x509.random_serial_number()).not_valid_before(now - 9 * _DAY).not_valid_after(now + days * _DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )  # fmt: skip
    if addresses:
        builder = builder.add_extension(x509.SubjectAlternativeName(addresses), critical=False)
    return builder.sign(key, hashes.SHA256())

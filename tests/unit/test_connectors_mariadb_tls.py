"""TLS to MariaDB as far as it is text: the URL, the login that carries it on, the definition and what becomes of it."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from cdc.cli.connectors.mariadb_init import trust_store
from cdc.cli.source_files import Login
from cdc.errors import ConfigError
from connectors import mariadb_proposal, profile
from connectors.definition import parse as definition
from connectors.errors import AddressError, DefinitionError
from connectors.exported_definition import as_definition
from connectors.mariadb_address import parse
from connectors.proposal import Address, Proposal
from tests.certificates import Authority


@pytest.mark.parametrize(
    ("dsn", "mode", "root"),
    [
        ("mariadb://u:p@127.0.0.1/d", "disable", None),
        ("mariadb://u:p@localhost:3307/d", "disable", None),
        ("mariadb://u:p@[::1]/d", "disable", None),
        ("mariadb://u:p@db.example.com/d", "verify-full", None),
        ("mariadb://u:p@db.example.com/d?sslmode=trust", "trust", None),
        ("mariadb://u:p@db.example.com/d?sslrootcert=%2Fa%20b.pem", "verify-full", "/a b.pem"),
        ("mariadb://u:p@127.0.0.1/d?sslmode=verify-ca&sslrootcert=/ca.pem", "verify-ca", "/ca.pem"),
    ],
)
def test_whether_a_server_is_checked_is_said_or_follows_from_where_it_is(dsn: str, mode: str, root: str | None):
    found = parse(dsn)
    assert (found.sslmode, found.sslrootcert) == (mode, root and Path(root))


@pytest.mark.parametrize(
    ("dsn", "said"),
    [
        ("mariadb://u:hush@h/d?sslmode=require", "sslmode is unknown"),
        ("mariadb://u:hush@h/d?sslmod=verify-full", "a parameter that is unknown"),
        ("mariadb://u:hush@h/d?sslmode=disable&sslmode=trust", "or one twice"),
        ("mariadb://u:hush@h/d?sslmode=trust&sslrootcert=/ca.pem", "sslrootcert would not be looked at"),
        ("mariadb://u:hush@127.0.0.1/d?sslrootcert=/ca.pem", "sslrootcert would not be looked at"),
        ("mariadb://u:hush@h/d?sslrootcert=", "sslrootcert is empty"),
        ("mariadb://u:hush@h/d?sslmode", "no URL of a MariaDB database"),
        ("mysql://u:hush@h/d", "no URL of a MariaDB database"),
    ],
)
def test_a_url_that_does_not_go_is_refused_without_its_secrets(dsn: str, said: str):
    with pytest.raises(AddressError, match=said) as refused:
        parse(dsn)
    assert "hush" not in f"{refused.value} {refused.value.hint}"


def test_the_password_is_not_shown():
    assert "hush" not in repr(parse("mariadb://u:hush@h/d"))


def test_each_mode_checks_what_its_name_says(tmp_path: Path):
    root = Authority(tmp_path).file
    found = {mode: parse(f"mariadb://u:p@h/d?sslmode={mode}").tls() for mode in ("disable", "trust")}
    found |= {mode: parse(f"mariadb://u:p@h/d?sslmode={mode}&sslrootcert={root}").tls() for mode in ("verify-ca", "verify-full")}
    assert {mode: context and (context.verify_mode, context.check_hostname) for mode, context in found.items()} == {
        "disable": None,
        "trust": (ssl.CERT_NONE, False),
        "verify-ca": (ssl.CERT_REQUIRED, False),
        "verify-full": (ssl.CERT_REQUIRED, True),
    }


@pytest.mark.parametrize(("content", "said"), [(None, "No such file or directory"), (b"no certificate", "no certificate in it")])
def test_authorities_that_cannot_be_read_are_named(tmp_path: Path, content: bytes | None, said: str):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AddressError, match=said):
        parse(f"mariadb://u:p@h/d?sslrootcert={path}").tls()
    with pytest.raises(ConfigError, match=said):
        trust_store(path)


@pytest.mark.parametrize(("mode", "root"), [("disable", None), ("trust", None), ("verify-full", "/a b/ca.pem")])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "db.example.com"])
def test_a_login_carries_its_mode_on_wherever_the_server_is(host: str, mode: str, root: str | None):
    login = Login(host, "3307", "shop", "cdc_shop", "p@ss/word", mode, root, kind="mariadb")
    found = parse(login.dsn)
    assert (found.host, found.port, found.database, found.password) == (host, 3307, "shop", "p@ss/word")
    assert (found.sslmode, found.sslrootcert) == (mode, root and Path(root))


def _text(store: str | None) -> str:
    proposal = Proposal(("shop",), ("shop.orders",), (), ())
    return mariadb_proposal.text(proposal, "shop", Address("shop", "verify-full", store), 7)


@pytest.mark.parametrize("kind", ["mariadb", "mysql"])
def test_a_trust_store_reaches_queries_and_the_reader_of_the_binary_log(kind: str):
    text = _text("/secrets/shop's.p12").replace("kind: mariadb", f"kind: {kind}")
    settings = profile.expand(definition(text, Path("shop.yaml")), profile.as_written)
    assert settings["database.ssl.truststore"].value == "/secrets/shop's.p12"
    assert settings["database.ssl.mode"].value == ("verify-full" if kind == "mariadb" else "verify_identity")
    assert "driver.serverSslCert" not in settings
    again, differs = as_definition("shop", profile.configuration(settings))
    assert (differs.refused, differs.added) == ((), ())
    assert "sslrootcert: /secrets/shop's.p12" in again


def test_without_one_the_workers_own_authorities_count():
    settings = profile.expand(definition(_text(None), Path("shop.yaml")), profile.as_written)
    assert "database.ssl.truststore" not in settings


@pytest.mark.parametrize("name", ["ca.pem", "/etc/ssl/ca.crt", "ca.cer"])
def test_a_pem_file_is_refused_where_it_would_stop_debezium_after_its_snapshot(name: str):
    with pytest.raises(DefinitionError, match=r"database\.sslrootcert: .* wants a Java trust store") as refused:
        definition(_text(name), Path("shop.yaml"))
    assert "keytool -importcert" in str(refused.value.hint)

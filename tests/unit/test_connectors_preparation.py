"""What ``cdc connectors init`` writes, without a server: definition, SQL, verifier, files."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import replace
from pathlib import Path

import pytest

from cdc.cli import source_files
from cdc.cli.source_files import Login
from cdc.config import load
from cdc.errors import ConfigError
from connectors import definition, preparation, proposal, scram
from connectors.catalog import Key, Table
from connectors.inventory import Column, Inventory, Relation, Server
from connectors.preparation_run import paragraphs
from connectors.proposal import Address

SERVER = Server(18, "18.4", "logical", False, "shop", "postgres", True, frozenset({"postgres"}))


def relation(name: str, schema: str = "public", **more: object) -> Relation:
    table = Table(f"{schema}.{name}", f'"{schema}"."{name}"', f'"{schema}"', None, "d", False, False, False, True, True, ("id",), (), (), (), {"id": "integer"},
                  Key("k", True, False, ("id",)))  # fmt: skip
    return Relation(schema, name, "owner", False, None, (Column("id", "integer", "int4", False, False, True, "int4", "integer"),), (), replace(table, **more))


def sql(*relations: Relation, server: Server = SERVER, name: str = "shop", role: preparation.Role | None = None) -> str:
    inventory = Inventory(server, relations)
    proposed = proposal.propose(inventory)
    written = definition.parse(proposal.text(proposed, name, Address(server.database, "prefer", None)), Path("d.yaml"))
    return preparation.text(written, inventory, proposal.captured(inventory, written), role or preparation.Role(f"cdc_{name}", "SCRAM…"))


def test_the_verifier_is_that_of_the_rfc():
    """RFC 7677 §3: the example's client proof and server signature follow from what the verifier holds."""
    made = scram.verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    stored, server = (base64.b64decode(part) for part in made.rpartition("$")[2].split(":"))
    message = (b"n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
               b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")  # fmt: skip
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    client = bytes(a ^ b for a, b in zip(proof, hmac.digest(stored, message, "sha256"), strict=True))
    assert hashlib.sha256(client).digest() == stored
    assert base64.b64encode(hmac.digest(server, message, "sha256")) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_a_verifier_is_known_by_its_password_and_masked():
    text = f"ALTER ROLE x PASSWORD '{scram.verifier('one')}';"
    found = scram.known(text, "one")
    assert found is not None
    assert found in text
    assert scram.known(text, "two") is None
    assert scram.masked(text) == "ALTER ROLE x PASSWORD 'SCRAM-SHA-256$…';"
    assert scram.verifier("one") != scram.verifier("one")  # a salt of its own each time


def test_identities_come_before_the_publication_and_every_paragraph_is_one_transaction():
    found = paragraphs(sql(relation("a"), relation("b")))
    order = [next(n for n, text in enumerate(found) if words in text) for words in ("CREATE TABLE IF NOT EXISTS cdc.heartbeat", '"public"."b" REPLICA IDENTITY', "CREATE PUBLICATION", "TABLES IN SCHEMA")]  # fmt: skip
    assert order == sorted(order)
    assert sum("REPLICA IDENTITY FULL;" in text for text in found) == 4
    assert all(text.count("ALTER TABLE") == 1 for text in found if "REPLICA IDENTITY FULL;" in text)


def test_an_older_server_or_an_owner_publishes_table_by_table():
    for server in (replace(SERVER, version=14), replace(SERVER, superuser=False)):
        text = sql(relation("a"), server=server)
        assert 'SET TABLE\n    "public"."a",\n    cdc.heartbeat,\n    cdc.signal;' in text
        assert "TABLES IN SCHEMA" not in text
    assert "publish_generated_columns" not in sql(relation("a"), server=replace(SERVER, version=17))
    assert "publish_generated_columns = stored" in sql(relation("a"))


def test_partitions_get_the_identity_and_stay_out_of_publication_and_grants():
    text = sql(relation("a"), relation("a_1", root="public.a"), relation("x", unlogged=True))
    assert 'ALTER TABLE "public"."a_1" REPLICA IDENTITY FULL;' in text
    assert text.count('"a_1"') == 1
    assert '"x"' not in text


def test_names_cannot_leave_their_place_in_the_sql():
    nasty = """it's "$$; DROP TABLE x; --"""
    text = sql(relation("a"), server=replace(SERVER, database="shop"), role=preparation.Role(nasty, None))
    assert 'ALTER ROLE "it\'s ""$$; DROP TABLE x; --" REPLICATION;' in text
    text = sql(relation("a"), role=preparation.Role(nasty, "v"))
    (guard,) = [p for p in paragraphs(text) if "CREATE ROLE" in p]
    tag = re.search(r"^DO (\$\w*\$)$", guard, re.MULTILINE)[1]
    assert guard.count(tag) == 2  # what is within does not end it
    assert tag != "$$"


def test_patterns_of_partitions_reach_next_month_but_no_table():
    parts = [relation(f"p_2022_0{n}", root="public.p") for n in (1, 2)]
    inventory = Inventory(SERVER, (relation("p"), *parts))
    assert [item.pattern for item in proposal.propose(inventory).exclude] == [r"public\.p_\d+_\d+"]
    inventory = Inventory(SERVER, (relation("p"), *parts, relation("P_1_1")))
    assert [item.pattern for item in proposal.propose(inventory).exclude] == [r"public\.p_2022_01", r"public\.p_2022_02"]


@pytest.mark.parametrize("schema", ["on", "Größe", "a b", "a: b", "#x", "{x}", "null", "12", "x: y", "[a"])
def test_schemas_of_any_name_are_read_back(schema):
    inventory = Inventory(SERVER, (relation("t", schema),))
    proposed = proposal.propose(inventory)
    text = proposal.text(proposed, "shop", Address("Shop-DB", "verify-full", "/etc/ssl/it's.pem"))
    read = definition.parse(text, Path("d.yaml"))
    assert read.schemas == (schema,)
    assert (read.database.name, read.publication, read.database.sslmode) == ("Shop-DB", "cdc_shop", "verify-full")
    assert read.database.sslrootcert == "/etc/ssl/it's.pem"
    proposal.demand_exact(inventory, read, proposed)


def test_paragraphs_without_a_statement_are_none():
    assert paragraphs("-- a\n-- b\n\nSELECT 1;\n \nDO $$\n-- c\n$$;\n\n\n-- d\n") == ["SELECT 1;", "DO $$\n-- c\n$$;"]


@pytest.mark.parametrize("password", ["simple", "back\\slash", "ü𝄞", "a=b:c#d!e", "it's \"quoted\"", "\\u0041"])
def test_a_login_survives_its_files(tmp_path: Path, password: str):
    login = Login("db.example", "5432", "Shop DB", "cdc_shop", password, "verify-ca", "/x y/root.crt")
    secret = tmp_path / "shop.properties"
    source_files.write({secret: source_files.secret_text(login)})
    held = source_files.read_secret(secret)
    assert held == {"host": "db.example", "port": "5432", "dbname": "Shop DB", "user": "cdc_shop", "password": password}
    (tmp_path / "cdc.toml").write_text('[kafka]\n[connect]\nurl = "http://x"\n[warehouse]\ndsn = "host=h"\n[privacy]\ndsn = "host=h"\n[keyring]\npath = "k"\n')
    source_files.write({tmp_path / "sources" / "shop" / "source.toml": source_files.declaration("shop", login)})
    assert load(tmp_path / "cdc.toml").source("shop").dsn == login.dsn
    assert password not in repr(login) or password == "simple"


@pytest.mark.parametrize("password", ["", " x", "x ", "a\nb", "a\x00b"])
def test_a_password_that_a_properties_file_cannot_hold_is_refused(password: str):
    with pytest.raises(ConfigError, match="the password is empty, begins or ends with a blank"):
        source_files.secret_text(Login("h", "1", "d", "u", password))


def test_a_secret_that_lacks_something_is_refused(tmp_path: Path):
    secret = tmp_path / "shop.properties"
    secret.write_text("host=h\nport=1\ndbname=d\nuser=u\n")
    with pytest.raises(ConfigError, match="no password"):
        source_files.read_secret(secret)
    assert source_files.read_secret(tmp_path / "none") == {}


def test_a_stamp_tells_an_edit():
    text = source_files.stamped("SELECT 1;\n")
    assert not source_files.is_edited(text)
    assert source_files.is_edited(text + " ")
    assert source_files.is_edited("SELECT 1;\n")


def test_writing_is_all_or_nothing(tmp_path: Path):
    old = tmp_path / "old"
    old.write_text("as it was")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="nothing was changed"):
        source_files.write({old: "new", tmp_path / "folder" / "new": "x", tmp_path / "file" / "no": "x"})
    assert old.read_text() == "as it was"
    assert {path.name for path in tmp_path.iterdir()} == {"old", "file"}

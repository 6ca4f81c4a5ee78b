"""The README's section "Your own database", run line by line as it stands there, in a shell, against the native stack."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cdc.local.stack import Stack
from tests.fix_own import Own, own_source
from tests.house.test_docs import ROOT
from tests.oracle.comparison import compare_source, open_protected

SHOP = """
CREATE TABLE customer (customer_id serial PRIMARY KEY, full_name text NOT NULL, email text UNIQUE);
CREATE TABLE product (sku text PRIMARY KEY, title text, price numeric(10,2));
CREATE TABLE purchase (purchase_id bigserial PRIMARY KEY, customer_id int REFERENCES customer, sku text REFERENCES product, at timestamptz DEFAULT now());
INSERT INTO customer (full_name, email) SELECT 'Ada ' || n, 'ada' || n || '@example.com' FROM generate_series(1, 200) n;
INSERT INTO product SELECT 'SKU-' || n, 'thing ' || n, n / 4.0 FROM generate_series(1, 40) n;
INSERT INTO purchase (customer_id, sku) SELECT 1 + n % 200, 'SKU-' || 1 + n % 40 FROM generate_series(1, 900) n;
"""


def commands() -> list[str]:
    """The lines of the section's shell block."""
    section = (ROOT / "README.md").read_text().partition("\n## Your own database\n")[2].partition("\n## ")[0]
    (block,) = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return block.splitlines()


def in_shell(own: Own, line: str) -> subprocess.Popen[str]:
    """Start one line in a shell of its own, with the program of this environment first in the path."""
    environment = {**own.environment, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    return subprocess.Popen(
        ["sh", "-c", f"exec {line}"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def shop(stack: Stack):
    with own_source(stack, name="shop") as own:
        own.run(SHOP)
        yield own


def test_the_three_steps_are_what_it_takes(shop: Own) -> None:
    export, *steps, last = commands()
    variable, _, value = shlex.split(export)[1].partition("=")
    assert variable == "CDC_SOURCE_DSN"
    assert value.startswith("postgresql://")
    assert value.endswith("/shop")
    assert [shlex.split(step, comments=True)[:4] for step in steps] == [
        ["cdc", "connectors", "init", "shop"], ["cdc", "policy", "init", "shop"], ["cdc", "connectors", "apply", "shop"],
    ]  # fmt: skip
    said = {}
    for step in steps:
        process = in_shell(shop, step)
        said[step] = process.communicate(timeout=120)
        assert process.returncode == 0, said[step][1]
    assert "CREATE PUBLICATION" in said[steps[0]][0]
    assert "the database is fit to be captured" in said[steps[0]][1]
    worker = in_shell(shop, last)
    try:
        shop.run("UPDATE customer SET email = 'new' || email WHERE customer_id <= 20", "DELETE FROM purchase WHERE purchase_id % 9 = 0")
        shop.wait()
        reached = "SELECT count(*) FROM shop.purchase"
        ends = time.monotonic() + 60
        while shop.warehouse.query("SELECT to_regclass('shop.purchase') IS NOT NULL") == [(False,)] or shop.warehouse.query(reached) != [(800,)]:
            assert worker.poll() is None, worker.stderr.read()
            assert time.monotonic() < ends
            time.sleep(0.2)
    finally:
        worker.send_signal(signal.SIGINT)  # Ctrl-C
        errors = worker.communicate(timeout=60)[1]
    assert worker.returncode == 0, errors
    settings = shop.warehouse.settings
    compared = compare_source(shop.admin_dsn, settings.warehouse_auditor_dsn, "shop", shop.policy)
    assert [table.difference for table in compared if table.difference] == []
    assert {table.table: table.rows for table in compared if table.table.startswith("public.")} == {
        "public.customer": 200, "public.product": 40, "public.purchase": 800,
    }  # fmt: skip
    opened = open_protected(
        shop.admin_dsn, settings.warehouse_auditor_dsn, settings.privacy_admin_dsn, settings.keyring, "shop", shop.policy
    )
    assert [table.difference for table in opened if table.difference] == []
    assert shop.cdc("policy", "check", "shop").returncode == 0
    # No password is in what the commands said, nor the superuser's in any file.
    secret = re.search(r"password=(\S+)", shop.admin_dsn)[1]
    theirs = re.search(r"password=(\S+)", shop.secret.read_text())[1]
    everything = errors + "".join(out + err for out, err in said.values())
    assert secret not in everything
    assert theirs not in everything
    files = [*shop.folder.iterdir(), shop.secret]
    assert len(files) == 5
    assert all(secret not in file.read_text() for file in files)
    assert {file.name for file in files if theirs in file.read_text()} == {"source.toml", "shop.properties"}
    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}


def test_sources_of_the_user_survive_the_next_up(shop: Own) -> None:
    shop.cdc("connectors", "init", "shop")
    written = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in [*shop.folder.iterdir(), shop.secret]}
    (shop.stack.state / "cdc.toml").unlink()
    shop.stack.up(lambda _line: None)
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in written} == written
    listed = shop.cdc("connectors", "list", CDC_CONFIG=str(shop.stack.state / "cdc.toml")).stdout
    assert re.search(r"^shop +ABSENT", listed, re.MULTILINE)
    assert re.search(r"^trading ", listed, re.MULTILINE)

"""Connectors that exist become definitions: of ours the same connector comes again, of others what can be said is said."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from connectors import definition, plan, profile
from connectors.export import export

SHIPPED = sorted((Path(__file__).resolve().parents[2] / "connectors/definitions").glob("*.yaml"))
DATABASE = "database: {host: db.example.com, port: 5432, name: shop, user: cdc, password: '${env:CDC_PASSWORD}'}\n"
HISTORY = "schema_history: {bootstrap_servers: '${secret:shop/bootstrap_servers}'}\n"
OWN = {
    "schemas": f"name: shop\nkind: postgres\ntopic: shop\npublication: cdc_pub\n{DATABASE}schemas: [public, 'Sales Dept']\nexclude: ['public\\.part_\\d+', 'public\\.odd']\n",
    "tables": f"name: shop\nkind: postgres\ntopic: other\n{DATABASE}tables: [public.orders, s.t]\nreplication_factor: 3\nheartbeat_interval_ms: 500\n",
    "settings": f"name: shop\nkind: postgres\ntopic: shop\n{DATABASE}schemas: [public]\nsettings: {{max.batch.size: 512, skipped.operations: t}}\n",
    "mariadb": f"name: shop\nkind: mariadb\ntopic: shop\nserver_id: 7\n{HISTORY}{DATABASE}schemas: [shop]\n",
    "mysql": f"name: shop\nkind: mysql\ntopic: shop\nserver_id: 7\n{HISTORY}{DATABASE}schemas: [shop]\n",
    "sqlserver": f"name: shop\nkind: sqlserver\ntopic: shop\n{HISTORY}{DATABASE}schemas: [dbo]\n",
}


def expanded(text: str) -> dict[str, str]:
    return profile.configuration(profile.expand(definition.parse(text, Path("shop.yaml")), profile.as_written))


@pytest.mark.parametrize("text", [*OWN.values(), *(path.read_text() for path in SHIPPED)], ids=[*OWN, *(p.stem for p in SHIPPED)])
def test_one_of_ours_comes_back_as_the_definition_of_the_same_connector(text: str) -> None:
    wanted = expanded(text)
    found = export(definition.parse(text, Path("x.yaml")).name, plan.marked(wanted, "here"), set())
    assert found.notes == ()
    assert expanded(found.text) == wanted
    assert not found.replaced


FOREIGN = {
    "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
    "name": "shop",
    "database.hostname": "db.example.com",
    "database.port": "5432",
    "database.dbname": "shop",
    "database.user": "debezium",
    "database.password": "hunter2-in-plain",
    "topic.prefix": "prod",
    "slot.name": "debezium",
    "plugin.name": "pgoutput",
    "table.include.list": "public.orders,public.customers",
    "snapshot.mode": "no_data",
    "max.batch.size": "999",
}


def test_a_foreign_one_becomes_a_definition_with_what_differs_as_settings() -> None:
    found = export("shop", FOREIGN, {"database.password"})
    read = yaml.safe_load(found.text)
    assert read["tables"] == ["public.orders", "public.customers"]
    assert read["database"]["password"] == "${secret:shop/database.password}"
    assert read["settings"] == {"snapshot.mode": "no_data", "max.batch.size": "999"}
    assert "hunter2" not in found.text
    assert "slot.name" in found.notes[0]
    assert "topic.prefix" in found.notes[0]
    assert "adds" in found.notes[1]
    definition.parse(found.text, Path("shop.yaml"))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"connector.class": "org.example.Sink"}, "of this class"),
        ({"table.include.list": "public\\.(a|b)"}, "neither a schema nor a table"),
        ({"table.include.list": "public\\..*,s.t"}, "whole schemas or of single tables"),
        ({"database.dbname": ""}, "name"),
    ],
)
def test_what_no_definition_says_is_written_as_connect_has_it(changed: dict[str, str], why: str) -> None:
    found = export("shop", FOREIGN | changed, {"database.password"})
    assert why in found.notes[0]
    read = yaml.safe_load(found.text)
    assert set(read) == {"name", "config"}
    assert "hunter2" not in found.text


def test_raw_and_names_that_are_no_definitions_names() -> None:
    assert set(yaml.safe_load(export("shop", FOREIGN, set(), raw=True).text)) == {"name", "config"}
    found = export("Prod Orders/1", FOREIGN, set())
    assert set(yaml.safe_load(found.text)) == {"name", "config"}
    assert "small letters" in found.notes[0]

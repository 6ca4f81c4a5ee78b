"""The JSON Schema of a definition, for editors: made from the rules by which :mod:`connectors.definition` reads it.

``definition.schema.json`` beside it is what :func:`text` says. Draft 7, the newest that yaml-language-server knows.
What only the reader knows: whether an ``exclude`` is a regular expression, and what comes out of ``extends``.
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from connectors import definition, invariants, secrets
from connectors.kinds import KINDS, Kind

Schema: TypeAlias = dict[str, Any]

_WORDS = {
    "extends": "Another definition that this one is laid on, counted from this file's folder.",
    "name": "The connector; its slot, its log and its schemas in the warehouse are named after it.",
    "kind": "The kind of database.",
    "topic": "The one topic that everything the connector emits goes into.",
    "database": "Where the source is.",
    "schemas": "Every table of these schemas (MariaDB, MySQL, MongoDB: databases), tomorrow's too.",
    "tables": "These tables: schema.table.",
    "exclude": "Java regular expressions on schema.table, matched whole, regardless of capitals.",
    "replication_factor": "Of the topic, when Connect makes it. Default 1.",
    "heartbeat_interval_ms": "Default 10000.",
    "poll_interval_ms": "Milliseconds for which an idle task sleeps; less costs CPU at rest. Default 50.",
    "settings": "Raw settings of Debezium or Connect, in place of the profile's or beside them.",
    "publication": "PostgreSQL: the publication. Default cdc_<database>.",
    "server_id": "MariaDB, MySQL: the connector's, as a replica of the server. Nobody else may have it.",
    "schema_history": "MariaDB, MySQL, SQL Server: where the history of tables' definitions is kept.",
    "replica_set": "MongoDB: the name of the replica set.",
}


def schema() -> Schema:
    """The schema as plain data."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Definition of a cdc connector",
        "type": "object",
        "if": {"required": ["extends"]},
        "then": {"$ref": "#/definitions/overlay"},
        "else": {"$ref": "#/definitions/whole"},
        "definitions": {"whole": _whole(), "overlay": _overlay()},
    }


def text() -> str:
    """The file's text."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _whole() -> Schema:
    return {
        "properties": _fields(),
        "additionalProperties": False,
        "required": ["name", "kind", "topic", "database"],
        "oneOf": [{"required": ["schemas"]}, {"required": ["tables"]}],
        "allOf": [
            {"if": {"properties": {"kind": {"const": kind.name}}, "required": ["kind"]}, "then": _of_kind(kind)}
            for kind in KINDS.values()
        ],
    }


def _overlay() -> Schema:
    """Any part of one; null takes away what the base says."""
    fields = _fields()
    return {
        "properties": {
            "extends": {"type": "string", "minLength": 1, "description": _WORDS["extends"]},
            **{name: _or_null(each) for name, each in fields.items()},
        },
        "additionalProperties": False,
    }


def _or_null(one: Schema) -> Schema:
    if one.get("type") != "object":
        return {"anyOf": [one, {"type": "null"}]}
    parts = {name: _or_null(each) for name, each in one.get("properties", {}).items()}
    partial = {**one, "properties": parts}
    partial.pop("required", None)
    if isinstance(one.get("additionalProperties"), dict):
        partial["additionalProperties"] = _or_null(one["additionalProperties"])
    if "patternProperties" in one:
        partial["patternProperties"] = {name: _or_null(each) for name, each in one["patternProperties"].items()}
    return {"anyOf": [partial, {"type": "null"}]}


def _fields() -> Schema:
    fields: Schema = {
        "name": _pattern(definition.NAME),
        "kind": {"enum": list(KINDS)},
        "topic": _pattern(definition.TOPIC),
        "database": _database(),
        "schemas": _list(_plain(definition.IDENTIFIER)),
        "tables": _list(_plain(rf"{definition.IDENTIFIER}\.{definition.IDENTIFIER}")),
        "exclude": _list(_pattern(r"[^,]+")),
        **{name: _number(name) for name in definition.DEFAULTS},
        "settings": _settings(),
        "publication": _pattern(definition.PUBLICATION),
        "server_id": _number("server_id"),
        "schema_history": _object({"bootstrap_servers": _pattern(secrets.TEXT)}, ["bootstrap_servers"]),
        "replica_set": _pattern(definition.REPLICA_SET),
    }
    return {name: {**each, "description": _WORDS[name]} for name, each in fields.items()}


def _database() -> Schema:
    least, most = definition.BOUNDS["port"]
    port = [{"type": "integer", "minimum": least, "maximum": most}, _pattern(rf"[0-9]+|{secrets.REFERENCE}")]
    modes = dict.fromkeys(mode for kind in KINDS.values() for mode in kind.sslmodes)
    return _object(
        {
            "host": _pattern(secrets.TEXT),
            "port": {"anyOf": port},
            "name": _plain(definition.IDENTIFIER),
            "user": _pattern(secrets.TEXT),
            "password": {**_pattern(secrets.REFERENCE), "description": f"A reference: {secrets.FORMS}."},
            "sslmode": {"enum": list(modes)},
            "sslrootcert": _pattern(secrets.TEXT),
        },
        ["host", "port", "name", "user", "password"],
    )


def _settings() -> Schema:
    value = {
        "type": ["string", "integer", "boolean"],
        "allOf": [{"pattern": _anchored(definition.SETTING_VALUE)}, {"pattern": _anchored(secrets.TEXT)}],
        "not": {"type": "string", "pattern": secrets.URL_WITH_LOGIN},
    }
    refused = "|".join(each.names for each in invariants.REFUSED)
    return {
        "type": "object",
        "properties": {"transforms": _pattern(invariants.LAST_TRANSFORM)},
        "propertyNames": {"pattern": _anchored(definition.SETTING), "not": {"pattern": _anchored(refused)}},
        "patternProperties": {secrets.TELLING_NAME: _pattern(secrets.REFERENCE)},
        "additionalProperties": value,
    }


def _of_kind(kind: Kind) -> Schema:
    """What a kind narrows: its fields, its modes, its own schemas, which nobody names."""
    others = {name for each in KINDS.values() for name in each.fields} - set(kind.fields)
    own = "|".join(sorted(kind.own_schemas))
    database: Schema = {"sslmode": {"enum": list(kind.sslmodes)}}
    if not kind.root_certificate:
        database["sslrootcert"] = False
    elif kind.root_certificate == "trust store":
        database["sslrootcert"] = {"not": {"pattern": _anchored(definition.PEM)}}
    narrowed: Schema = {
        "properties": {
            **dict.fromkeys(sorted(others), False),
            "database": {"properties": database},
            "schemas": {"items": {"not": {"enum": sorted(kind.own_schemas)}}},
            "tables": {"items": {"not": {"pattern": rf"^(?:{own})\."}}},
        }
    }
    if kind.needed:
        narrowed["required"] = list(kind.fields[: kind.needed])
    if "publication" in kind.fields:
        foldable = {
            "database": {"properties": {"name": {"not": {"pattern": r"^[a-z0-9_$-]{1,59}$"}}}, "required": ["name"]}
        }
        narrowed["if"] = {"properties": foldable, "required": ["database"]}
        narrowed["then"] = {"required": ["publication"]}
    return narrowed


def _object(properties: Schema, required: list[str]) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False, "required": required}


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item, "minItems": 1, "uniqueItems": True}


def _number(name: str) -> Schema:
    least, most = definition.BOUNDS[name]
    return {"type": "integer", "minimum": least, "maximum": most}


def _pattern(pattern: str) -> Schema:
    return {"type": "string", "pattern": _anchored(pattern)}


def _plain(pattern: str) -> Schema:
    """A name itself, never a reference."""
    return {"type": "string", "pattern": rf"^(?![\s\S]*\$\{{)(?:{pattern})$"}


def _anchored(pattern: str) -> str:
    return f"^(?:{pattern})$"

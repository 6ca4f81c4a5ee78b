"""An existing connector as a definition: what our profile would write is left out, all else is a raw setting.

Only kinds with host and port are told apart, and only lists of tables that name schemas or tables. What of a live
configuration no definition may say (:mod:`connectors.invariants`) is named, not written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from connectors import definition as definitions
from connectors import invariants, mysql_profile, profile, secrets
from connectors.errors import DefinitionError
from connectors.kinds import KINDS

_ADDRESS = {"host": "database.hostname", "port": "database.port"}
_LOGIN = {"user": "database.user", "password": "database.password"}
_STORE = "database.ssl.truststore"
_CERTIFICATE = {"postgres": "database.sslrootcert", "mariadb": _STORE, "mysql": _STORE}
_NAME = {"postgres": "database.dbname", "sqlserver": "database.names"}
_TLS = {"postgres": "database.sslmode", "mariadb": "database.ssl.mode", "mysql": "database.ssl.mode"}
_MYSQL = {mode: ours for ours, mode in mysql_profile.MODES.items()}
_NUMBERS = {
    "replication_factor": "topic.creation.default.replication.factor",
    "heartbeat_interval_ms": "heartbeat.interval.ms",
    "poll_interval_ms": "poll.interval.ms",
}
_ALL = "*"
_LITERAL = r"(?:\\.|[^\\.*+?()\[\]{}|^$])+"
_EXCLUDING = re.compile(r"\(\?!\(\?:(.*?)\)\$\)")


@dataclass(frozen=True, slots=True)
class Differs:
    """What applying the definition would change: settings that no definition can say, and that the profile adds."""

    refused: tuple[str, ...]
    added: tuple[str, ...]


def as_definition(name: str, live: Mapping[str, str]) -> tuple[str, Differs]:
    """YAML of a definition for the connector, and what it cannot say. ``live`` holds references, no secret.

    Raises:
        DefinitionError: it cannot be one; the message says why.
    """
    kind = next((k for k, c in profile.CONNECTORS.items() if c.class_name == live.get("connector.class")), None)
    if kind is None or kind == "mongodb":
        raise DefinitionError("no definition is made of a connector of this class")
    fields: dict[str, Any] = {"name": name, "kind": kind, "topic": live.get("transforms.one.replacement", name)}
    fields["database"] = _database(kind, live)
    fields |= _own(kind, live)
    fields |= _captured(kind, live)
    fields |= _numbers(live)
    wanted = _expanded(fields)
    settings, refused = {}, []
    for setting, value in sorted(live.items()):
        if wanted.get(setting) == value or setting == "name":
            continue
        if invariants.refusal(setting, value) is not None or secrets.in_plain(setting, value):
            refused.append(setting)
        else:
            settings[setting] = value
    if settings:
        fields["settings"] = settings
        _expanded(fields)
    text = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=1000)
    return text, Differs(tuple(refused), tuple(sorted(wanted.keys() - live.keys())))


def _expanded(fields: Mapping[str, Any]) -> dict[str, str]:
    """What the profile makes of it; a definition that is not accepted is none."""
    text = yaml.safe_dump(dict(fields), allow_unicode=True)
    found = definitions.parse(text, Path(f"{fields['name']}.yaml"))
    return profile.configuration(profile.expand(found, profile.as_written))


def _database(kind: str, live: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {field: live.get(setting, "") for field, setting in _ADDRESS.items()}
    if found["port"].isdigit():
        found["port"] = int(found["port"])
    found["name"] = live.get(_NAME[kind], "") if kind in _NAME else next(_pieces(kind, live), ("", ""))[0]
    found |= {field: live.get(setting, "") for field, setting in _LOGIN.items()}
    found["sslmode"] = _sslmode(kind, live)
    found["sslrootcert"] = live.get(_CERTIFICATE.get(kind, ""), "")
    return {field: value for field, value in found.items() if value}


def _sslmode(kind: str, live: Mapping[str, str]) -> str:
    if kind == "sqlserver":
        if live.get("driver.encrypt") == "false":
            return "disable"
        return "trust" if live.get("driver.trustServerCertificate") == "true" else "verify-full"
    mode = live.get(_TLS[kind], "")
    return _MYSQL.get(mode, mode) if kind == "mysql" else mode


def _own(kind: str, live: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if kind == "postgres" and "publication.name" in live:
        found["publication"] = live["publication.name"]
    if "server_id" in KINDS[kind].fields:
        identity = live.get("database.server.id", "")
        found["server_id"] = int(identity) if identity.isdigit() else identity
    if "schema_history" in KINDS[kind].fields:
        servers = live.get("schema.history.internal.kafka.bootstrap.servers", "")
        found["schema_history"] = {"bootstrap_servers": servers}
    return found


def _numbers(live: Mapping[str, str]) -> dict[str, int]:
    found = {}
    for field, setting in _NUMBERS.items():
        value, (low, high) = live.get(setting, ""), definitions.BOUNDS[field]
        if value.isdigit() and low <= int(value) <= high and int(value) != definitions.DEFAULTS[field]:
            found[field] = int(value)
    return found


def _captured(kind: str, live: Mapping[str, str]) -> dict[str, list[str]]:
    """``schemas`` or ``tables`` and ``exclude`` from the lists of the configuration, all literal."""
    pieces = list(_pieces(kind, live))
    schemas = [schema for schema, table in pieces if table == _ALL]
    tables = [f"{schema}.{table}" for schema, table in pieces if table != _ALL]
    if bool(schemas) == bool(tables):
        raise DefinitionError(
            "its list of tables is not one of whole schemas or of single tables: write schemas or tables by hand"
        )
    found = {"schemas": schemas} if schemas else {"tables": tables}
    listed = live.get("table.include.list", "")
    exclude = list(dict.fromkeys(_EXCLUDING.findall(listed))) or [
        each for each in live.get("table.exclude.list", "").split(",") if each
    ]
    return {**found, "exclude": exclude} if exclude else found


def _pieces(kind: str, live: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Schema and table of each entry, ``*`` for all tables; our own tables left out.

    Raises:
        DefinitionError: an entry is a pattern that names neither.
    """
    listed = [each for each in live.get("table.include.list", "").split(",") if each]
    outer = live.get("schema.include.list") or live.get("database.include.list") or ""
    if not listed:
        listed = [f"{schema}\\..*" for schema in outer.split(",") if schema]
    for entry in listed:
        plain = _EXCLUDING.sub("", entry).strip()
        schema, table = _halves(plain)
        if f"{schema}.{table}" not in KINDS[kind].own_tables:
            yield schema, table


def _halves(entry: str) -> tuple[str, str]:
    r"""Schema and table of one entry, escaped (``public\.orders``) or as people write it (``public.orders``)."""
    for dot in (r"\\\.", r"\."):
        found = re.fullmatch(rf"({_LITERAL}){dot}({_LITERAL}|\.\*)", entry)
        if found is not None:
            schema, table = (re.sub(r"\\(.)", r"\1", each) for each in found.groups())
            return schema, _ALL if found[2] == ".*" else table
    raise DefinitionError("its list of tables holds a pattern that is neither a schema nor a table: write it by hand")

"""Raw settings that a definition may not override, because what is promised hangs on them. Pure.

Everything else may be: :mod:`connectors.overrides` says what it risks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from connectors.listed.configuration import CHECKS


@dataclass(frozen=True, slots=True)
class Refused:
    """``names``: a regular expression on the whole name. ``instead``: what to write, where there is something."""

    names: str
    problem: str
    instead: str | None = None


def _because(code: str) -> str:
    return CHECKS[code].reason


_ROUTING = f"everything that a connector emits goes into one topic with one partition: {_because('topic_routing')}"
_WIRE = f"records carry their types: {_because('converter')}"
_ONCE = f"exactly once is not a choice: without it {_because('exactly_once')}"
_SAID = "the definition says it"
REFUSED = (
    Refused(r"name|topic\.prefix", "it is the definition's name, and Connect's offsets hang on it", "name: …"),
    Refused(r"connector\.class|plugin\.name", "the kind of database decides it", "kind: …"),
    Refused(r"tasks\.max", "one connector, one task: a log has one order"),
    Refused(r"transforms\.one(?:\..*)?", _ROUTING, "topic: …"),
    Refused(r"topic\.(?:naming\.strategy|creation\.(?:groups|[a-z0-9_]+\.partitions))", _ROUTING, "topic: …"),
    Refused(r"(?:key|value)\.converter(?:\..*)?", _WIRE),
    Refused(r"exactly\.once\.support|transaction\.boundary(?:\..*)?", _ONCE),
    Refused(r"producer\.override\.(?:transactional\.id|acks|enable\.idempotence|bootstrap\.servers)", _ONCE),
    Refused(r"producer\.override\.(?:key|value)\.serializer", _WIRE),
    Refused(r"slot\.name", f"one slot per connector, named after it: {_because('slot_shared')}"),
    Refused(r"publication\.name", _SAID, "publication: …"),
    Refused(r"signal\.data\.collection", "signals are rows of the table that is captured always"),
    Refused(r"(?:table|schema|database|collection)\.(?:include|exclude)\.list", _SAID, "schemas, tables and exclude"),
    Refused(
        r"database\.(?:hostname|port|dbname|names|user|password|sslmode|sslrootcert|ssl\.(?:mode|truststore))"
        r"|driver\.(?:encrypt|trustServerCertificate|serverSslCert)"
        r"|mongodb\.(?:connection\.string|user|password|authsource|ssl\.enabled|ssl\.invalid\.hostname\.allowed)",
        _SAID, "database: …",
    ),
    Refused(r"database\.server\.id", _SAID, "server_id: …"),
    Refused(r"schema\.history\.internal", "the history of tables is kept in Kafka"),
    Refused(
        r"schema\.history\.internal\.kafka\.topic", "one topic per connector, named after it: sharing one mixes tables"
    ),
    Refused(r"schema\.history\.internal\.kafka\.bootstrap\.servers", _SAID, "schema_history: …"),
)  # fmt: skip
LAST_TRANSFORM = r"(?:[A-Za-z0-9_-]+, ?)*one"
"""Of ``transforms``: others may stand before the one that routes."""

_REFUSED = tuple((re.compile(each.names), each) for each in REFUSED)


def refusal(name: str, value: str) -> Refused | None:
    """Why this setting cannot have this value in any definition."""
    if name == "transforms" and re.fullmatch(LAST_TRANSFORM, value) is None:
        return Refused(name, f"`one` must be the last: {_ROUTING}", "transforms: yours, one")
    return next((why for names, why in _REFUSED if names.fullmatch(name)), None)

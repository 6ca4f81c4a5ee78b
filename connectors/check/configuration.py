"""A connector's configuration, as Kafka Connect has it, against each known way to lose or change data.

Judges text alone: no database, no Connect. No finding shows a value that could be a secret: only values of settings
that are words of Debezium's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from connectors import secrets
from connectors.check.losses import version
from connectors.finding import Finding
from connectors.listed.configuration import UNSET, risk

Configuration = Mapping[str, str]

_SECRET = re.compile(
    r"(password|passphrase|secret|token|credential|jaas|api[._]?key|private[._]?key|keystore\.key)", re.IGNORECASE
)


def configuration(kind: str, live: Configuration, profile: Configuration, plugin: str = "") -> Iterator[Finding]:
    """What a configuration loses.

    ``profile``: what the profile of that kind of database says, which loses nothing; ``plugin``: the version that runs
    it.
    """
    for name, value in sorted((UNSET[kind] | dict(live)).items()):
        found = risk(kind, name, value, version(plugin)) if value != profile.get(name) else None
        if found is not None:
            check, where = found
            said = f"{name} {_shown(name, value, where.right)}" + ("" if name in live else " by default")
            yield Finding(check.code, said, place=name)
    if not _routed(live, profile):
        yield Finding("topic_routing", "records do not all go into one topic", place="transforms")
    for name in sorted(live):
        if _SECRET.search(name) and live[name] and not _is_reference(name, live[name]):
            yield Finding("secret_plain", f"{name} holds a secret in plain text", place=name)


def _shown(name: str, value: str, right: str) -> str:
    """What a setting is, and what not: in words where it is one of Debezium's own."""
    last = value.strip().rpartition(".")[2] if name.endswith((".type", ".converter")) else ""
    if re.fullmatch(r"[\w$]{1,60}", last):
        return f"is {last}"
    if not re.fullmatch(r"[\w|-]+", right):
        return "is set" if value else "is not set"
    is_word = re.fullmatch(r"[\w., -]{1,40}", value.strip())
    return f"is {value.strip().lower() if is_word else 'something else'}, not {' or '.join(right.split('|'))}"


def _routed(live: Configuration, profile: Configuration) -> bool:
    """Whether some transform sends every record into the one topic."""
    return any(
        live.get(f"transforms.{name}.type", "").endswith(".RegexRouter")
        and live.get(f"transforms.{name}.regex") == ".*"
        and live.get(f"transforms.{name}.replacement") == profile["transforms.one.replacement"]
        and not live.get(f"transforms.{name}.predicate")
        for name in map(str.strip, live.get("transforms", "").split(","))
    )


def shared(live: Mapping[str, Configuration]) -> Iterator[tuple[str, Finding]]:
    """What several connectors of one Connect share and must not, by the name of each of them.

    Addresses that are references count as equal for slots, because a slot's name says enough.
    """
    place = ("database.hostname", "database.port", "database.dbname")
    rules = (
        ("slot_shared", "slot.name", "one replication slot", place, True),
        ("name_shared", "topic.prefix", "one topic.prefix", (), False),
        ("topic_shared", "transforms.one.replacement", "one topic", (), False),
        ("signal_shared", "signal.data.collection", "one signalling table", place, False),
    )
    for code, setting, what, beside, blank in rules:
        groups: dict[tuple[str, ...], list[str]] = {}
        for name, its in live.items():
            if setting in its:
                where = ("" if blank and "${" in its.get(each, "") else its.get(each, "") for each in beside)
                groups.setdefault((its[setting], *where), []).append(name)
        for names in groups.values():
            for name in names if len(names) > 1 else ():
                others = ", ".join(other for other in names if other != name)
                yield name, Finding(code, f"{name} has {what} with {others}", place=setting)


def _is_reference(setting: str, value: str) -> bool:
    if "jaas" in setting.lower():  # a sentence of which the secret is a part
        return "password" not in value.lower() or "${" in value
    return secrets.is_reference(value) or (value.startswith("${") and value.endswith("}"))

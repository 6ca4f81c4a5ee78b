"""From a definition to the complete configuration of its connector, by the kind of its database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connectors import mariadb_profile, mongodb_profile, mysql_profile, postgres_profile, sqlserver_profile
from connectors.definition import Definition
from connectors.kinds import KINDS
from connectors.overrides import Override
from connectors.overrides import overrides as _overrides
from connectors.secrets import SecretLookup, resolve
from connectors.setting import Setting, Settings

_OLDEST = (3, 6, 1)
"""Of the kinds that no log is made of yet: older ones begin ``event_count`` anew within a transaction (DBZ-5127)."""


@dataclass(frozen=True, slots=True)
class Connector:
    """Debezium's connector for one kind of database, the oldest version that is fit for evidence, and its profile."""

    database: str
    class_name: str
    plugin: str
    least: tuple[int, int, int]
    profile: Callable[[Definition, SecretLookup], Settings]


def _connector(
    kind: str, class_name: str, least: tuple[int, int, int], profile: Callable[[Definition, SecretLookup], Settings]
) -> Connector:
    return Connector(KINDS[kind].title, class_name, f"debezium-connector-{kind}", least, profile)


CONNECTORS = {
    "postgres": _connector(
        "postgres", postgres_profile.CONNECTOR_CLASS, postgres_profile.LEAST_VERSION, postgres_profile.expand
    ),
    "mariadb": _connector(
        "mariadb", mariadb_profile.CONNECTOR_CLASS, mariadb_profile.LEAST_VERSION, mariadb_profile.expand
    ),
    "mysql": _connector("mysql", mysql_profile.CONNECTOR_CLASS, _OLDEST, mysql_profile.expand),
    "sqlserver": _connector("sqlserver", sqlserver_profile.CONNECTOR_CLASS, _OLDEST, sqlserver_profile.expand),
    "mongodb": _connector("mongodb", mongodb_profile.CONNECTOR_CLASS, _OLDEST, mongodb_profile.expand),
}
"""By the ``kind`` of a definition."""


def expand(definition: Definition, secrets: SecretLookup) -> Settings:
    """The whole configuration with its reasons, raw ``settings`` of the definition included.

    ``secrets`` says where ``${secret:…}`` is kept.
    """
    settings = CONNECTORS[definition.kind].profile(definition, secrets)
    risks = {each.setting: each for each in _overrides(definition, settings)}
    for name, value in definition.settings:
        reason = risks[name].reason if name in risks else f"as the profile has it: {settings[name].reason}"
        settings[name] = Setting(resolve(value, secrets), reason, "override")
    return settings


def overrides(definition: Definition) -> tuple[Override, ...]:
    """What each raw setting of the definition risks, the gravest first; values as the definition writes them."""
    return _overrides(definition, CONNECTORS[definition.kind].profile(definition, as_written))


def as_written(bundle: str, key: str) -> str:
    """A look-up that leaves ``${secret:…}`` as it is: for showing, and for comparing definitions."""
    return f"${{secret:{bundle}/{key}}}"


def configuration(settings: Mapping[str, Setting]) -> dict[str, str]:
    """What Connect gets: the values alone."""
    return {name: setting.value for name, setting in settings.items()}

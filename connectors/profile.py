"""From a definition to the complete configuration of its connector, by the kind of its database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connectors import mariadb_profile, postgres_profile
from connectors.definition import Definition
from connectors.secrets import SecretLookup
from connectors.setting import Setting, Settings


@dataclass(frozen=True, slots=True)
class Connector:
    """Debezium's connector for one kind of database, the oldest version that is fit for evidence, and its profile."""

    database: str
    class_name: str
    plugin: str
    least: tuple[int, int, int]
    profile: Callable[[Definition, SecretLookup], Settings]


CONNECTORS = {
    "postgres": Connector(
        "PostgreSQL",
        postgres_profile.CONNECTOR_CLASS,
        "debezium-connector-postgres",
        postgres_profile.LEAST_VERSION,
        postgres_profile.expand,
    ),
    "mariadb": Connector(
        "MariaDB",
        mariadb_profile.CONNECTOR_CLASS,
        "debezium-connector-mariadb",
        mariadb_profile.LEAST_VERSION,
        mariadb_profile.expand,
    ),
}
"""By the ``kind`` of a definition."""


def expand(definition: Definition, secrets: SecretLookup) -> Settings:
    """The whole configuration with its reasons. ``secrets`` says where ``${secret:…}`` is kept."""
    return CONNECTORS[definition.kind].profile(definition, secrets)


def configuration(settings: Mapping[str, Setting]) -> dict[str, str]:
    """What Connect gets: the values alone."""
    return {name: setting.value for name, setting in settings.items()}

"""Looks at every part, one after the other, and never stops at one that does not answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import psycopg2

from cdc.checks import privacy, streams, warehouse
from cdc.checks.kafka import Kafka, headroom, one_topic, schema_history
from cdc.checks.report import Report
from cdc.config import Config, SourceConfig
from cdc.connect_client import opened
from cdc.errors import CdcError, ConfigError
from cdc.warehouse.status import StreamStatus
from cdc.warehouse.status import streams as all_streams
from connectors import check as sources
from connectors.check import worker
from connectors.check.configuration import shared
from connectors.check.epoch import epoch
from connectors.client import ConnectClient
from connectors.definition import Definition, load
from connectors.errors import ConnectorError, DefinitionError
from connectors.finding import Finding
from connectors.secrets import SecretLookup, in_folder
from governance.errors import GovernanceError
from governance.store import StoreMark

_UNREAD = {
    "source_unreachable": "source_unread",
    "warehouse_unreachable": "warehouse_unread",
    "privacy_unreachable": "privacy_unfit",
}
"""Code of a part that does not answer → of one that answers, and lets nobody look."""

Tell = Callable[[str], None]
"""Takes a line of progress."""


def check(
    settings: Config, names: Sequence[str] = (), *, everything: bool = True, tell: Tell = lambda _line: None
) -> Report:
    """Look at these sources (all), their connectors, Kafka and Connect; with ``everything`` at warehouse and privacy
    store too.

    Raises:
        NotFound: no source of that name.
        ConfigError: ``[kafka]`` is refused by the client library.
    """
    chosen = [settings.source(name) for name in names] or list(settings.sources.values())
    look = _Look(settings, everything, Report(), tell)
    look.definitions(chosen)
    look.warehouse_first()
    look.kafka()
    look.connect_and_sources()
    if everything:
        look.warehouse()
        look.privacy()
    return look.report


@dataclass(slots=True)
class _Look:
    """One run. ``streams``: None when the warehouse could not be asked."""

    settings: Config
    everything: bool
    report: Report
    tell: Tell
    chosen: list[tuple[SourceConfig, Definition]] = field(default_factory=list)
    streams: dict[str, StreamStatus] | None = None
    cluster: str | None = None
    identities: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def part(self, what: str, code: str, source: str | None = None) -> Iterator[None]:
        """Look at a part: that it does not answer, or lets nobody look, is a finding."""
        self.tell(f"looking at {what}")
        self.report.asked += 1
        try:
            yield
        except (CdcError, ConnectorError, GovernanceError) as error:
            answers = error.exit_code != 5
            self.report.reached += answers
            code = _UNREAD.get(code, code) if answers else code
            self.report.add(source, [Finding(code, f"{what}: {error}", command=error.hint or "")])
        except psycopg2.Error as error:  # its text can hold values
            self.report.reached += 1
            self.report.add(source, [Finding(_UNREAD.get(code, code), f"{what}: SQLSTATE {error.pgcode}")])
        else:
            self.report.reached += 1

    def definitions(self, chosen: Iterable[SourceConfig]) -> None:
        """Read them; one that cannot be read leaves its source out."""
        for source in chosen:
            try:
                definition = load(source.definition)
            except DefinitionError as error:
                self.report.add(source.name, [Finding("definition_unusable", str(error), command=error.hint or "")])
                continue
            if (definition.name, definition.topic) != (source.name, source.topic):
                problem = (
                    f"{source.definition} says name {definition.name} and topic {definition.topic}; the configuration"
                    f" file says {source.name} and {source.topic}"
                )
                self.report.add(source.name, [Finding("definition_unusable", problem, command="make both the same")])
                continue
            self.chosen.append((source, definition))

    def warehouse_first(self) -> None:
        """Positions of workers, which Kafka's retention is held against. That it is away is said by ``warehouse``."""
        try:
            self.streams = {found.log: found for found in all_streams(self.settings.warehouse_auditor_dsn)}
        except (CdcError, psycopg2.Error):
            self.streams = None

    def kafka(self) -> None:
        """The topics of the sources."""
        kafka = Kafka(self.settings.kafka)
        with self.part("Kafka", "kafka_unreachable"):
            self.cluster, brokers = kafka.cluster()
            for source, definition in self.chosen:
                self.report.add(source.name, self._topic(kafka, source, definition, brokers))

    def _topic(self, kafka: Kafka, source: SourceConfig, definition: Definition, brokers: int) -> Iterator[Finding]:
        seen = kafka.topic(source.topic)
        yield from one_topic(source.topic, source.name, seen, brokers)
        if definition.kind == "mariadb":
            history = f"{source.name}.schema-history"
            yield from schema_history(history, kafka.topic(history))
        if seen is None or seen.partitions != 1:
            return
        yield from kafka.held_back(source.topic)
        found = (self.streams or {}).get(source.name)
        standing = None if found is None else kafka.standing(source.topic, found.position)
        if standing is not None:
            yield from headroom(source.topic, standing, seen, source.name)

    def connect_and_sources(self) -> None:
        """Connect once, then each source's database and connector."""
        with opened(self.settings, timeout_s=60, patience_s=20) as client:
            seen: worker.Seen | None = None
            with self.part("Kafka Connect", "connect_unreachable"):
                seen = worker.look(client)
                self.report.add(None, worker.worker(seen, [each.kind for _, each in self.chosen], self.cluster))
                named = {source.name for source, _ in self.chosen}
                for name, finding in shared({name: info.config for name, info in seen.connectors.items()}):
                    if name in named:
                        self.report.add(name, [finding])
            for source, definition in self.chosen:
                self._source(client, source, definition, seen)
                if seen is not None:
                    self._connector(client, definition, seen)

    def _source(
        self, client: ConnectClient, source: SourceConfig, definition: Definition, seen: worker.Seen | None
    ) -> None:
        name, dsn = source.name, source.dsn
        if dsn is None:
            self.report.add(name, [Finding("source_without_dsn", f"source {name} has no dsn")])
            return
        with self.part(f"source {name}", "source_unreachable", name):
            position = worker.stored_position(client, definition, seen)
            self.report.add(name, sources.source(definition, dsn, position))
            now = epoch(definition, dsn)
            if now is not None:
                self.identities[name] = now[0]
                found = (self.streams or {}).get(name)
                self.report.add(name, streams.source_epoch(found, "/".join(now)))

    def _connector(self, client: ConnectClient, definition: Definition, seen: worker.Seen) -> None:
        with self.part(f"connector {definition.name}", "connect_unreachable", definition.name):
            self.report.add(definition.name, worker.state(definition, seen))
            secrets = self._secrets()
            self.report.add(definition.name, worker.live(client, definition, seen, secrets))

    def _secrets(self) -> SecretLookup:
        try:
            return in_folder(self.settings.state / "secrets")
        except ValueError as error:
            raise ConfigError(f"{self.settings.path}: {error}") from None

    def warehouse(self) -> None:
        """Settings, migrations, roles, partitions, and each stream."""
        settings, identity = self.settings, None
        with self.part("warehouse", "warehouse_unreachable"):
            with closing(warehouse.opened(settings.warehouse_admin_dsn, "[warehouse] admin_dsn")) as connection:
                cursor = connection.cursor()
                findings = list(warehouse.migrations(cursor))
                identity = warehouse.system_identifier(cursor)
                self.report.add(None, findings)
            if any(finding.code == "warehouse_unmigrated" for finding in findings):
                return
            with closing(warehouse.opened(settings.warehouse_dsn, "[warehouse] dsn")) as connection:
                cursor = connection.cursor()
                self.report.add(None, warehouse.durability(cursor))
                self.report.add(None, warehouse.replicator(cursor))
            with closing(warehouse.opened(settings.warehouse_auditor_dsn, "[warehouse] auditor_dsn")) as connection:
                cursor = connection.cursor()
                self.report.add(None, warehouse.auditor(cursor))
                self.report.add(None, warehouse.partitions(cursor))
            for source, definition in self.chosen:
                self.report.add(source.name, warehouse.privileges(settings.warehouse_dsn, source.name))
                if self.streams is not None:
                    self.report.add(source.name, streams.stream(source.name, self.streams.get(source.name)))
                if identity is not None and self.identities.get(source.name) == identity:
                    problem = f"the warehouse is in the cluster of {definition.name} (system identifier {identity})"
                    self.report.add(source.name, [Finding("warehouse_shares_cluster", problem)])

    def privacy(self) -> None:
        """Keyring and store."""
        settings, seen = self.settings, self._privacy_seen()
        with self.part("privacy store", "privacy_unreachable"):
            self.report.add(None, privacy.store(settings.privacy_dsn, settings.keyring, seen))
            with closing(warehouse.opened(settings.privacy_dsn, "[privacy] dsn")) as connection:
                self.report.add(None, privacy.database(connection.cursor()))
            with closing(warehouse.opened(settings.privacy_admin_dsn, "[privacy] admin_dsn")) as connection:
                self.report.add(None, privacy.migrations(connection.cursor()))

    def _privacy_seen(self) -> StoreMark | None:
        """The newest mark that any stream has committed."""
        try:
            return warehouse.privacy_seen(self.settings.warehouse_auditor_dsn)
        except CdcError:
            return None

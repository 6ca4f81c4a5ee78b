"""What the supervisor does by itself: restarts of what failed, and partitions cut ahead. Recorded first, then done."""

from __future__ import annotations

import logging

from cdc.config import Config
from cdc.errors import CdcError
from cdc.supervise import connect_look, warehouse_look
from cdc.supervise.causes import data_loss
from cdc.supervise.journal import Journal
from cdc.supervise.metrics import Metrics
from cdc.supervise.restarts import Restarts
from cdc.supervise.seen import ConnectorSeen, Seen
from cdc.supervise.settings import Settings
from cdc.telemetry import Progress
from connectors import redact
from connectors.errors import ConnectorError


class Acting:
    """Acts while the journal says that this supervisor may. ``restarts``: connector → what was tried; ``left``: those
    that are left as they are, which has been said.
    """

    def __init__(
        self, config: Config, settings: Settings, journal: Journal, progress: Progress, metrics: Metrics
    ) -> None:
        self._config, self._settings = config, settings
        self._journal, self._progress, self._metrics = journal, progress, metrics
        self.left: set[str] = set()
        self.restarts: dict[str, Restarts] = {}

    def restart(self, seen: Seen) -> None:
        """Restart what is FAILED and due; never what failed because the source no longer has what was not read."""
        for name, connector in seen.connectors.items():
            tried = self.restarts.get(name, Restarts())
            if not connector.failed:
                self.left.discard(name)
                running = connector.running
                self.restarts[name] = (
                    tried.seen_running(seen.at, self._settings.stable_s) if running else tried.seen_down()
                )
                continue
            self.restarts[name] = tried = tried.seen_down()
            cause = data_loss(connector, seen.sources.get(name))
            if cause is not None:
                self._leave(connector, cause)
            elif f"source/{name}" in seen.away:
                continue  # whether its slot is there cannot be seen; and a restart would not reach the source either
            elif tried.step(seen.at, self._settings.max_restarts) == "restart":
                self._restart(connector, tried, seen.at)

    def cut_ahead(self, seen: Seen) -> None:
        """Cut partitions where half of what shall be ahead is used up."""
        connection, ahead = self._journal.connection, self._settings.partitions_ahead
        if connection is None or seen.warehouse is None:
            return
        for log, size in seen.warehouse.sizes.items():
            if seen.warehouse.ahead(log) >= ahead // 2:
                continue
            try:
                cut = warehouse_look.cut_ahead(connection, log, size + ahead)
            except CdcError as error:
                self._progress.note(f"{log}: no partitions cut: {error}", "partitions-not-cut", logging.WARNING)
                continue
            if cut:
                self._journal.record_later("partitions-cut", {"log": log, "partitions": str(cut), "size": str(size)})
                self._progress.note(f"{log}: {cut} partitions cut ahead", "partitions-cut", log=log, partitions=cut)

    def _restart(self, connector: ConnectorSeen, tried: Restarts, now: float) -> None:
        name, cause = connector.name, _cause(connector)
        detail = {"connector": name, "attempt": str(tried.attempts + 1), "cause": cause}
        if not self._journal.record("connector-restarted", detail):
            return
        self.restarts[name] = tried.restarted(now)
        self._metrics.count("cdc_connector_restarts_total", name)
        again = self.restarts[name].next_at - now
        text = f"{name}: restart {tried.attempts + 1}, the next in {again / 60:.0f} min at the earliest: {cause}"
        try:
            connect_look.restart_failed(self._config, name)
        except ConnectorError as error:
            text = f"{name}: restart {tried.attempts + 1} was refused: {error}"
        self._progress.note(text, "restarted", logging.WARNING, connector=name, attempt=tried.attempts + 1)

    def _leave(self, connector: ConnectorSeen, cause: str) -> None:
        """Say once, here and in the log ``operations``, that it is left as it is."""
        name = connector.name
        if name in self.left:
            return
        if not self._journal.record("connector-not-restarted", {"connector": name, "cause": cause}):
            return
        self.left.add(name)
        text = f"{name}: {cause}; not restarted: {_cause(connector)}"
        self._progress.note(text, "not-restarted", logging.ERROR, connector=name, cause=cause)


def _cause(connector: ConnectorSeen) -> str:
    return redact.causes(connector.traces[0]) if connector.traces else "no trace"

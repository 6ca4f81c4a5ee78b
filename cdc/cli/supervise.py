"""``cdc supervise``: watches what runs, and mends or pages."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.output import Answer, Foot, Sheet, output_option, write
from cdc.errors import NotFound

if TYPE_CHECKING:
    from cdc.supervise.alerts import Finding
    from cdc.supervise.supervisor import Supervisor
    from cdc.telemetry import Form
    from connectors.definition import Definition

_FINISH_ONCE_S = 20.0
"""Seconds for which --once tries to deliver what it found."""
_LEAST_S = 60.0
"""Seconds under which a forecast says nothing (:data:`cdc.supervise.forecast.SHORTEST_S`; not imported, for --help)."""
_UNSEEN = "none: one look has no pace. --observe 90 watches first; cdc supervise without --once watches always"
"""What the answer of a single look says of forecasts."""


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="Configuration file; default: $CDC_CONFIG, ./cdc.toml, ./.cdc/cdc.toml.",
)
@click.option(
    "--listen",
    default="127.0.0.1:9464",
    show_default=True,
    metavar="HOST:PORT",
    help="Where /metrics, /livez and /readyz answer. Port 0: any.",
)
@click.option("--once", is_flag=True, help="One round, for cron: say what is wrong; exit code 6 when something is.")
@click.option(
    "--observe",
    "observe_s",
    type=click.FloatRange(min=_LEAST_S),
    metavar="SECONDS",
    help="With --once: watch for so long first (60 at least), to forecast from it. Without it nothing is forecast.",
)
@click.option(
    "--log-format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Lines of the log on standard error: for people, or one JSON object a line.",
)
@output_option
def supervise(path: Path | None, listen: str, once: bool, observe_s: float | None, form: Form, output: str) -> None:
    """Watch connectors, slots, topics, streams and the warehouse; restart, cut partitions, verify, and page.

    What failed is restarted with back-off, but never after a loss of data. Alerts go to the webhook and the program of
    [supervise] in the configuration file. A second supervisor stands by. Stop it with Ctrl-C or SIGTERM. --output says
    how --once answers.
    """
    from cdc.supervise import settings as reading
    from cdc.supervise.supervisor import Supervisor
    from cdc.telemetry import Progress

    if observe_s is not None and not once:
        raise click.UsageError("--observe goes with --once: without it every round observes")
    configured = config.load(path)
    settings = reading.load(configured)
    host, port = _address(listen)
    definitions = _definitions(configured)
    supervisor = Supervisor(configured, settings, definitions, Progress("supervise", form=form))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.stop())
    if once:
        found = supervisor.once(observe_s or 0.0)
        supervisor.end(_FINISH_ONCE_S)
        if supervisor.stopping.is_set():  # "nothing is wrong" would be more than it knows
            raise click.Abort
        write(_answer(found, observe_s), output)
        raise SystemExit(6 if found else 0)
    _serve(supervisor, host, port)


def _serve(supervisor: Supervisor, host: str, port: int) -> None:
    from cdc.supervise.answers import Answers

    answers = Answers(host, port, supervisor.metrics, supervisor.live, supervisor.ready)
    supervisor.progress.note(f"listens on http://{answers.address}/metrics", "listening", address=answers.address)
    try:
        supervisor.run()
    finally:
        answers.close()


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise click.BadParameter("HOST:PORT is needed, such as 127.0.0.1:9464", param_hint="--listen")
    return host.strip("[]"), int(port)


def _definitions(configured: config.Config) -> Mapping[str, Definition]:
    from connectors.definition import load

    found = {name: load(source.definition) for name, source in configured.sources.items()
             if name not in configured.unfinished}  # fmt: skip
    if not found:
        raise NotFound(
            f"{configured.path}: no [sources.…] to supervise", hint="to add a database: cdc connectors init NAME"
        )
    return found


def _answer(found: list[Finding], observe_s: float | None) -> Answer[Finding]:
    from cdc.supervise.catalogue import ALERTS

    columns = ("alert", "severity", "about", "summary", "hint")

    def row(finding: Finding) -> tuple[str, ...]:
        severity = ALERTS[finding.alert].severity
        return finding.alert, severity, finding.about, finding.summary, finding.hint

    return Answer(
        title=f"{len(found)} alerts" if found else "nothing is wrong",
        head={},
        name="alerts",
        items=found,
        document=lambda finding: dict(zip(columns, row(finding), strict=True)),
        table=Sheet([column.upper() for column in columns], lambda finding: [row(finding)]),
        csv=Sheet(columns, lambda finding: [row(finding)]),
        foot=lambda: Foot({"count": len(found), "observed_s": observe_s}, [] if observe_s else [("forecast", _UNSEEN)]),
    )

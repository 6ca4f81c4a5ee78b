"""``cdc replicate``: the always-on worker."""

from __future__ import annotations

import gc
import hashlib
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.completion import sources
from cdc.config import Config, SourceConfig
from cdc.errors import ConfigError, NotFound

if TYPE_CHECKING:
    from cdc.session import Settings
    from cdc.telemetry import Form, Progress


@click.command()
@click.argument("source", required=False, shell_complete=sources)
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="Configuration file; default: $CDC_CONFIG, ./cdc.toml, ./.cdc/cdc.toml.",
)
@click.option("--until-caught-up", is_flag=True, help="End when everything that the topic holds is in the warehouse.")
@click.option(
    "--batch-records",
    default=5000,
    show_default=True,
    type=click.IntRange(2, 50_000),
    help="Records in one commit, at most (a larger transaction is split).",
)
@click.option(
    "--quarantine-limit",
    default=100,
    show_default=True,
    type=click.IntRange(0, 1_000_000),
    help="Records that cannot be decoded within ten minutes, before the stream halts.",
)
@click.option(
    "--log-format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Lines of the log on standard error: for people, or one JSON object a line.",
)
@click.option(
    "--alive-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Touch this file while the worker's loop goes round, for a container's health check. Needs SOURCE.",
)
def replicate(
    source: str | None,
    path: Path | None,
    until_caught_up: bool,
    batch_records: int,
    quarantine_limit: int,
    form: Form,
    alive_file: Path | None,
) -> None:
    """Replicate SOURCE: Kafka → decode → protect → one commit per batch. Without SOURCE: all sources, a process each.

    Stop it with Ctrl-C or SIGTERM: the batch in hand is finished. Start a second one anywhere: it stands by and takes
    over.
    """
    settings = config.load(path)
    if source is None:
        if alive_file is not None:
            raise click.UsageError("--alive-file is of one worker: name the source.")
        sys.exit(_all(settings, until_caught_up, batch_records, quarantine_limit, form))
    _one(settings, settings.source(source), until_caught_up, batch_records, quarantine_limit, form, alive_file)


def worker_settings(settings: Config, source: SourceConfig, *, until_caught_up: bool, batch_records: int) -> Settings:
    """What one worker needs, read and checked before anything is opened.

    Raises:
        ConfigError: policy or the warehouse's privileges are not what they must be.
        Unreachable: the warehouse does not answer.
        GovernanceError: policy, keyring or the privacy store are not what they must be, or it does not answer.
    """
    from cdc.session import Settings
    from cdc.warehouse import preflight
    from governance import policy
    from governance import preflight as privacy_preflight
    from governance.roots import keyring

    _demand_readable(source)
    rules = policy.load(source.policy)
    if rules.source != source.name:
        raise ConfigError(f"{source.policy}: this is the policy of source {rules.source!r}, not of {source.name!r}")
    root = keyring.load(settings.keyring)
    preflight.check(settings.warehouse_dsn, source.name)
    privacy_preflight.check(settings.privacy_dsn, root)
    return Settings(
        log=source.name,
        topic=source.topic,
        kafka=settings.kafka,
        warehouse_dsn=settings.warehouse_dsn,
        privacy_dsn=settings.privacy_dsn,
        policy=rules,
        policy_digest=hashlib.sha256(source.policy.read_bytes()).hexdigest(),
        root=root,
        batch_records=batch_records,
        until_caught_up=until_caught_up,
    )


def _demand_readable(source: SourceConfig) -> None:
    """See that the source is of a kind whose records are read. A definition that is missing or wrong does not say, and
    does not stop a worker: the records themselves name their connector (halt ``source-kind``).

    Raises:
        ConfigError: it is of another kind.
    """
    from connectors.definition import load
    from connectors.errors import DefinitionError
    from connectors.kinds import KINDS, titles

    try:
        kind = KINDS[load(source.definition).kind]
    except DefinitionError:
        return
    if not kind.replicated:
        raise ConfigError(
            f"{source.definition}: {source.name} is of {kind.title}, whose records cdc does not read: it reads those of"
            f" {titles(replicated=True)}",
            hint="docs/connectors.md, Other databases",
        )


def _one(
    settings: Config,
    source: SourceConfig,
    until_caught_up: bool,
    batch_records: int,
    quarantine_limit: int,
    form: Form,
    alive_file: Path | None,
) -> None:
    from cdc.telemetry import Progress

    progress = Progress(source.name, topic=source.topic, form=form, alive_file=alive_file)
    try:
        needed = worker_settings(settings, source, until_caught_up=until_caught_up, batch_records=batch_records)
        _run(replace(needed, quarantine_limit=quarantine_limit), progress)
    except Exception as error:
        code = getattr(error, "exit_code", None)
        if form == "text" or not isinstance(code, int):
            raise
        progress.failed(error)
        sys.exit(code)


def _run(needed: Settings, progress: Progress) -> None:
    from cdc.replicator import Replicator

    worker = Replicator(needed, progress)
    # A batch makes tens of thousands of objects and no cycle: looking for cycles as often as by default costs 5 %.
    gc.freeze()
    gc.set_threshold(500_000, 20, 100)
    # A handler that raises would make the Kafka client lose records: these only set a flag.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run()


def _all(settings: Config, until_caught_up: bool, batch_records: int, quarantine_limit: int, form: Form) -> int:
    """One child process per source; a signal goes to all, the first failure ends all."""
    if not settings.sources:
        raise NotFound(f"{settings.path}: no [sources.…] to replicate")
    options = ["--config", str(settings.path), "--batch-records", str(batch_records)]
    options += ["--quarantine-limit", str(quarantine_limit), "--log-format", form]
    if until_caught_up:
        options.append("--until-caught-up")
    names = _finished(settings, form)
    children = [subprocess.Popen([sys.executable, "-m", "cdc", "replicate", name, *options]) for name in names]
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    told = False
    while any(child.poll() is None for child in children):
        if not told and (stopping or any(child.poll() not in {None, 0} for child in children)):
            told = True
            for child in children:
                if child.poll() is None:
                    child.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    return max((child.returncode if child.returncode >= 0 else 1 for child in children), default=0)


def _finished(settings: Config, form: Form) -> list[str]:
    """The sources to replicate; says which are none yet."""
    from cdc.telemetry import Progress

    for name in settings.unfinished:
        unfinished = f"not replicated: it has no policy yet (cdc policy init {name})"
        if form == "text":
            click.echo(f"{name}: {unfinished}", err=True)
        else:
            Progress(name, form=form).note(unfinished, "unfinished")
    return [name for name in settings.sources if name not in settings.unfinished]

"""``cdc audit checkpoint``: size and root of the logs, to be kept outside of the warehouse."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config

if TYPE_CHECKING:
    from cdc.audit.verify import Checkpoint


@click.command()
@click.argument("logs", nargs=-1, metavar="[LOG]...")
@click.option("--save", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write them to this file.")
@click.option("--force", is_flag=True, help="Replace the file even if the logs do not continue it; it is kept aside.")
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="Configuration file; default: $CDC_CONFIG, ./cdc.toml, ./.cdc/cdc.toml.",
)
def checkpoint(logs: tuple[str, ...], file: Path | None, force: bool, path: Path | None) -> None:
    """Print a checkpoint of each LOG (all logs by default), or save them for a later `cdc audit verify --checkpoint`.

    A checkpoint (C2SP tlog-checkpoint, unsigned) is origin, size and root. Keep it where whoever administers the
    warehouse cannot write: it is what shows a rewrite of log and tree together.

    A file that exists is replaced only if the logs continue what it holds, with the same origin and the same first
    entries; exit code 6 when they do not. Checkpoints of logs that are not named stay in it.
    """
    from cdc.audit import checkpoints
    from cdc.audit.snapshot import open_snapshot
    from cdc.audit.verify.checkpoint import write
    from cdc.cli.audit.progress import Bar

    settings = config.load(path)
    kept = _kept(file, force=force) if file is not None and file.exists() else []
    with open_snapshot(settings.warehouse_auditor_dsn, name="cdc audit checkpoint") as snapshot:
        now = checkpoints.present(snapshot, logs)
        if file is None:
            click.echo(write(now), nl=False)
            return
        if kept and not force:
            with Bar({one.log: one.size for one in now}) as bar:
                against = checkpoints.objections(snapshot, kept, now, bar.advance)
            against += [] if logs else checkpoints.lost(snapshot, kept)
            _refuse(file, against)
    if force and file.exists():
        click.echo(f"{file} is kept as {checkpoints.set_aside(file)}", err=True)
    checkpoints.save(file, checkpoints.merged(kept, now))
    for one in now:
        click.echo(f"{one.origin}: {one.size:,} entries", err=True)
    click.echo(f"saved in {file}: keep it outside of the warehouse", err=True)
    click.echo(f"  → cdc audit verify --checkpoint {file}   (later)", err=True)


def _kept(file: Path, *, force: bool) -> list[Checkpoint]:
    """What the file holds now. A file of something else is replaced only by force."""
    from cdc.audit import checkpoints
    from cdc.errors import ConfigError

    try:
        return checkpoints.read(file)[0]
    except ConfigError:
        if not force:
            raise
        return []


def _refuse(file: Path, against: list[str]) -> None:
    """Keep the file as it is when something stands against replacing it."""
    from cdc.errors import CheckFailed

    if against:
        raise CheckFailed(
            f"{file} is not replaced: {'; '.join(against)}",
            hint=f"cdc audit verify --checkpoint {file}   (--force replaces it, and keeps it as {file}.1)",
        )

"""Checkpoints of the warehouse's logs, kept in a file outside of it: made, compared with an earlier one, written.

A checkpoint is what the log says of itself now (``audit.log``); that its entries agree is what verification shows.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from cdc.audit.snapshot import Progress, Snapshot
from cdc.audit.verify import Checkpoint, NotACheckpoint, StatedTree
from cdc.audit.verify.checkpoint import parse, write
from cdc.audit.verify.tree import Tree, root_of
from cdc.errors import ConfigError, NotFound


def read(path: Path) -> tuple[list[Checkpoint], bool]:
    """The checkpoints of a file, and whether it holds signatures, too.

    Raises:
        NotFound: no such file.
        ConfigError: it cannot be read, or is no file of checkpoints.
    """
    try:
        return parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFound(f"no checkpoint file at {path}", hint=f"cdc audit checkpoint --save {path}") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (NotACheckpoint, UnicodeDecodeError) as error:
        why = str(error) if isinstance(error, NotACheckpoint) else "not a text"
        raise ConfigError(f"{path} is not a file of checkpoints: {why}") from None


def present(snapshot: Snapshot, logs: Sequence[str]) -> list[Checkpoint]:
    """The logs as they are now; all, or those that are named.

    Raises:
        NotFound: no such log.
    """
    stated = snapshot.logs()
    unknown = [log for log in logs if log not in stated]
    if unknown:
        raise NotFound(f"no log {unknown[0]!r} in the warehouse; there are: {', '.join(sorted(stated)) or 'none'}")
    return [_of(tree) for log, tree in stated.items() if tree is not None and (not logs or log in logs)]


def _of(tree: StatedTree) -> Checkpoint:
    return Checkpoint(tree.origin, tree.size, root_of([bytes.fromhex(node) for node in tree.edge]))


def objections(
    snapshot: Snapshot, kept: Sequence[Checkpoint], now: Sequence[Checkpoint], progress: Progress
) -> list[str]:
    """Why ``now`` is no continuation of checkpoints that were kept, a sentence each; none when it is.

    Reads the stored leaf of every entry of a log that has grown.
    """
    found = []
    for one in now:
        earlier = [checkpoint for checkpoint in kept if checkpoint.log == one.log]
        found += _objections(snapshot, one.log, earlier, one, progress)
    return found


def lost(snapshot: Snapshot, kept: Iterable[Checkpoint]) -> list[str]:
    """Logs of which there is a checkpoint, and which are not in the warehouse, a sentence each."""
    stated = snapshot.logs()
    return [
        f"the file has a checkpoint of {one.origin}; there is no log {one.log} now"
        for one in kept
        if stated.get(one.log) is None
    ]


def _objections(
    snapshot: Snapshot, log: str, earlier: Sequence[Checkpoint], now: Checkpoint, progress: Progress
) -> list[str]:
    foreign = {checkpoint.origin for checkpoint in earlier} - {now.origin}
    if foreign:
        return [f"the file has a checkpoint of {origin}; the log is {now.origin} now" for origin in sorted(foreign)]
    if all(checkpoint == now for checkpoint in earlier):
        return []
    longer = max(checkpoint.size for checkpoint in earlier)
    if longer > now.size:
        return [f"the log {log} has {now.size} entries, and had {longer} at the file's checkpoint"]
    tree = Tree(checkpoint.size for checkpoint in earlier)
    for leaf in snapshot.leaves(log):
        tree.append(leaf)
        if tree.size % 1000 == 0:
            progress(log, 1000)
    if (tree.size, tree.root()) != (now.size, now.root):
        return [f"the stored leaves of {log} do not hash to the edge in audit.log"]
    return [
        f"the first {checkpoint.size} entries of {log} are not those of the file's checkpoint"
        for checkpoint in earlier
        if tree.roots[checkpoint.size] != checkpoint.root
    ]


def merged(kept: Iterable[Checkpoint], now: Sequence[Checkpoint]) -> list[Checkpoint]:
    """What a file holds after saving: the newest of each log that was asked for; of the others what it held."""
    saved = {checkpoint.log for checkpoint in now}
    return sorted([*now, *(one for one in kept if one.log not in saved)], key=lambda one: one.log)


def save(path: Path, checkpoints: Sequence[Checkpoint]) -> None:
    """Write the file, whole or not at all.

    Raises:
        ConfigError: the folder cannot be written to.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(write(checkpoints))
                file.flush()
                os.fchmod(file.fileno(), 0o644)
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the new name, too
        finally:
            os.close(folder)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None


def set_aside(path: Path) -> Path:
    """Rename a file that is about to be replaced against advice, to the first of ``path.1``, ``path.2`` … that is free.

    Raises:
        ConfigError: it cannot be renamed.
    """
    number = 1
    while (aside := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    try:
        return path.rename(aside)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None

"""Files that hold secrets or that others read while they change: whole or not at all, readable by their owner only."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def private_folder(path: Path) -> Path:
    """Make a folder (and its parents) with mode 0700, whatever the umask says."""
    if not path.is_dir():
        private_folder(path.parent) if not path.parent.is_dir() else None
        path.mkdir(exist_ok=True)
        path.chmod(0o700)
    return path


def write_private(path: Path, text: str | bytes) -> None:
    """Replace a file atomically, mode 0600; a reader sees the old text or the new one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        os.fchmod(handle, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode() if isinstance(text, str) else text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise

"""A text of the configuration that is kept elsewhere: in a file, as container secrets are, or in a variable.

::

    dsn = { file = "/run/secrets/warehouse_dsn" }     # relative paths count from the configuration file's folder
    "sasl.password" = { env = "KAFKA_PASSWORD" }

A file's last line ends are not part of the text. No message shows what is in it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cdc.errors import ConfigError

_HINT = '{ file = "PATH" }   or   { env = "NAME" }'


def text(reference: Mapping[str, Any], place: str, folder: Path) -> str:
    """What ``reference`` refers to. ``place``: of the setting, for messages; ``folder``: where relative paths begin.

    Raises:
        ConfigError: it is no such reference, or there is nothing to read.
    """
    if len(reference) != 1 or not isinstance(name := next(iter(reference.values())), str) or not name:
        raise ConfigError(f"{place}: a text, or where it is kept, is needed", hint=_HINT)
    if "env" in reference:
        return _variable(name, place)
    if "file" in reference:
        return _file(folder / name, place)
    raise ConfigError(f"{place}: a text, or where it is kept, is needed", hint=_HINT)


def _variable(name: str, place: str) -> str:
    found = os.environ.get(name, "")
    if not found:
        raise ConfigError(f"{place}: the variable {name} is not set", hint=f"export {name}=…, or {_HINT}")
    return found


def _file(path: Path, place: str) -> str:
    try:
        found = path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ConfigError(f"{place}: {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{place}: {path}: not UTF-8 text") from None
    if not found:
        raise ConfigError(f"{place}: {path} is empty")
    return found

"""References to secrets. A definition never holds a secret, and neither does what is sent to Connect.

A value is text in which ``${…}`` refers elsewhere. ``${env:VARIABLE}``, ``${file:PATH:KEY}`` and
``${directory:PATH:FILE}`` go to Connect as they are: its workers resolve them (KIP-297, KIP-421, KIP-887).
``${secret:BUNDLE/KEY}`` leaves open where secrets are kept: the caller says, and it becomes one of the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

SecretLookup: TypeAlias = Callable[[str, str], str]
"""``(bundle, key)`` → the reference that Connect's workers can resolve."""

_REFERENCE = re.compile(r"\$\{(env:[A-Za-z_][A-Za-z0-9_]*|(?:file|directory):[^:{}]+:[^:{}]+|secret:[\w.-]+/[\w.-]+)\}")
_SECRET = re.compile(r"\$\{secret:([\w.-]+)/([\w.-]+)\}")


def malformed(text: str) -> bool:
    """Whether a ``${`` in it does not begin one of the four references."""
    return "${" in _REFERENCE.sub("", text)


def is_reference(text: str) -> bool:
    """Whether the whole text is one reference."""
    return _REFERENCE.fullmatch(text) is not None


def resolve(text: str, secrets: SecretLookup) -> str:
    """The text as Connect gets it."""
    return _SECRET.sub(lambda found: secrets(found[1], found[2]), text)


def in_folder(folder: Path) -> SecretLookup:
    """Secrets kept as ``<folder>/<bundle>.properties`` where the workers run, for Connect's FileConfigProvider.

    Raises:
        ValueError: the path holds ``:`` or a brace, which a Connect reference cannot express.
    """
    if set(":{}") & set(str(folder)):
        raise ValueError("the path of the secrets folder must not hold ':', '{' or '}'")
    return lambda bundle, key: f"${{file:{folder}/{bundle}.properties:{key}}}"

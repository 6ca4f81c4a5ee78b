"""Row keys of tables without a key (docs/formats.md §3.1): the hash of the protected image, nulls left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import canonical


def key_of(image: Mapping[str, Any]) -> str:
    """SHA-256, in hex. Without nulls, so that a nullable column added later changes no key."""
    return canonical.digest({name: value for name, value in image.items() if value is not None})

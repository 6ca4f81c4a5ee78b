"""A bounded cache: what was used lately stays."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(dict[K, V | None]):
    """At most two times ``limit`` items: ``cache[key]`` is the item, or None.

    This dict is the young generation; when it is full it becomes the old one, and the old one goes. Whatever is used
    moves to the young one, so an item is forgotten only after ``limit`` others were used since. A hit costs one look-up
    in a dict and no call.
    """

    __slots__ = ("_limit", "_old")

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit
        self._old: dict[K, V | None] = {}

    def __missing__(self, key: K) -> V | None:
        value = self._old.get(key)
        if value is not None:
            self.put(key, value)
        return value

    def get(self, key: K, default: V | None = None) -> V | None:  # type: ignore[override]
        """The item, or ``default``."""
        value = self[key]
        return default if value is None else value

    def lacking(self, keys: AbstractSet[K]) -> list[K]:
        """Those of ``keys`` that are not here. Most are, which costs one look-up in C."""
        return [key for key in keys - self.keys() if self[key] is None]

    def put(self, key: K, value: V) -> None:
        """Keep an item."""
        if super().__len__() >= self._limit:
            self._old = dict(self)
            super().clear()
        self[key] = value

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self._old = {}

    def __len__(self) -> int:
        return len(self._old.keys() | self.keys())

    def __repr__(self) -> str:
        return f"Recent({len(self)} items)"

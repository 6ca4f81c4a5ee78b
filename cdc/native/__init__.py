"""The optional native kernel: what is done to every ordinary row change, in Rust. The Python path is the reference.

``make setup`` builds it where ``cargo`` is. It answers None for whatever is not ordinary, and Python does that; so the
bytes are the same with it and without. ``CDC_NATIVE=0`` turns it off.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

try:
    from cdc.native import _kernel
except ImportError:  # not built
    _built = False
else:
    _built = True

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["describe", "kernel"]


def kernel() -> ModuleType | None:
    """The kernel's module (``_kernel.pyi``), or None where it is not built or turned off."""
    return _kernel if _built and os.environ.get("CDC_NATIVE") != "0" else None


def describe() -> str:
    """Which path row changes take in this process."""
    if kernel() is not None:
        return "the native kernel"
    return "Python (CDC_NATIVE=0)" if _built else "Python (native kernel not built)"

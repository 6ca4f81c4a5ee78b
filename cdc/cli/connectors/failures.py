"""What a command says at its end when some of several connectors failed."""

from __future__ import annotations

from collections.abc import Sequence

from cdc.errors import CdcError


def raise_failures(failures: Sequence[Exception], of: int) -> None:
    """Raise what failed: the error itself where there was one connector, else one that counts them.

    Its exit code is that of the failures if all have the same, else 1.
    """
    if not failures:
        return
    if of == 1:
        raise failures[0]
    codes = {getattr(error, "exit_code", 1) for error in failures}
    error = CdcError(f"{len(failures)} of {of} connectors failed; each is named above", hint="cdc connectors list")
    error.exit_code = codes.pop() if len(codes) == 1 else 1
    raise error

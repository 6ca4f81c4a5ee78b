"""``cdc rebuild`` that kills or stops itself at a step: ``python -m tests.chaos.rebuilding DSN LOG TABLE STEP COUNT SIGNAL``.

The real rebuild in short stretches. STEP is one of those that ``cdc.warehouse.rebuild`` announces, COUNT says the how-manieth
time, SIGNAL what is sent then. Every step is printed on standard output.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter

from cdc.errors import CdcError
from cdc.warehouse.rebuild import fold as folding
from cdc.warehouse.rebuild import rebuild
from cdc.warehouse.rebuild import run as running

STRETCH = 150
"""Entries of one step of the fold: a short log has many."""


def main(dsn: str, log: str, table: str, step: str, count: int, number: signal.Signals) -> int:
    """Rebuild until killed, stopped, or done."""
    folding.STRETCH, running.CLOSE = STRETCH, 20
    seen: Counter[str] = Counter()

    def observe(at: str) -> None:
        os.write(1, f"{at}\n".encode())
        seen[at] += 1
        if at == step and seen[at] == count:
            signal.pthread_kill(threading.get_ident(), number)  # stops here and nowhere later

    try:
        rebuild(dsn, log, table, observe=observe)
    except CdcError as error:
        print(f"rebuild: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    *names, times, named = sys.argv[1:]
    sys.exit(main(*names, int(times), signal.Signals[f"SIG{named}"]))

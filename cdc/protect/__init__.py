"""ChangeEvent → ProtectedEvent: the one door through which values leave plaintext.

Only this package makes a :class:`ProtectedEvent` or :class:`ProtectedMessage`, and the warehouse takes nothing else. It
works batch-wise: what the privacy store must know (subjects, tokens) is ensured for a whole batch first, in the store's
own transaction; then each cell is a dictionary look-up away.
"""

from cdc.protect.model import (
    Protected,
    ProtectedEvent,
    ProtectedMessage,
    ProtectedQuarantine,
    ProtectedTable,
    StateColumn,
)
from cdc.protect.protector import Protector

__all__ = [
    "Protected",
    "ProtectedEvent",
    "ProtectedMessage",
    "ProtectedQuarantine",
    "ProtectedTable",
    "Protector",
    "StateColumn",
]

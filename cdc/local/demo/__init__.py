"""The main job before your eyes, told act by act: ``story`` plays them, ``picture`` makes the README's picture of it.

Nothing is staged: every line says what was observed, and the claims about data are judged by ``tests/oracle``, in
processes of their own that import nothing of this project. The first claim that does not hold ends the demo.
"""

from cdc.local.demo.claims import ClaimFailed
from cdc.local.demo.story import ACTS, close, play

__all__ = ["ACTS", "ClaimFailed", "close", "play"]

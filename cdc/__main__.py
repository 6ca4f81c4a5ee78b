"""``python -m cdc``: the same as the command ``cdc``."""

from cdc.cli import main

main()

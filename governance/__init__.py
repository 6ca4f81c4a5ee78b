"""What is personal, who may read it, and the keys that decide it.

``policy`` reads how columns are protected, ``plan`` compiles it; ``seal`` and ``tokens`` do it. ``keys`` hands out
keys, from ``vault`` (mints and unwraps), over ``store`` (the privacy database) and ``roots`` (the root key). Formats:
``docs/formats.md`` §5 to §8. Imports nothing from ``cdc``.
"""

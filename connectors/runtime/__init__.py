"""Pinned Java artifacts: one lock per class path or plugin folder, and the script that makes them."""

"""Current state folded anew from history, beside the old state and while the stream goes on (``cdc rebuild``)."""

from cdc.warehouse.rebuild.run import Rebuilt, rebuild, tables

__all__ = ["Rebuilt", "rebuild", "tables"]

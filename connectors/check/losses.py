"""The known ways in which a version of Debezium loses or changes data, with the version that mends each.

Source: Debezium's release notes and issues; the versions were read in the source of each release.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from connectors.finding import Finding
from connectors.listed.configuration import Version


@dataclass(frozen=True, slots=True)
class Loss:
    """``kinds``: of databases. ``mended``: the first final release without it."""

    issue: str
    kinds: frozenset[str]
    mended: Version
    what: str


_POSTGRES = frozenset({"postgres"})
_ALL = frozenset({"postgres", "mariadb"})

LOSSES = (
    Loss("dbz#1554", _POSTGRES, (3, 7, 0), "changes that share an LSN are lost when a restart comes in their middle"),
    Loss("dbz#76", _POSTGRES, (3, 7, 0), "a transaction that is open at a restart is lost on PostgreSQL 17 and later"),
    Loss("dbz#2330", _POSTGRES, (3, 7, 0), "a snapshot by several threads is not one cut"),
    Loss("dbz#1508", _ALL, (3, 5, 0), "values that cannot be converted become null, whatever the settings say"),
    Loss("DBZ-9641", _POSTGRES, (3, 4, 0), "a recreated slot cannot be told: there is no offset.mismatch.strategy"),
    Loss("DBZ-9337", _ALL, (3, 3, 0), "a blocking snapshot that failed is taken for done after a restart"),
)  # fmt: skip


def version(text: str) -> Version:
    """``3.7.0.Final`` as numbers; empty where it is none."""
    return tuple(int(part) for part in text.split(".")[:3] if part.isdigit())


def known(kind: str, plugin: str) -> Iterator[Finding]:
    """What this version of the plugin is known to lose. ``kind``: of database."""
    has = version(plugin)
    for loss in LOSSES:
        if has and kind in loss.kinds and has < loss.mended:
            mended = ".".join(map(str, loss.mended))
            problem = f"Debezium {plugin}: {loss.what} ({loss.issue}, mended in {mended}.Final)"
            yield Finding("known_loss", problem, place=loss.issue)

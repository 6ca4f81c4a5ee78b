"""Every check by its code: area, severity, reason and remedy. Codes are stable: alerts and scripts may refer to them.

``python -m connectors.listed`` prints them as ``docs/checks.md``.
"""

from __future__ import annotations

from connectors.listed import configuration, delivery, mariadb, postgres, warehouse
from connectors.listed.entry import AREAS, Area, Check, Severity

GROUPS: dict[str, dict[str, Check]] = {
    "Source: any database": postgres.EVERY,
    "Source: PostgreSQL": postgres.CHECKS,
    "Source: MariaDB": mariadb.CHECKS,
    "Configuration of the connector": configuration.CHECKS,
    "Kafka": delivery.KAFKA,
    "Kafka Connect": delivery.CONNECT,
    "Warehouse": warehouse.WAREHOUSE,
    "Privacy store": warehouse.PRIVACY,
}
"""Heading → its checks."""

CHECKS: dict[str, Check] = {code: check for group in GROUPS.values() for code, check in group.items()}

__all__ = ["AREAS", "CHECKS", "GROUPS", "Area", "Check", "Severity"]

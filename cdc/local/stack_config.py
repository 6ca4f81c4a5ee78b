"""The configuration file that every command reads, as the local stack writes it."""

from __future__ import annotations

import json
from pathlib import Path

from cdc.local.addresses import Addresses


def configuration(addresses: Addresses, state: Path) -> str:
    """The text of ``cdc.toml``: TOML 1.0; JSON strings are TOML basic strings."""
    checkout = Path(__file__).resolve().parents[2]
    tables: list[tuple[str, dict[str, str]]] = [
        ("kafka", {'"bootstrap.servers"': addresses.bootstrap_servers}),
        ("connect", {"url": addresses.connect_url}),
        ("warehouse", {
            "dsn": addresses.warehouse_dsn,
            "admin_dsn": addresses.warehouse_admin_dsn,
            "auditor_dsn": addresses.auditor_dsn,
        }),
        ("privacy", {"dsn": addresses.privacy_dsn, "admin_dsn": addresses.privacy_admin_dsn}),
        ("keyring", {"path": str(state / "keyring.json")}),
    ]  # fmt: skip
    for name, source in addresses.sources.items():
        file = f"{name}.yaml" if source.kind == "postgres" else f"{name}.{source.kind}.yaml"
        tables.append((f"sources.{name}", {
            "dsn": source.dsn,
            "admin_dsn": source.admin_dsn,
            "definition": str(checkout / "connectors" / "definitions" / file),
            "policy": str(checkout / "governance" / "policies" / file),
            "topic": name,
        }))  # fmt: skip
    lines = [
        "# Written by `cdc local up`; it holds passwords. The next `up` writes it again (sources/ it leaves alone).\n"
    ]
    for title, values in tables:
        lines.append(f"\n[{title}]\n")
        lines.extend(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())
    return "".join(lines)

"""The plugins that a worker has, and the options of one, with the documentation that it brings (KIP-769)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from connectors.client import ConnectClient
from connectors.errors import NotFound


@dataclass(frozen=True, slots=True)
class Installed:
    """A plugin: a connector, converter, transformation or predicate."""

    class_name: str
    type: str
    version: str


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of a plugin. ``default``: None where there is none, or where it is a password."""

    name: str
    type: str
    required: bool
    default: str | None
    importance: str
    documentation: str
    group: str

    def speaks_of(self, words: str) -> bool:
        """Whether its name or documentation has these words."""
        return words.casefold() in f"{self.name} {self.documentation}".casefold()


def installed(client: ConnectClient) -> tuple[Installed, ...]:
    """``GET /connector-plugins?connectorsOnly=false``, of the worker that answers, by type and name."""
    answer = client.ask("GET", "/connector-plugins?connectorsOnly=false")
    found = (Installed(each["class"], each["type"], each.get("version") or "") for each in answer)
    return tuple(sorted(found, key=lambda each: (each.type, each.class_name)))


def class_of(client: ConnectClient, name: str) -> str:
    """The class that a name means: whole, its last part, or that without ``Connector``.

    Raises:
        NotFound: none, or several.
    """
    known = [each.class_name for each in installed(client)]
    if name in known:
        return name
    short = {name.casefold(), f"{name}connector".casefold()}
    found = sorted({each for each in known if each.rpartition(".")[2].casefold() in short})
    if len(found) == 1:
        return found[0]
    what = f"several plugins are called {name}: {', '.join(found)}" if found else f"the worker has no plugin {name}"
    raise NotFound(what, hint="listed by: cdc connectors plugins list")


def options(client: ConnectClient, class_name: str) -> tuple[Option, ...]:
    """``GET /connector-plugins/{plugin}/config``.

    Raises:
        NotFound: the worker has no such plugin.
    """
    return tuple(_option(each) for each in client.ask("GET", f"/connector-plugins/{quote(class_name, safe='')}/config"))


def _option(found: dict[str, Any]) -> Option:
    kind = str(found.get("type") or "")
    default = found.get("default_value")
    return Option(
        name=str(found["name"]),
        type=kind,
        required=bool(found.get("required")),
        default=None if default is None or kind == "PASSWORD" else str(default),
        importance=str(found.get("importance") or ""),
        documentation=" ".join(str(found.get("documentation") or "").split()),
        group=str(found.get("group") or ""),
    )

"""References to secrets. A definition never holds a secret, and neither does what is sent to Connect.

A value is text in which ``${…}`` refers elsewhere. ``${env:VARIABLE}``, ``${file:PATH:KEY}``,
``${directory:PATH:FILE}`` and ``${PROVIDER:PATH:KEY}`` go to Connect as they are: its workers resolve them with what
their ``config.providers`` names (KIP-297, KIP-421, KIP-887), such as a Vault. ``${secret:BUNDLE/KEY}`` leaves open
where secrets are kept: the caller says, and it becomes one of the others.

A worker that has no such provider, or whose provider has no such key, takes the reference itself for the value, without
a word (Kafka 4.3, ``ConfigTransformer``): :func:`unresolved` finds that in what it answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from connectors.errors import Rejected

SecretLookup: TypeAlias = Callable[[str, str], str]
"""``(bundle, key)`` → the reference that Connect's workers can resolve."""

REFERENCE = (
    r"\$\{(?:env:[A-Za-z_][A-Za-z0-9_]*|secret:[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+"
    r"|(?!env:|secret:)[A-Za-z][A-Za-z0-9_.-]*:[^:{}]+:[^:{}]+)\}"
)
"""One reference, as a regular expression of both Python and ECMA 262."""
FORMS = "${secret:bundle/key}, ${env:NAME}, ${file:path:key}, ${directory:path:file} or ${provider:path:key}"
TEXT = rf"(?:{REFERENCE}|(?!\$\{{)[\s\S])+"
"""A text in which every ``${`` begins a reference."""
TELLING_NAME = (
    r"(?:^|[._-])[Pp]ass(?:word|phrase|wd)?(?:$|[._-])|[Pp]assword|[Ss]ecret|jaas|[Tt]oken(?!ize|\.endpoint)|credential"
    r"|private[._-]?key|keystore\.key|access[._-]?key|api[._-]?key"
)
"""Names of settings whose value is a secret."""
URL_WITH_LOGIN = r"://[^/@\s]*:[^/@\s]*@"

_REFERENCE = re.compile(REFERENCE)
_TEXT = re.compile(TEXT)
_SECRET = re.compile(r"\$\{secret:([\w.-]+)/([\w.-]+)\}")
_TELLING = re.compile(TELLING_NAME)
_WITH_LOGIN = re.compile(URL_WITH_LOGIN)


def malformed(text: str) -> bool:
    """Whether a ``${`` in it does not begin one of the references."""
    return _TEXT.fullmatch(text) is None


def is_reference(text: str) -> bool:
    """Whether the whole text is one reference."""
    return _REFERENCE.fullmatch(text) is not None


def is_secret(name: str) -> bool:
    """Whether a setting of this name holds a secret."""
    return _TELLING.search(name) is not None


def in_plain(name: str, value: str) -> bool:
    """Whether the setting shows a secret: its name says that it is one and its value is no reference, or its value is
    an address with a password in it.
    """
    return (is_secret(name) and not is_reference(value)) or _WITH_LOGIN.search(value) is not None


def resolve(text: str, secrets: SecretLookup) -> str:
    """The text as Connect gets it."""
    return _SECRET.sub(lambda found: secrets(found[1], found[2]), text)


def in_folder(folder: Path) -> SecretLookup:
    """Secrets kept as ``<folder>/<bundle>.properties`` where the workers run, for Connect's FileConfigProvider.

    Raises:
        ValueError: the path holds ``:`` or a brace, which a Connect reference cannot express.
    """
    if set(":{}") & set(str(folder)):
        raise ValueError("the path of the secrets folder must not hold ':', '{' or '}'")
    return lambda bundle, key: f"${{file:{folder}/{bundle}.properties:{key}}}"


def unresolved(config: Mapping[str, str], answered: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """The settings whose references the worker did not resolve, each with those references.

    ``answered``: the list ``configs`` of ``PUT /connector-plugins/…/config/validate``, which shows each value as the
    worker has it. No value of it is kept.
    """
    asked = {name: tuple(_REFERENCE.findall(value)) for name, value in config.items() if "${" in value}
    found: dict[str, tuple[str, ...]] = {}
    for item in answered:
        name, value = item["value"]["name"], item["value"]["value"]
        left = tuple(each for each in asked.get(name, ()) if isinstance(value, str) and each in value)
        if left:
            found[name] = left
    return found


def demand_resolved(connector: str, config: Mapping[str, str], answered: Iterable[Mapping[str, Any]]) -> None:
    """See that the worker resolved every reference.

    Raises:
        Rejected: it left some as they are; the message names settings and references, never a value.
    """
    left = unresolved(config, answered)
    if left:
        lines = "".join(f"\n  {name}: {', '.join(references)}" for name, references in sorted(left.items()))
        raise Rejected(
            f"Kafka Connect cannot resolve references of {connector}, and would take them for the values:{lines}",
            hint="is the key there, may the worker read it, and does its config.providers name that provider?",
        )

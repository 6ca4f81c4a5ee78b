"""References to secrets. A definition never holds a secret, and neither does what is sent to Connect.

A value is text in which ``${…}`` refers elsewhere. ``${env:VARIABLE}``, ``${file:PATH:KEY}``,
``${directory:PATH:FILE}`` and ``${PROVIDER:PATH:KEY}`` go to Connect as they are: its workers resolve them with what
their ``config.providers`` names (KIP-297, KIP-421, KIP-887), such as a Vault. ``${secret:BUNDLE/KEY}`` leaves open
where secrets are kept: the caller says, and it becomes one of the others.

A worker that has no such provider, or whose provider has no such key, takes the reference itself for the value, without
a word (Kafka 4.3, ``ConfigTransformer``): :func:`hint` recognises that in what it answers.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from connectors.errors import ConnectorError, Rejected

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
_UNREADABLE = re.compile(r"Could not read properties from (?:file )?(\S+)")
"""Kafka's ``FileConfigProvider``. The other providers say nothing."""
_DENIED = re.compile(r"authentication ?failed|access denied|login failed", re.IGNORECASE)
"""PostgreSQL; MariaDB and MySQL; SQL Server; MongoDB."""
_BECAUSE = "no such key, not allowed, or its config.providers does not name that provider"


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


def hint(config: Mapping[str, str], said: Iterable[str]) -> str | None:
    """What Connect's refusal of a configuration says about its references; None where it says nothing of them.

    ``said``: its messages, of a validation or of HTTP 500. What the worker took for a value cannot be asked for: its
    answers show no value of Debezium's settings, which is as well.
    """
    text = "\n".join(said)
    references = {found[0]: name for name, value in config.items() for found in _REFERENCE.finditer(value)}
    taken = sorted(reference for reference in references if _as_a_name(reference) in text)
    if taken:
        return f"the worker did not resolve {', '.join(taken)} ({_BECAUSE}) and took it for the value"
    unreadable = _UNREADABLE.search(text)
    if unreadable is not None:
        return f"the worker cannot read {unreadable[1]}, which a reference names: is it there, may the worker read it?"
    secret = sorted(reference for reference, name in references.items() if is_secret(name))
    if secret and _DENIED.search(text) is not None:
        return f"a wrong password, or the worker did not resolve {', '.join(secret)} ({_BECAUSE}): it says nothing then"
    return None


def _as_a_name(reference: str) -> str:
    """As PostgreSQL repeats it where it stood for a role's name: cut to 63 bytes."""
    return reference.encode()[:63].decode(errors="ignore")


@contextlib.contextmanager
def traced(config: Mapping[str, str]) -> Iterator[None]:
    """What Connect refuses of this configuration meanwhile gets the :func:`hint`, where there is one.

    Raises:
        Rejected: with the message of the refusal, and the hint.
    """
    try:
        yield
    except ConnectorError as error:
        found = hint(config, [str(error)])
        if found is None:
            raise
        raise Rejected(str(error), hint=found) from None

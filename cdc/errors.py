"""What can go wrong, split by what the operator does next.

::

    CdcError
    ├── ConfigError      exit 2   nothing was opened; mend the file or option that is named
    ├── Unreachable      exit 5   a service does not answer (start-up and one-shot commands)
    ├── CheckFailed      exit 6   what was checked is not as it must be
    ├── TransientError   back off, rewind, retry; the position has not moved
    ├── RecordError      this record cannot be decoded or protected; coordinates, never content
    ├── Halted           stop the stream and page; only a person resumes
    ├── Fenced           another worker owns the stream; nothing was written; no page
    └── LedgerError      the log contradicts itself: stop the process and page

No message carries a row's value: they reach logs, terminals and pagers. PostgreSQL's DETAIL and CONTEXT do carry
values, so a database error is always reduced to its SQLSTATE and primary message kind (``cdc.warehouse.sqlstate``).
"""

from __future__ import annotations

from collections.abc import Mapping


class CdcError(Exception):
    """Base of every error this project raises on purpose.

    ``hint`` is the next command to type or the setting to change; the command line prints it below the message.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(CdcError):
    """A file, option or secret is wrong. Raised before anything is opened."""

    exit_code = 2


class NotFound(CdcError):
    """The named thing does not exist."""

    exit_code = 3


class Conflict(CdcError):
    """A precondition does not hold: somebody else changed or holds the thing."""

    exit_code = 4


class Unreachable(CdcError):
    """A service does not answer."""

    exit_code = 5


class CheckFailed(CdcError):
    """What was checked is not as it must be."""

    exit_code = 6


class TransientError(CdcError):
    """An outage that passes: the caller backs off, rewinds to the warehouse position and retries."""

    exit_code = 5


class RecordError(CdcError):
    """One Kafka record cannot be decoded or protected. The message names coordinates and a reason, never content.

    ``reason`` is a stable word: it goes into the entry of kind ``quarantined`` that the record becomes.
    """

    def __init__(self, message: str, *, reason: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class Halted(CdcError):
    """The stream must not go on by itself. ``code`` is a stable word that runbooks and alerts refer to.

    ``coordinates``: where, for the command that goes on (offset, transaction, order, table, epoch); never a value.
    """

    exit_code = 4

    def __init__(
        self, code: str, message: str, *, hint: str | None = None, coordinates: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}", hint=hint)
        self.code = code
        self.coordinates = dict(coordinates or {})


class Fenced(CdcError):
    """Another worker owns the stream now. Nothing was written."""

    exit_code = 4


class LedgerError(CdcError):
    """The log contradicts itself. Never retried."""

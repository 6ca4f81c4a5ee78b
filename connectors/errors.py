"""What can go wrong with connectors, split by what the operator does next. No message holds a secret or a row's value.

``exit_code`` and ``hint`` mean the same as on the rest of the system's errors: the command line prints both.
"""

from __future__ import annotations


class ConnectorError(Exception):
    """Base. ``hint`` is the next command to type or the setting to change."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class DefinitionError(ConnectorError):
    """A definition file is wrong. Raised before anything is opened."""

    exit_code = 2


class AddressError(ConnectorError):
    """A connection string is wrong. Raised before anything is opened; the message holds no part of it."""

    exit_code = 2


class ConditionWrong(ConnectorError):
    """A condition for a part of a table's rows is no SQL that the source understands. It is not in the message."""

    exit_code = 2


class SourceUnfit(ConnectorError):
    """The source database cannot be captured without losing evidence. The message lists findings, the hint the SQL."""

    exit_code = 4


class Unreachable(ConnectorError):
    """Kafka Connect or the source database does not answer."""

    exit_code = 5


class NoAnswer(Unreachable):
    """The request was sent, and no answer came: whether Connect acted is not known. Look before asking again."""


class NotInTime(Unreachable):
    """What was asked for did not come about in the time that was given."""


class Forbidden(ConnectorError):
    """Kafka Connect, or a proxy before it, refuses the credentials."""

    exit_code = 2


class Rebalancing(Unreachable):
    """Connect's workers are settling who does what (HTTP 409 or 500). Passes by itself: ask again."""


class NotFound(ConnectorError):
    """Connect has no such connector."""

    exit_code = 3


class Conflict(ConnectorError):
    """Connect refuses for the state that the connector is in, or because it exists."""

    exit_code = 4


class Rejected(ConnectorError):
    """Connect finds the configuration invalid. The message names the settings."""

    exit_code = 2


class TaskFailed(ConnectorError):
    """The connector or one of its tasks is FAILED. The message has the causes."""

"""What can go wrong in governance, split by what the caller does next.

::

    GovernanceError
    ├── PolicyError        exit 2   a policy file is wrong: file, line and table.column are named
    ├── KeyringError       exit 2   the keyring file is missing, open to others, malformed, or not this store's
    ├── StoreError         exit 1   the privacy store refuses a statement; its SQLSTATE is named
    │   └── StoreUnfit     exit 2   at start: it is not set up, or this role may not do its work there
    ├── StoreUnavailable   exit 5   the privacy store does not answer: back off and retry, nothing is minted by halves
    ├── StoreRestored      exit 4   the privacy store is not the one seen before, or is older: only a person goes on
    ├── CellError          exit 1   a sealed cell or token cannot be opened
    └── SubjectClosed      exit 1   one record cannot be protected: its subject was closed

No message carries a value: a database error is reduced to its SQLSTATE (PostgreSQL's DETAIL and CONTEXT quote rows).
"""

from __future__ import annotations


class GovernanceError(Exception):
    """Base of every error that governance raises on purpose. ``hint``: what to do, shown below the message."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class PolicyError(GovernanceError):
    """A policy file is wrong. Raised before anything is opened."""

    exit_code = 2


class KeyringError(GovernanceError):
    """The keyring file cannot be used, or it is not the one that the privacy store was set up with."""

    exit_code = 2


class StoreError(GovernanceError):
    """The privacy store refuses a statement: a missing migration or privilege, or a defect."""


class StoreUnfit(StoreError):
    """The privacy store is not set up, or lets this role not do its work. Found before a stream is taken."""

    exit_code = 2


class StoreUnavailable(GovernanceError):
    """The privacy store does not answer. Transient: back off and retry; every step may be repeated."""

    exit_code = 5


class StoreRestored(GovernanceError):
    """The privacy store is another one than was seen, or has gone back in time.

    Going on would mint a second token or key for a value that already has one. ``code`` is the stable word of the halt.
    """

    exit_code = 4
    code = "privacy-store-restored"


class CellError(GovernanceError):
    """A sealed cell or a token cannot be opened: damaged, moved to another place, or its key is gone."""


class SubjectClosed(GovernanceError):
    """What is to be sealed is of a subject that was closed. A matter of the one record, not of the store.

    ``reason`` is a stable word, for the entry of kind ``quarantined`` that the record becomes.
    """

    reason = "subject-closed"

"""A finding: one thing that a check has found, where, and what mends it there."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.listed import CHECKS, Check, Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong: the ``code`` of a check and a sentence; never a row's value or a secret.

    ``fix``: SQL for the source's (or warehouse's) superuser, empty where no statement mends it. ``command``: what to
    type or do instead. ``place``: the table, setting, slot or topic; empty where the sentence says it.
    """

    code: str
    problem: str
    fix: str = ""
    place: str = ""
    command: str = ""

    @property
    def check(self) -> Check:
        """What the check says of every finding of it.

        Raises:
            KeyError: the code is in no list (``connectors/listed``).
        """
        return CHECKS[self.code]

    @property
    def severity(self) -> Severity:
        """How much it matters."""
        return self.check.severity

    @property
    def refuse(self) -> bool:
        """Whether nothing may be captured while it stands."""
        return self.severity == "error"

    @property
    def reason(self) -> str:
        """Why it matters."""
        return self.check.reason

    @property
    def remedy(self) -> str:
        """What to run or do: here, or in general where this finding says nothing of its own."""
        return self.fix or self.command or self.check.remedy

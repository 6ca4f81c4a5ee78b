"""How alerts leave: posted as JSON to a webhook, given to a program on standard input. Neither holds the loop up.

Of each alert the newest notice waits until it is delivered; what fails is tried again with growing pauses, without end.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from cdc.supervise.alerts import Notice
from cdc.supervise.settings import Settings, Webhook

TIMEOUT_S = 10.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0

Report = Callable[[str, bool, str], None]
"""Takes channel, whether it was delivered, and why not (no URL, no secret)."""


class Channel(Protocol):
    """One way out. ``name`` is its label."""

    name: str

    def send(self, document: Mapping[str, object]) -> str | None:
        """Deliver one notice; returns why it could not be, else None."""


class Post:
    """HTTP POST of JSON; anything but 2xx is a failure. Redirects are not followed: the secret stays with its host.
    Proxies from the environment are not used.
    """

    name = "webhook"

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook
        self._host = urlsplit(webhook.url).hostname or "the webhook"

    def send(self, document: Mapping[str, object]) -> str | None:
        """Deliver one notice."""
        headers = {} if self._webhook.secret is None else {self._webhook.header: self._webhook.secret}
        try:
            answer = httpx.post(
                self._webhook.url, json=dict(document), headers=headers, timeout=TIMEOUT_S, trust_env=False
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return f"{self._host}: {type(error).__name__}"
        return None if answer.is_success else f"{self._host}: HTTP {answer.status_code}"


class Program:
    """A program that gets the notice on its standard input, and of our environment nothing but PATH."""

    name = "hook"

    def __init__(self, command: tuple[str, ...]) -> None:
        self._command = command

    def send(self, document: Mapping[str, object]) -> str | None:
        """Deliver one notice."""
        program = os.path.basename(self._command[0])  # noqa: PTH119 - a name for people
        try:
            done = subprocess.run(
                self._command,
                input=json.dumps(document).encode() + b"\n",
                env={"PATH": os.defpath},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=TIMEOUT_S * 3,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{program}: {type(error).__name__}"
        return None if done.returncode == 0 else f"{program}: exit {done.returncode}"


def channels(settings: Settings) -> list[Channel]:
    """Those that are configured."""
    found: list[Channel] = []
    if settings.webhook is not None:
        found.append(Post(settings.webhook))
    if settings.hook:
        found.append(Program(settings.hook))
    return found


class Delivery(threading.Thread):
    """Delivers through one channel, in order of first mention."""

    def __init__(self, channel: Channel, supervisor: str, report: Report) -> None:
        super().__init__(name=f"deliver-{channel.name}", daemon=True)
        self.channel = channel
        self._supervisor, self._report = supervisor, report
        self._waiting: dict[str, Notice] = {}
        self._changed = threading.Condition()
        self._ending = False

    def put(self, notice: Notice) -> None:
        """Have it delivered; an older one of the same alert that still waits is not."""
        with self._changed:
            self._waiting[notice.finding.key] = notice
            self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """Alerts that are not delivered yet."""
        with self._changed:
            return len(self._waiting)

    def run(self) -> None:
        """Deliver until stopped."""
        pause = FIRST_PAUSE_S
        while (notice := self._next()) is not None:
            why = self.channel.send(notice.document(self._supervisor))
            self._report(self.channel.name, why is None, why or "")
            with self._changed:
                if why is None:
                    pause = FIRST_PAUSE_S
                    if self._waiting.get(notice.finding.key) is notice:
                        del self._waiting[notice.finding.key]
                    self._changed.notify_all()
                elif self._ending:
                    return
                else:
                    self._changed.wait_for(lambda: self._ending, timeout=pause)
                    pause = min(pause * 2, LONGEST_PAUSE_S)

    def finish(self, timeout_s: float) -> int:
        """Deliver what waits, for so long at most; returns how many alerts could not be."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting, timeout=timeout_s)
            self._ending = True
            self._changed.notify_all()
        self.join(max(0.0, deadline - time.monotonic()))
        return self.waiting

    def _next(self) -> Notice | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ending)
            return next(iter(self._waiting.values()), None)

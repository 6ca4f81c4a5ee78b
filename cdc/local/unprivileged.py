"""How root runs PostgreSQL, which refuses to run as root.

Two ways, the first that this machine allows:

``namespace``
    A user namespace that maps an ordinary user id to root's own (user_namespaces(7)). PostgreSQL sees an ordinary
    user, has no capability, and still owns and reaches every file that root owns: a checkout under ``/root`` works,
    nothing is chowned, no user is created and no folder is opened to the world.
``capability``
    Where namespaces are forbidden (many containers): the process becomes an ordinary user that keeps one capability,
    ``CAP_DAC_OVERRIDE``, so that it can still walk through folders closed to others; the data folder is given to it.

Both come from util-linux, which every glibc system has. Anyone else needs neither.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cdc.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Disguise:
    """What to put before a command, and who its files must belong to (None: whoever runs this)."""

    prefix: tuple[str, ...]
    uid: int | None = None
    gid: int | None = None

    def own(self, folder: Path) -> None:
        """Give a folder and all in it to the process's user, unless the folder is that user's already."""
        if os.geteuid() == 0 and folder.stat().st_uid != self._owner[0]:
            self.give(folder, *folder.rglob("*"))

    def give(self, *paths: Path) -> None:
        """Give these files to the process's user."""
        if os.geteuid() == 0:
            for path in paths:
                os.chown(path, *self._owner, follow_symlinks=False)

    @property
    def _owner(self) -> tuple[int, int]:
        return (os.geteuid() if self.uid is None else self.uid, os.getegid() if self.gid is None else self.gid)


def _ordinary_user() -> pwd.struct_passwd:
    """A user with an entry in the user database: initdb looks its own name up."""
    for name in ("postgres", "daemon", "bin", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        if user.pw_uid != 0:
            return user
    raise ConfigError(
        "no user but root exists here, and PostgreSQL refuses to run as root", hint="useradd --system postgres"
    )


def namespace() -> Disguise:
    """The first way."""
    user = _ordinary_user()
    return Disguise(("unshare", "--user", f"--map-user={user.pw_uid}", f"--map-group={user.pw_gid}", "--"))


def capability() -> Disguise:
    """The second way."""
    user = _ordinary_user()
    ids = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
    keep = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    return Disguise(("setpriv", *ids, *keep, "--"), user.pw_uid, user.pw_gid)


@cache
def disguise() -> Disguise:
    """The way that works here; an empty prefix for an ordinary user with a name.

    Raises:
        ConfigError: root, and neither way works.
    """
    if os.geteuid() != 0:
        if _has_name() or not _works(namespace()):
            return Disguise(())
        return namespace()  # initdb refuses a user that the user database does not know: containers have such
    for way in (namespace(), capability()):
        if _works(way):
            return way
    raise ConfigError(
        "PostgreSQL refuses to run as root, and neither `unshare --user` nor `setpriv` can become another user here",
        hint="run as an ordinary user",
    )


def _has_name() -> bool:
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return True


def _works(way: Disguise) -> bool:
    try:
        said = subprocess.run([*way.prefix, "id", "-u"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return said.returncode == 0 and said.stdout.strip() not in {"", "0"}

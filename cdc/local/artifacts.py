"""Java artifacts, pinned: exact Maven coordinates with the SHA-256 of each jar, fetched without Maven.

A lock (``connectors/runtime/<name>.lock``) has one ``group:artifact:version[:classifier] sha256`` per line. Its jars
end up together in one folder of the user's cache, named after the lock's own digest: another version is another folder,
and checkouts share what they have in common. Every jar is hashed again each time a JVM is about to load it.

Only single artifacts are asked for; resolving what depends on what happened when the lock was made.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from cdc.errors import ConfigError, Unreachable
from cdc.local.part import Report
from cdc.local.private_file import private_folder

_AT_ONCE = 8
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of a lock."""

    group: str
    artifact: str
    version: str
    classifier: str
    sha256: str

    def __str__(self) -> str:
        return ":".join(part for part in (self.group, self.artifact, self.version, self.classifier) if part)

    @property
    def file_name(self) -> str:
        """Maven's file name, for example ``kafka-clients-4.3.1.jar``."""
        return "-".join(part for part in (self.artifact, self.version, self.classifier) if part) + ".jar"

    @property
    def repository_path(self) -> Path:
        """Where a Maven repository keeps it."""
        return Path(*self.group.split("."), self.artifact, self.version, self.file_name)


@dataclass(frozen=True, slots=True)
class Lock:
    """What one Java class path or plugin folder consists of."""

    name: str
    digest: str
    jars: tuple[Jar, ...]

    def version_of(self, artifact: str) -> str:
        """The pinned version of one artifact, by its artifact id."""
        return next(jar.version for jar in self.jars if jar.artifact == artifact)


def runtime_folder() -> Path:
    """Where the locks are: ``connectors/runtime``."""
    import connectors

    return Path(next(iter(connectors.__path__))) / "runtime"


def read_lock(path: Path) -> Lock:
    """Read a lock file.

    Raises:
        ConfigError: missing, or a line that is not ``group:artifact:version[:classifier] sha256``.
    """
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such lock file", hint=f"git checkout -- {path}") from None
    jars = []
    for number, line in enumerate(text.splitlines(), 1):
        coordinate, _, digest = line.partition(" ")
        parts = coordinate.split(":")
        if len(parts) not in {3, 4} or len(digest) != 64:
            form = "group:artifact:version[:classifier] sha256"
            raise ConfigError(f"{path}:{number}: not `{form}`", hint=f"git checkout -- {path}")
        jars.append(Jar(parts[0], parts[1], parts[2], parts[3] if len(parts) == 4 else "", digest))
    return Lock(path.name.removesuffix(".lock"), hashlib.sha256(text.encode()).hexdigest(), tuple(jars))


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/cdc-audit``, else ``~/.cache/cdc-audit``; a temporary folder where that cannot be written.

    Raises:
        ConfigError: the temporary folder of that name is somebody else's.
    """
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - never raises
    if Path(base).is_absolute():
        folder = Path(base, "cdc-audit")
        with contextlib.suppress(OSError):
            private_folder(folder)
            if os.access(folder, os.W_OK | os.X_OK):
                return folder
    folder = private_folder(Path(tempfile.gettempdir(), f"cdc-audit-{os.geteuid()}"))
    if folder.stat().st_uid != os.geteuid() or folder.stat().st_mode & 0o022:
        raise ConfigError(f"{folder} is not this user's own", hint="set XDG_CACHE_HOME to a folder of yours")
    return folder


def plugin_path(lock: Lock) -> Path:
    """The folder to name in ``plugin.path``: it holds one folder, the plugin (KIP-146)."""
    return cache_folder() / "java" / f"{lock.name}-{lock.digest[:16]}"


def jar_folder(lock: Lock) -> Path:
    """The folder that holds the lock's jars once they are there."""
    return plugin_path(lock) / lock.name


def ensure(lock: Lock, report: Report) -> Path:
    """The folder with every jar of the lock, verified; fetches what is missing or damaged.

    Raises:
        Unreachable: an artifact cannot be fetched.
        ConfigError: what was fetched is not what the lock says.
    """
    folder = jar_folder(lock)
    bad = damaged(lock, folder)
    if not bad:
        return folder
    private_folder(folder.parent.parent)
    with tempfile.TemporaryDirectory(dir=folder.parent.parent, prefix=".fetching-") as temporary:
        assembled = Path(temporary, lock.name)
        assembled.mkdir()
        if len(bad) < len(lock.jars):
            for jar in lock.jars:
                if jar not in bad:
                    _link(folder / jar.file_name, assembled / jar.file_name)
        _place_all(lock.name, bad, assembled, report)
        shutil.rmtree(folder, ignore_errors=True)
        private_folder(folder.parent)
        try:
            assembled.rename(folder)
        except OSError:  # another checkout was quicker: its folder has the same verified jars
            if damaged(lock, folder):
                raise
    return folder


def _place_all(name: str, jars: list[Jar], folder: Path, report: Report) -> None:
    """Put jars into ``folder``, several at once; the first failure ends it."""
    report(f"{name}: fetching {len(jars)} Java artifacts")
    repositories, told = _user_repositories(), time.monotonic()
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        running = [pool.submit(_place, jar, folder, repositories) for jar in jars]
        for done, future in enumerate(as_completed(running), 1):
            future.result()
            if time.monotonic() - told > 5:
                told = time.monotonic()
                report(f"{name}: {done} of {len(jars)} are here")
    finally:
        pool.shutdown(cancel_futures=True)


def damaged(lock: Lock, folder: Path) -> list[Jar]:
    """The jars that are missing or have another SHA-256."""
    if not folder.is_dir():
        return list(lock.jars)
    with ThreadPoolExecutor(4) as pool:
        good = pool.map(lambda jar: sha256_of(folder / jar.file_name) == jar.sha256, lock.jars)
        return [jar for jar, whole in zip(lock.jars, good, strict=True) if not whole]


def sha256_of(path: Path) -> str | None:
    """Hex digest of a file; None when there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


@dataclass(frozen=True, slots=True)
class _Repositories:
    local: Path | None
    remote: dict[str, str] | None  # None: the public one


def _user_repositories() -> _Repositories:
    from jgo.config import GlobalSettings

    try:
        settings = GlobalSettings.load()
    except RuntimeError:  # a user without a home
        return _Repositories(None, None)
    return _Repositories(Path(settings.repo_cache).expanduser(), dict(settings.repositories) or None)


def _place(jar: Jar, folder: Path, repositories: _Repositories) -> None:
    if repositories.local is not None:
        known = repositories.local / jar.repository_path
        if sha256_of(known) == jar.sha256:
            _link(known, folder / jar.file_name)
            return
    fetched = _fetch(jar, folder.parent / "repository", repositories)
    actual = sha256_of(fetched)
    if actual != jar.sha256:
        raise ConfigError(
            f"{jar}: the repository delivered a jar with SHA-256 {actual}; the lock says {jar.sha256}",
            hint="a mirror changed it: use another network, or name your own repository in ~/.config/jgo.conf",
        )
    _link(fetched, folder / jar.file_name)


def _fetch(jar: Jar, into: Path, repositories: _Repositories) -> Path:
    """Download through jgo into a folder of our own: it writes in place, and could leave a shared one half-written."""
    import requests
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=into, remote_repos=repositories.remote, timeout=20)
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact(jar.classifier)
    for attempt in range(1, _TRIES + 1):
        try:
            return Path(artifact.resolve())
        except (requests.RequestException, OSError, RuntimeError) as error:
            (into / jar.repository_path).unlink(missing_ok=True)
            absent = isinstance(error, RuntimeError)
            if absent or attempt == _TRIES:
                what = "no repository has it" if absent else type(error).__name__
                raise Unreachable(
                    f"{jar} cannot be fetched: {what}",
                    hint="check the network ($HTTPS_PROXY; own repository: ~/.config/jgo.conf), then: cdc local up",
                ) from None
    raise AssertionError


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)

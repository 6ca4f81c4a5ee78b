"""Locks and the jars behind them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cdc.errors import ConfigError, Unreachable
from cdc.local import artifacts
from cdc.local.artifacts import Jar, Lock


def lock_of(*jars: Jar) -> Lock:
    return Lock("plugin", "d" * 64, jars)


def jar_with(content: bytes, artifact: str = "thing") -> Jar:
    return Jar("org.example", artifact, "1.0", "", hashlib.sha256(content).hexdigest())


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's local Maven repository, an empty cache, and a network that leads nowhere."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("M2_REPO", str(tmp_path / "repository"))
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    return tmp_path / "repository"


def put(repository: Path, jar: Jar, content: bytes) -> None:
    path = repository / jar.repository_path
    path.parent.mkdir(parents=True)
    path.write_bytes(content)


def test_the_shipped_locks_are_exact_and_the_plugin_has_nothing_of_the_workers() -> None:
    folder = artifacts.runtime_folder()
    worker = artifacts.read_lock(folder / "worker.lock")
    plugin = artifacts.read_lock(folder / "debezium-connector-postgres.lock")
    names = {(jar.group, jar.artifact) for jar in worker.jars}
    assert not names & {(jar.group, jar.artifact) for jar in plugin.jars}
    assert not [jar for jar in plugin.jars if jar.artifact.startswith(("kafka-", "connect-", "jackson-", "slf4j-"))]
    assert worker.version_of("kafka-clients") == "4.3.1"
    assert plugin.version_of("debezium-connector-postgres") == "3.7.0.Final"
    for jar in (*worker.jars, *plugin.jars):
        assert len(bytes.fromhex(jar.sha256)) == 32
        assert "SNAPSHOT" not in jar.version


def test_a_classifier_is_part_of_the_name() -> None:
    jar = Jar("io.netty", "netty-transport", "4.1", "linux-x86_64", "")
    assert jar.repository_path == Path("io/netty/netty-transport/4.1/netty-transport-4.1-linux-x86_64.jar")
    assert str(jar) == "io.netty:netty-transport:4.1:linux-x86_64"


@pytest.mark.parametrize("line", ["no-digest", "a:b " + "0" * 64, "a:b:c 1234", "a:b:c:d:e " + "0" * 64])
def test_a_line_that_is_no_coordinate_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "x.lock"
    path.write_text(f"g:a:1 {'0' * 64}\n{line}\n")
    with pytest.raises(ConfigError, match=r"x\.lock:2: not"):
        artifacts.read_lock(path)


def test_a_missing_lock_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such lock file"):
        artifacts.read_lock(tmp_path / "none.lock")


def test_jars_come_from_the_local_repository_and_damage_is_mended(repository: Path) -> None:
    first, second = jar_with(b"one", "first"), jar_with(b"two", "second")
    put(repository, first, b"one")
    put(repository, second, b"two")
    lines: list[str] = []
    folder = artifacts.ensure(lock_of(first, second), lines.append)
    assert sorted(path.name for path in folder.iterdir()) == ["first-1.0.jar", "second-1.0.jar"]
    artifacts.ensure(lock_of(first, second), lines.append)
    assert lines == ["plugin: fetching 2 Java artifacts"]
    (folder / "second-1.0.jar").unlink()
    (folder / "second-1.0.jar").write_bytes(b"tw0")
    artifacts.ensure(lock_of(first, second), lines.append)
    assert (folder / "second-1.0.jar").read_bytes() == b"two"
    assert lines[1:] == ["plugin: fetching 1 Java artifacts"]


def test_a_wrong_jar_in_the_local_repository_is_not_used(repository: Path) -> None:
    jar = jar_with(b"right")
    put(repository, jar, b"wrong")
    with pytest.raises(Unreachable, match=r"org\.example:thing:1\.0 cannot be fetched: ProxyError") as failure:
        artifacts.ensure(lock_of(jar), lambda _line: None)
    assert failure.value.hint
    assert not artifacts.jar_folder(lock_of(jar)).exists()
    assert (repository / jar.repository_path).read_bytes() == b"wrong"


def test_a_jar_from_the_network_must_match_the_lock(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jar = jar_with(b"right")

    def deliver(jar: Jar, into: Path, _repositories: object) -> Path:
        path = into / jar.repository_path
        path.parent.mkdir(parents=True)
        path.write_bytes(b"tampered")
        return path

    monkeypatch.setattr(artifacts, "_fetch", deliver)
    with pytest.raises(
        ConfigError, match=r"org\.example:thing:1\.0: the repository delivered a jar with SHA-256"
    ) as failure:
        artifacts.ensure(lock_of(jar), lambda _line: None)
    assert jar.sha256 in str(failure.value)
    assert not artifacts.jar_folder(lock_of(jar)).exists()


def test_a_cache_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import tempfile

    monkeypatch.setenv("XDG_CACHE_HOME", "relative-and-therefore-ignored")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert artifacts.cache_folder() == tmp_path / f"cdc-audit-{os.geteuid()}"
    (tmp_path / f"cdc-audit-{os.geteuid()}").chmod(0o777)
    with pytest.raises(ConfigError, match="not this user's own"):
        artifacts.cache_folder()

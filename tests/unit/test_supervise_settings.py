"""The table [supervise]: defaults, units, and errors that name the setting and never a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdc import config
from cdc.errors import ConfigError
from cdc.supervise.settings import Settings, load

REST = (
    '[kafka]\n"bootstrap.servers" = "h:1"\n[connect]\nurl = "http://h:1"\n[warehouse]\ndsn = "host=h"\n[privacy]\n'
    'dsn = "host=h"\n[keyring]\npath = "k"\n'
)


@pytest.fixture
def read(tmp_path: Path):
    def do(text: str | None) -> Settings:
        path = tmp_path / "cdc.toml"
        path.write_text(REST + ("" if text is None else f"[supervise]\n{text}\n"))
        return load(config.load(path))

    return do


def test_everything_has_a_default(read):
    assert read(None) == read("") == Settings()
    assert read(None).checks == {"verify": 86_400}


def test_times_and_sizes_have_units(read):
    found = read(
        'every = "5s"\nverify_every = "2d"\ndrift_every = "1h"\nslot_budget = "512MiB"\nmax_restarts = 3\nhook = ["/bin/cat", "-"]'
    )
    assert (found.every_s, found.slot_budget_bytes, found.max_restarts, found.hook) == (
        5,
        512 * 2**20,
        3,
        ("/bin/cat", "-"),
    )
    assert found.checks == {"verify": 172_800, "drift": 3600}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("every = 5", "every"),
        ('every = "5"', "every"),
        ('every = "0s"', "every"),
        ('slot_budget = "10GB"', "slot_budget"),
        ("max_restarts = true", "max_restarts"),
        ("max_restarts = -1", "max_restarts"),
        ('hook = "/bin/cat"', "hook"),
        ('hook = ["cat"]', "hook"),
        ('webhook = "ftp://hunter2"', "webhook"),
        ('webhook_header = "X"', "webhook_header"),
        ('webhook = "http://hunter2"\nwebhook_header = "a b"', "webhook_header"),
        ('webhook = "http://hunter2"\nwebhook_secret_env = "CDC_TEST_NOT_SET"', "webhook_secret_env"),
        ('webhook = "http://hunter2"\nwebhook_secret_file = "gone"', "webhook_secret_file"),
        ("evry = 5", "evry"),
    ],
)
def test_what_is_wrong_is_named_and_not_shown(read, text, name):
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert f"[supervise] {name}:" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_the_secret_comes_from_the_environment_or_a_file_and_is_in_no_repr(read, tmp_path, monkeypatch):
    monkeypatch.setenv("CDC_TEST_SECRET", "Bearer hunter2")
    from_environment = read('webhook = "http://h/hunter3"\nwebhook_secret_env = "CDC_TEST_SECRET"')
    (tmp_path / "secret").write_text("hunter2\n")
    from_file = read('webhook = "http://h/hunter3"\nwebhook_header = "X-Token"\nwebhook_secret_file = "secret"')
    assert (from_environment.webhook.header, from_environment.webhook.secret) == ("Authorization", "Bearer hunter2")
    assert (from_file.webhook.header, from_file.webhook.secret) == ("X-Token", "hunter2")
    assert "hunter" not in repr(from_environment) + repr(from_file)

"""Texts of the configuration that stand in files or variables: read as they are, and named without a word of what is in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdc import kept_elsewhere
from cdc.errors import ConfigError


def test_a_file_counts_from_the_configurations_folder_without_its_last_line_end(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(" p\u00e4ss word\r\n", encoding="utf-8")
    assert kept_elsewhere.text({"file": "secret"}, "[kafka] x", tmp_path) == " p\u00e4ss word"
    assert kept_elsewhere.text({"file": str(tmp_path / "secret")}, "[kafka] x", Path("/")) == " p\u00e4ss word"


def test_a_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CDC_TEST_SECRET", "held")
    assert kept_elsewhere.text({"env": "CDC_TEST_SECRET"}, "[kafka] x", tmp_path) == "held"


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ({"file": "absent"}, "No such file"),
        ({"file": "empty"}, "is empty"),
        ({"file": "bytes"}, "not UTF-8"),
        ({"file": "."}, "Is a directory"),
        ({"env": "CDC_TEST_ABSENT"}, "is not set"),
        ({"vault": "x"}, "where it is kept"),
        ({"file": "a", "env": "B"}, "where it is kept"),
        ({"file": 7}, "where it is kept"),
        ({}, "where it is kept"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(tmp_path: Path, reference: dict[str, object], said: str) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "bytes").write_bytes(b"secret\xff\n")
    with pytest.raises(ConfigError, match=said) as caught:
        kept_elsewhere.text(reference, "cdc.toml: [warehouse] dsn", tmp_path)
    assert "cdc.toml: [warehouse] dsn" in str(caught.value)
    assert "secret" not in str(caught.value)

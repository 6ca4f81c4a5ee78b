"""Every malformed setting is one line that names file and setting, and no repr holds a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdc import config
from cdc.errors import ConfigError, NotFound

GOOD = {
    "kafka": {"bootstrap.servers": "127.0.0.1:9092", "sasl.password": "planted-kafka"},
    "connect": {"url": "http://user:planted-connect@127.0.0.1:8083"},
    "warehouse": {"dsn": "host=h user=cdc_replicator password=planted-w", "admin_dsn": "postgresql://postgres:planted-a@h/warehouse", "auditor_dsn": "host=h user=cdc_auditor password=planted-r"},
    "privacy": {"dsn": "host=h user=cdc_privacy password=planted-p", "admin_dsn": "host=h user=postgres password=planted-q"},
    "keyring": {"path": "keyring.json"},
    "sources": {"trading": {"dsn": "host=h user=debezium password=planted-s", "admin_dsn": "host=h password=planted-t", "definition": "d.yaml", "policy": "p.yaml", "topic": "trading"}},
}  # fmt: skip


def written(folder: Path, document: dict) -> Path:
    def table(name: str, members: dict) -> list[str]:
        lines = [f"[{name}]"] if name else []
        later = []
        for key, value in members.items():
            if isinstance(value, dict):
                later += table(f"{name}.{quoted(key)}" if name else quoted(key), value)
            else:
                lines.append(f"{quoted(key)} = {toml(value)}")
        return lines + later

    path = folder / "cdc.toml"
    path.write_text("\n".join(table("", document)) + "\n", encoding="utf-8")
    return path


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\x00", "\\u0000") + '"'


def toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return quoted(value) if isinstance(value, str) else str(value)


def changed(*place: str, to: object = None) -> dict:
    """GOOD with one setting changed, or without it."""
    document = {name: dict(members) for name, members in GOOD.items()}
    document["sources"] = {name: dict(members) for name, members in GOOD["sources"].items()}
    at = document
    for name in place[:-1]:
        at = at[name]
    if to is None:
        del at[place[-1]]
    else:
        at[place[-1]] = to
    return document


def test_a_good_file(tmp_path):
    (tmp_path / "keyring.json").touch()
    settings = config.load(written(tmp_path, GOOD))
    assert settings.warehouse_dsn == GOOD["warehouse"]["dsn"]
    assert settings.kafka["bootstrap.servers"] == "127.0.0.1:9092"
    assert settings.keyring == tmp_path / "keyring.json"
    assert settings.source("trading").policy.is_absolute()
    assert settings.state == tmp_path
    assert "planted" not in repr(settings)
    assert "planted" not in repr(settings.sources) + str(settings)


def test_dsns_that_stand_in_for_others(tmp_path):
    document = changed("warehouse", "admin_dsn")
    del document["warehouse"]["auditor_dsn"], document["privacy"]["admin_dsn"]
    settings = config.load(written(tmp_path, document))
    assert settings.warehouse_admin_dsn == settings.warehouse_auditor_dsn == settings.warehouse_dsn
    assert settings.privacy_admin_dsn == settings.privacy_dsn


@pytest.mark.parametrize(
    ("place", "to", "named"),
    [
        (("kafka",), None, "[kafka]"), (("connect",), None, "[connect]"), (("warehouse",), None, "[warehouse]"), (("privacy",), None, "[privacy]"), (("keyring",), None, "[keyring]"),
        (("kafka",), "planted", "[kafka]"), (("sources",), ["planted"], "[sources]"), (("sources", "trading"), "planted", "[sources] trading"),
        (("more",), {}, "[more]"), (("warehouse", "dns"), "x", "[warehouse] dns"), (("privacy", "dns"), "x", "[privacy] dns"), (("sources", "trading", "polcy"), "x", "[sources.trading] polcy"), (("connect", "ur"), "x", "[connect] ur"), (("keyring", "pth"), "x", "[keyring] pth"),
        (("connect", "url"), None, "[connect] url"), (("connect", "url"), 7, "[connect] url"), (("connect", "url"), "", "[connect] url"),
        (("warehouse", "dsn"), None, "[warehouse] dsn"), (("warehouse", "dsn"), "", "[warehouse] dsn"), (("warehouse", "dsn"), 7, "[warehouse] dsn"), (("warehouse", "dsn"), "planted secret", "[warehouse] dsn"), (("warehouse", "dsn"), "host=h pasword=planted", "[warehouse] dsn"), (("warehouse", "dsn"), "host=h password='planted", "[warehouse] dsn"), (("warehouse", "dsn"), "host=h\x00password=planted", "[warehouse] dsn"),
        (("warehouse", "admin_dsn"), "postgresql://u:planted@[h", "[warehouse] admin_dsn"), (("warehouse", "auditor_dsn"), "planted", "[warehouse] auditor_dsn"), (("privacy", "dsn"), None, "[privacy] dsn"), (("privacy", "admin_dsn"), "planted", "[privacy] admin_dsn"),
        (("keyring", "path"), None, "[keyring] path"), (("keyring", "path"), 7, "[keyring] path"), (("keyring", "path"), "", "[keyring] path"),
        (("sources", "trading", "policy"), None, "[sources.trading] policy"), (("sources", "trading", "definition"), 1, "[sources.trading] definition"), (("sources", "trading", "topic"), "", "[sources.trading] topic"), (("sources", "trading", "topic"), True, "[sources.trading] topic"), (("sources", "trading", "dsn"), "planted", "[sources.trading] dsn"),
        (("kafka", "queued.min.messages"), 5, "[kafka] queued.min.messages"), (("kafka", "x"), True, "[kafka] x"), (("kafka", "x"), ["planted"], "[kafka] x"),
        (("sources", "Trading"), GOOD["sources"]["trading"], "[sources] Trading"), (("sources", "a-b"), GOOD["sources"]["trading"], "[sources] a-b"), (("sources", "operations"), GOOD["sources"]["trading"], "[sources] operations"), (("sources", "audit"), GOOD["sources"]["trading"], "[sources] audit"), (("sources", "x_state"), GOOD["sources"]["trading"], "[sources] x_state"), (("sources", "pg_x"), GOOD["sources"]["trading"], "[sources] pg_x"), (("sources", "a" * 42), GOOD["sources"]["trading"], "[sources] a"),
    ],
)  # fmt: skip
def test_a_malformed_setting(tmp_path, place, to, named):
    path = written(tmp_path, changed(*place, to=to))
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: {named}")
    assert "\n" not in message
    assert "planted" not in message + str(caught.value.hint)
    assert caught.value.exit_code == 2


SHOP = '[sources.shop]\ndsn = "host=h user=cdc_shop password=planted-c"\ndefinition = "definition.yaml"\npolicy = "policy.yaml"\n'


def beside(folder: Path, name: str, text: str) -> Path:
    place = folder / "sources" / name
    place.mkdir(parents=True)
    (place / "source.toml").write_text(text)
    return place


def test_sources_in_files_beside_it(tmp_path):
    place = beside(tmp_path, "shop", SHOP)
    settings = config.load(written(tmp_path, GOOD))
    assert list(settings.sources) == ["trading", "shop"]
    shop = settings.source("shop")
    # Paths count from the file's own folder, also of a policy that is not written yet.
    assert (shop.definition, shop.policy) == (place / "definition.yaml", place / "policy.yaml")
    assert (shop.topic, shop.declared) == ("shop", place / "source.toml")
    assert shop.dsn is not None
    assert shop.dsn.endswith("planted-c")
    assert "planted" not in repr(settings) + repr(settings.sources)
    assert settings.source_folder("shop") == place
    (tmp_path / "sources" / "notes").mkdir()  # a folder without the file is nobody's source
    assert list(config.load(tmp_path / "cdc.toml").sources) == ["trading", "shop"]


def test_a_configuration_without_sources_has_none_until_there_are_files(tmp_path):
    path = written(tmp_path, changed("sources"))
    assert config.load(path).sources == {}
    beside(tmp_path, "shop", SHOP)
    assert list(config.load(path).sources) == ["shop"]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("shop", SHOP.replace("sources.shop", "sources.sho"), "[sources.shop] and nothing else is needed"),
        ("shop", SHOP + "[sources.more]\n", "[sources.shop] and nothing else is needed"),
        ("shop", SHOP + "[warehouse]\ndsn = 'planted'\n", "[warehouse]: unknown setting"),
        ("shop", SHOP.replace("policy =", "polcy ="), "[sources.shop] polcy: unknown setting"),
        ("shop", SHOP.replace("host=h", "hist=h"), "[sources.shop] dsn: not a libpq connection string"),
        ("shop", "[sources.shop", "not TOML"),
        ("shop", "", "[sources]: missing table"),
        ("Shop", SHOP.replace("sources.shop", "sources.Shop"), "[sources] Shop: a source is named"),
        ("trading", SHOP.replace("sources.shop", "sources.trading"), "source trading is in"),
    ],
)
def test_a_malformed_file_of_a_source(tmp_path, name, text, says):
    place = beside(tmp_path, name, text)
    with pytest.raises(ConfigError) as caught:
        config.load(written(tmp_path, GOOD))
    assert str(caught.value).startswith(f"{place}/source.toml: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "planted" not in str(caught.value) + str(caught.value.hint)


@pytest.mark.parametrize("content", [b"[kafka", b"a = ", b'[kafka]\n"a" = 1\n"a" = 2', b"\xff\xfe", b"\x00", b"planted", b'password = "planted', b"[a]\n[a]", b"a.b = 1\na = 2"])
def test_a_file_that_is_not_toml(tmp_path, content):
    path = tmp_path / "cdc.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert "planted" not in str(caught.value)


def test_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CDC_CONFIG", raising=False)
    with pytest.raises(ConfigError, match="no configuration") as caught:
        config.load()
    assert caught.value.hint
    with pytest.raises(ConfigError, match=r"missing\.toml"):
        config.load(tmp_path / "missing.toml")
    monkeypatch.setenv("CDC_CONFIG", str(tmp_path / "elsewhere.toml"))
    with pytest.raises(ConfigError, match=r"elsewhere\.toml"):
        config.load()
    with pytest.raises(ConfigError):
        config.load(tmp_path)


def test_the_order_of_look_up(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CDC_CONFIG", raising=False)
    (tmp_path / ".cdc").mkdir()
    hidden = written(tmp_path / ".cdc", GOOD)
    assert config.load().path == hidden
    (tmp_path / ".cdc" / "keyring.json").touch()
    assert config.load().keyring == tmp_path / ".cdc" / "keyring.json"  # beside the file that names it
    here = written(tmp_path, GOOD)
    assert config.load().path == here
    monkeypatch.setenv("CDC_CONFIG", str(hidden))
    assert config.load().path == hidden
    assert config.load(here).path == here


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = written(tmp_path, GOOD)

    def refuse(*_arguments, **_options):  # root may read everything, so the refusal is made here
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "read_text", refuse)
    with pytest.raises(ConfigError, match=f"{path}: Permission denied"):
        config.load(path)


def test_an_unknown_source(tmp_path):
    with pytest.raises(NotFound, match="no source 'tradng'; there are: trading"):
        config.load(written(tmp_path, GOOD)).source("tradng")


def test_connect_clusters_by_name(tmp_path, monkeypatch):
    document = changed("connect", "contexts", to={
        "staging": {"url": ["https://a:8443", "https://b:8443"], "ca": "ca.pem", "certificate": "me.pem", "key": "me.key",
                    "username": "admin", "password_file": "pw", "kafka_cluster_id": "id", "installation": "desk"},
        "test": {"url": "http://t:1", "token_env": "PLANTED_TOKEN"},
    })  # fmt: skip
    path = written(tmp_path, document)
    assert config.load(path).connect.context is None
    staging = config.load(path, "staging").connect
    assert (staging.context, staging.urls, staging.installation) == ("staging", ("https://a:8443", "https://b:8443"), "desk")
    assert staging.ca == tmp_path / "ca.pem"
    with pytest.raises(ConfigError, match="pw"):
        staging.password()
    (tmp_path / "pw").write_text("planted-pw\n")
    assert (staging.password(), staging.token()) == ("planted-pw", None)
    assert "planted" not in repr(config.load(path, "staging"))
    monkeypatch.setenv("CDC_CONTEXT", "test")
    chosen = config.load(path)
    assert chosen.connect_url == "http://t:1"
    with pytest.raises(ConfigError, match=r"\$PLANTED_TOKEN is not set"):
        chosen.connect.token()
    monkeypatch.setenv("PLANTED_TOKEN", "planted-token")
    assert chosen.connect.token() == "planted-token"
    with pytest.raises(NotFound, match="there are: staging, test"):
        config.load(path, "gone")


@pytest.mark.parametrize(
    ("to", "named"),
    [
        ({"x y": {}}, "[connect.contexts] x y"), ({"x": "planted"}, "[connect.contexts] x"), ({"x": {}}, "[connect.contexts.x] url"),
        ({"x": {"url": []}}, "[connect.contexts.x] url"), ({"x": {"url": ["planted"]}}, "[connect.contexts.x] url"),
        ({"x": {"url": "http://h", "password": "planted"}}, "[connect.contexts.x] password: unknown setting"),
        ({"x": {"url": "http://h", "key": "k"}}, "[connect.contexts.x] key: a certificate is needed"),
        ({"x": {"url": "http://h", "username": "u", "token_file": "t"}}, "[connect.contexts.x] username: either"),
    ],
)  # fmt: skip
def test_a_malformed_context(tmp_path, to, named):
    path = written(tmp_path, changed("connect", "contexts", to=to))
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert str(caught.value).startswith(f"{path}: {named}")
    assert "planted" not in str(caught.value) + str(caught.value.hint)

from pathlib import Path

import pytest

from api.settings import PREFIX, Settings, SettingsError, load

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    import os

    for name in os.environ:
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


def test_environment_and_options(monkeypatch):
    monkeypatch.setenv("WENJU_TOP_K", "3")
    monkeypatch.setenv("WENJU_MODEL", "")
    assert load().top_k == 3
    assert load(top_k=5, home=None).top_k == 5
    assert load().model is None
    assert load().config().home == Path("wenju-data")


@pytest.mark.parametrize(
    ("name", "value"),
    [("TOP_K", "0"), ("TOP_K", "51"), ("TOP_K", "many"), ("PORT", "70000"), ("THREADS", "0"),
     ("DICTIONARY", "/no/such/file"), ("MAX_QUESTION", "1"), ("QUEUE", "-1"),
     ("CORS_ORIGINS", "*"), ("CORS_ORIGINS", "https://a.org/"), ("CORS_ORIGINS", "ftp://a.org"),
     ("TRUSTED_PROXIES", "10.0.0.1, *"), ("TRUSTED_PROXIES", "10.0.0.1/8"), ("RATE_KEY", "-1")],
)  # fmt: skip
def test_a_value_out_of_bounds_is_refused_by_name(monkeypatch, name, value):
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(SettingsError, match=PREFIX + name):
        load()


def test_an_unknown_setting_is_refused(monkeypatch):
    monkeypatch.setenv("WENJU_TOPK", "3")
    with pytest.raises(SettingsError, match=r"WENJU_TOPK.*WENJU_TOP_K"):
        load()


def test_lists_are_parted_by_commas(monkeypatch):
    monkeypatch.setenv("WENJU_TRUSTED_PROXIES", "10.0.0.1, 192.168.0.0/16")
    monkeypatch.setenv("WENJU_CORS_ORIGINS", "https://a.org,http://b.org:8080")
    assert load().trusted_proxies == ("10.0.0.1", "192.168.0.0/16")
    assert load().cors_origins == ("https://a.org", "http://b.org:8080")
    assert load(allowed_hosts=("a.org",)).allowed_hosts == ("a.org",)


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        load().top_k = 4


def test_every_setting_is_described_and_documented():
    text = "".join((ROOT / name).read_text("utf-8") for name in ("README.md", "OPERATIONS.md"))
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert PREFIX + name.upper() in text, f"{PREFIX}{name.upper()} is not documented"


def test_a_language_model_is_configured_whole(monkeypatch):
    assert load().config().generator is None
    monkeypatch.setenv("WENJU_LLM_API_KEY", "secret-key")
    monkeypatch.setenv("WENJU_LLM_BASE_URL", "http://127.0.0.1:1/v1")
    with pytest.raises(SettingsError, match="go together") as refused:
        load()
    assert "secret-key" not in str(refused.value)
    monkeypatch.setenv("WENJU_LLM_MODEL", "m")
    server = load().config().generator
    assert server is not None
    assert (server.base_url, server.model, server.api_key) == (
        "http://127.0.0.1:1/v1",
        "m",
        "secret-key",
    )
    assert "secret-key" not in repr(load()) + repr(load().config())
    monkeypatch.setenv("WENJU_LLM_CONTEXT", "1024")
    monkeypatch.setenv("WENJU_LLM_REPLY", "600")
    with pytest.raises(SettingsError, match="half of"):
        load()


def test_a_database_is_named_and_its_password_never_shown(monkeypatch):
    url = "postgresql://wenju:pass%40word@db1:5432,db2:5433/wenju?target_session_attrs=read-write"
    monkeypatch.setenv("WENJU_STORE", url)
    settings = load()
    assert settings.config().store == url
    assert settings.secrets == ["pass%40word"]
    for shown in (repr(settings), str(settings), repr(settings.config())):
        assert "pass%40word" not in shown
    monkeypatch.setenv("WENJU_STORE", "mysql://wenju:secret@db1/wenju")
    with pytest.raises(SettingsError, match=r"WENJU_STORE.*postgresql://") as raised:
        load()
    assert "secret" not in str(raised.value)
    monkeypatch.setenv("WENJU_STORE", "")
    assert load().config().store is None
    monkeypatch.setenv("WENJU_STORE_READS", url)
    with pytest.raises(SettingsError, match="goes with WENJU_STORE"):
        load()


def test_an_index_is_named_and_its_token_never_shown(monkeypatch):
    monkeypatch.setenv("WENJU_INDEX_TOKEN", "root:Milvus-secret")
    with pytest.raises(SettingsError, match="goes with WENJU_INDEX"):
        load()
    monkeypatch.setenv("WENJU_INDEX", "milvus:https://m1:19530/news")
    settings = load()
    config = settings.config()
    assert (config.index, config.index_token) == (
        "milvus:https://m1:19530/news",
        "root:Milvus-secret",
    )
    assert settings.secrets == ["root:Milvus-secret"]
    for shown in (repr(settings), str(settings), repr(config)):
        assert "Milvus-secret" not in shown
    for wrong in ("http://m1:19530", "milvus:m1:19530", "milvus:http://m1/a/b", "milvus:http:///a"):
        monkeypatch.setenv("WENJU_INDEX", wrong)
        with pytest.raises(SettingsError, match=r"WENJU_INDEX.*milvus:http://HOST"):
            load()
    monkeypatch.setenv("WENJU_INDEX", "milvus:http://root:hidden@m1:19530")
    with pytest.raises(SettingsError, match="WENJU_INDEX_TOKEN") as raised:
        load()
    assert "hidden" not in str(raised.value)

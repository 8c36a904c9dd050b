from pathlib import Path

import pytest

from api.settings import PREFIX, Settings, SettingsError, load

README = Path(__file__).resolve().parent.parent / "README.md"


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
     ("DICTIONARY", "/no/such/file"), ("MAX_QUESTION", "1"), ("QUEUE", "-1")],
)  # fmt: skip
def test_a_value_out_of_bounds_is_refused_by_name(monkeypatch, name, value):
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(SettingsError, match=PREFIX + name):
        load()


def test_an_unknown_setting_is_refused(monkeypatch):
    monkeypatch.setenv("WENJU_TOPK", "3")
    with pytest.raises(SettingsError, match=r"WENJU_TOPK.*WENJU_TOP_K"):
        load()


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        load().top_k = 4


def test_every_setting_is_described_and_in_the_readme():
    text = README.read_text(encoding="utf-8")
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert PREFIX + name.upper() in text, f"{PREFIX}{name.upper()} is not in the README"

import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from api import access
from api.keys import FILE, KeysDamaged, KeyStore, Scope
from api.settings import load
from rag.errors import BadInput


class Clock:
    def __init__(self):
        self.now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    return KeyStore(tmp_path / "home", clock)


def test_a_key_is_found_by_its_text_and_by_nothing_else(store):
    text, key = store.create("读者", [Scope.READ])
    other, second = store.create("desk", [Scope.WRITE, Scope.READ])
    assert (store.find(text), store.find(other)) == (key, second)
    assert second.scopes == ("read", "write")
    wrong = (text[:-1], text + "a", text.upper(), key.digest, key.id, "", other[::-1], text * 9)
    assert [store.find(t) for t in wrong] == [None] * len(wrong)


def test_only_the_hash_is_stored_and_only_the_owner_reads_it(store):
    text, _ = store.create("a", [Scope.READ])
    stored = store.path.read_text(encoding="utf-8")
    assert text.removeprefix("wenju_") not in stored
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in store.path.parent.iterdir() if p.name.startswith(".")] == []


def test_keys_have_256_random_bits(store):
    texts = {store.create("a", [Scope.READ])[0] for _ in range(20)}
    assert len(texts) == 20
    assert {len(t) for t in texts} == {len("wenju_") + 43}  # 32 bytes in base64


def test_a_key_ends_when_it_expires_or_is_revoked(store, clock):
    text, key = store.create("a", [Scope.READ], timedelta(days=2))
    clock.now += timedelta(days=2, seconds=-1)
    assert store.find(text) == key
    assert store.usable()
    clock.now += timedelta(seconds=1)
    assert store.find(text) is None
    assert not store.usable()
    assert store.all() == (key,)
    text, key = store.create("b", [Scope.READ])
    server = KeyStore(store.path.parent, clock)
    assert server.find(text) == key
    assert store.revoke(key.id) == key
    assert server.find(text) is None
    with pytest.raises(BadInput, match="no key"):
        store.revoke(key.id)


@pytest.mark.parametrize("name", ["", "x" * 61, "a\nb", "a\u202eb"])
def test_a_name_is_one_printable_line(store, name):
    with pytest.raises(BadInput, match="printable"):
        store.create(name, [Scope.READ])
    with pytest.raises(BadInput, match="scope"):
        store.create("a", [])


def test_every_key_is_compared_however_early_one_fits(store, monkeypatch):
    import hmac

    texts = [store.create("a", [Scope.READ])[0] for _ in range(4)]
    counts = []
    compare = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: counts.append(1) or compare(a, b))
    for text in [*texts, "wrong"]:
        counts.clear()
        store.find(text)
        assert len(counts) == 4


@pytest.mark.parametrize(
    "damage",
    [
        b"", b"{", b"[]", b"\xff", b'{"format": 2, "keys": []}', b'{"format": 1}',
        b'{"format": 1, "keys": [{}]}', b'{"format": 1, "keys": 3}',
        b'{"format":1,"keys":[{"id":"a","name":"a","digest":3,"scopes":[],"created":""}]}',
        b'{"format":1,"keys":[{"id":"a","name":"a","digest":"","scopes":["root"],"created":""}]}',
        b'{"format":1,"keys":[{"id":"a","name":"a","digest":"","scopes":[],"created":"",'
        b'"expires":"2030-01-01"}]}',
    ],
)  # fmt: skip
def test_a_damaged_file_lets_nobody_in(store, damage):
    text, _ = store.create("a", [Scope.READ])
    store.path.write_bytes(damage)
    with pytest.raises(KeysDamaged, match=r"keys\.json"):
        store.find(text)


@examples(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_read(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(KeysDamaged):
        KeyStore(tmp_path).all()


@examples(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=300))
def test_any_text_is_no_key(tmp_path, text):
    store = KeyStore(tmp_path)
    if not store.all():
        store.create("a", [Scope.READ])
    assert store.find(text) is None


def test_keys_made_at_the_same_time_are_all_kept(tmp_path):
    def make():
        for _ in range(5):
            KeyStore(tmp_path).create("a", [Scope.READ])

    threads = [threading.Thread(target=make) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    found = KeyStore(tmp_path).all()
    assert len({k.id for k in found}) == 20
    assert all(a.created <= b.created for a, b in pairwise(found))


def wenju(*args, home, **env):
    command = [sys.executable, "-m", "api.cli", *args, "--home", str(home)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, **env}, check=False
    )


def test_the_command_makes_lists_and_revokes(tmp_path):
    made = wenju("keys", "create", "desk", "--scope", "write", "--days", "3", home=tmp_path)
    text = made.stdout.strip()
    assert text.startswith("wenju_")
    assert "cannot be shown again" in made.stderr
    listed = wenju("keys", "list", "--json", home=tmp_path)
    assert text not in listed.stdout
    key = json.loads(listed.stdout)["keys"][0]
    assert (key["name"], key["scopes"]) == ("desk", ["write"])
    assert KeyStore(tmp_path).find(text).digest not in listed.stdout
    assert key["id"] in wenju("keys", "list", home=tmp_path).stdout
    assert wenju("keys", "revoke", key["id"], home=tmp_path).returncode == 0
    assert KeyStore(tmp_path).all() == ()


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (["keys", "create", "a", "--scope", "root"], 2, "read, write or admin"),
        (["keys", "create", ""], 1, "printable"),
        (["keys", "revoke", "0000"], 1, "wenju keys list"),
        (["serve", "--host", "0.0.0.0", "--port", "0"], 1, "wenju keys create"),
        (["mcp", "--http", "--host", "0.0.0.0"], 1, "loopback address only"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(tmp_path, args, status, said):
    done = wenju(*args, home=tmp_path)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (status, 1), done.stderr
    assert said in done.stderr


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("127.0.0.1", False), ("localhost", False), ("::1", False), ("127.8.8.8", False),
        ("0.0.0.0", True), ("::", True), ("192.168.1.5", True), ("example.org", True), ("", True),
    ],
)  # fmt: skip
def test_keys_are_asked_for_wherever_others_can_reach(tmp_path, host, asked):
    settings = load(home=tmp_path, host=host)
    assert settings.keys_asked == asked
    assert load(home=tmp_path, host=host, require_keys=True).keys_asked
    if asked:
        with pytest.raises(BadInput, match="no valid API key"):
            access.check(settings)
        KeyStore(tmp_path).create("a", [Scope.READ])
    access.check(settings)

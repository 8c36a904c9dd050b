"""One line an event, nothing forged into it, and no secret in it or anywhere else."""

import io
import json
import logging
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from scripted_llm import ScriptedModel
from starlette.testclient import TestClient

from api.app import create_app
from api.doctor import examine
from api.keys import KeyStore, Scope
from api.logs import HIDDEN, JsonLines
from api.settings import SettingsError, load

TEXT = "# 试验田\n\n本报记者 王一\n\n今年全县建成试验田三十二块。\n"
HOSTILE = '甲\n{"event":"audit"}\r\x1b[31m\u202eabc\u2028\u2029\x00\x7f\x85\u2066乙'
SECRET = "canary-of-the-model-server"  # noqa: S105 a canary


def record(**extra):
    made = logging.makeLogRecord({"name": "wenju", "levelname": "INFO", "msg": "event"})
    vars(made).update(extra)
    return made


@examples(max_examples=40)
@given(st.text(), st.text(min_size=1), st.text())
def test_a_record_is_one_printable_line_of_json(message, name, value):
    line = JsonLines().format(
        record(msg=message.replace("%", "%%"), args=(), **{f"x{name}": value})
    )
    assert line.isascii()
    assert line.isprintable()
    assert isinstance(json.loads(line), dict)


@examples(max_examples=40)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_whatever_a_field_holds_is_written(value):
    json.loads(JsonLines().format(record(field=value)))


def test_hostile_text_stays_one_field():
    line = JsonLines().format(record(field=HOSTILE))
    assert json.loads(line)["field"] == HOSTILE
    assert set(json.loads(line)) == {"time", "level", "logger", "event", "field"}


@pytest.mark.parametrize(
    "text",
    [
        "key wenju_" + "a" * 43,
        "Authorization: Bearer abc.def",
        "{'authorization': 'bearer abc.def'}",
        f"http://u:{SECRET}@host/v1",
    ],
)
def test_secrets_are_never_written(text):
    for value in (text, [text], {"a": {"b": text}}, {text: 1}, ValueError(text)):
        line = JsonLines([SECRET, ""]).format(record(field=value))
        assert HIDDEN in line
        assert not any(s in line for s in ("aaaaaaaa", "abc.def", SECRET))
    assert HIDDEN in JsonLines([SECRET]).format(record(msg=text))


def test_a_long_value_is_cut():
    assert len(JsonLines().format(record(field="x" * 10**6))) < 5000


@pytest.fixture
def log():
    """The log of the application as a server writes it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines([SECRET]))
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # the tests' own client
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def events(log, name):
    found = [json.loads(line) for line in log.getvalue().splitlines()]
    return [e for e in found if e["event"] == name]


@pytest.fixture
def make_client(make_pipeline, tmp_path, cache):
    def make(**options):
        settings = load(home=tmp_path / "home", cache=cache, **options)
        generator = settings.config().generator
        pipeline = make_pipeline(generator=generator)
        app = create_app(settings, pipeline)
        return TestClient(app, "http://127.0.0.1", raise_server_exceptions=False)

    return make


def test_every_write_leaves_an_audit_line(make_client, log, tmp_path):
    client = make_client(require_keys=True)
    store = KeyStore(tmp_path / "home")
    text, key = store.create("importer", [Scope.WRITE, Scope.READ])
    headers = {"Authorization": f"Bearer {text}", "X-Request-ID": "req-1"}
    added = client.post("/v1/articles", json={"name": "a.md", "text": TEXT}, headers=headers)
    article = added.json()["files"][0]["articles"][0]
    client.post("/v1/articles", json={"name": "b.md", "text": TEXT})  # no key
    client.delete(f"/v1/articles/{article}", headers=headers)
    verdict = {"answer_id": "a1", "question": "q", "answer": "a", "verdict": "down", "comment": "c"}
    client.post("/v1/feedback", json=verdict, headers=headers)
    client.delete("/v1/feedback/a1", headers=headers)
    client.post("/v1/search", json={"question": "试验田"}, headers=headers)
    client.get("/v1/articles", headers=headers)
    lines = events(log, "audit")
    assert [(e["method"], e["path"], e["status"], e["key"]) for e in lines] == [
        ("POST", "/v1/articles", 200, key.id),
        ("POST", "/v1/articles", 401, None),
        ("DELETE", f"/v1/articles/{article}", 200, key.id),
        ("POST", "/v1/feedback", 200, key.id),
        ("DELETE", "/v1/feedback/a1", 200, key.id),
    ]
    assert lines[0]["first_articles"] == [article]
    assert lines[0]["files"] == {"added": 1}
    assert (lines[3]["answer"], lines[3]["verdict"]) == ("a1", "down")
    assert {e["request_id"] for e in (lines[0], *lines[2:])} == {"req-1"}
    assert {e["client"] for e in lines} == {"testclient"}
    assert len(events(log, "request")) == 7


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "é", "{}", "a\tb", "../a"])
def test_a_request_id_is_taken_only_if_well_formed(make_client, log, given):
    headers = {"X-Request-ID": given.encode()}
    got = make_client().get("/healthz", headers=headers).headers["x-request-id"]
    assert len(got) == 32
    assert events(log, "request")[0]["request_id"] == got
    assert (
        make_client().get("/", headers={"X-Request-ID": "a-Z_9"}).headers["x-request-id"] == "a-Z_9"
    )


def test_questions_are_logged_only_where_the_settings_say_so(make_client, log):
    asked = "全县建成试验田多少块？"
    for options in ({}, {"log_questions": True}):
        client = make_client(**options)
        client.post("/v1/articles", json={"name": "a.md", "text": TEXT})
        for path, body in (
            ("/v1/ask", {"question": asked}),
            ("/v1/ask", {"question": asked, "stream": True}),
            ("/v1/search", {"question": asked}),
            ("/v1/ask", {"question": asked * 60}),
            ("/v1/ask", {"question": asked, "wrong": 1}),
            ("/v1/chat/completions", {"messages": [{"role": "user", "content": asked}]}),
        ):
            client.post(path, json=body)
        client.get("/v1/articles", params={"q": asked})
        said = [e.get("question") for e in events(log, "answered")]
        assert said == ([asked] * 3 if options else [None] * 3)
        lines = [json.loads(line) for line in log.getvalue().splitlines()]
        text = json.dumps(lines, ensure_ascii=False)
        assert (asked in text) == bool(options)
        log.seek(0)
        log.truncate()


def test_hostile_questions_and_paths_stay_one_line_an_event(make_client, log):
    client = make_client(log_questions=True)
    client.post("/v1/articles", json={"name": f"{HOSTILE}.md", "text": TEXT})
    client.post("/v1/ask", json={"question": f"试验田{HOSTILE}"})
    client.get("/v1/articles/a%0A%7B%22event%22:%22audit%22%7D%E2%80%AE")
    client.delete("/v1/articles/a%0D%0Ax")
    for line in log.getvalue().splitlines():
        assert line.isprintable()
        json.loads(line)
    assert [e["status"] for e in events(log, "audit")] == [200, 404]
    assert len(events(log, "request")) == 4


def test_a_secret_is_told_nowhere(make_client, log, tmp_path, models, capsys):
    """The model server's key and an API key: in no log, answer, error, figure, page or report."""
    with ScriptedModel(["<status 401>"]) as model:
        options = {"llm_base_url": model.base_url, "llm_model": "m", "llm_api_key": SECRET}
        client = make_client(require_keys=True, **options)
        store = KeyStore(tmp_path / "home")
        text, key = store.create("a", list(Scope))
        told = []
        for given in (text, text[:-1] + "A", "wenju_" + SECRET):
            headers = {"Authorization": f"Bearer {given}"}
            answers = [
                client.post("/v1/articles", json={"name": "a.md", "text": TEXT}, headers=headers),
                client.post("/v1/ask", json={"question": "建成试验田多少块？"}, headers=headers),
                client.post("/v1/ask", content=b"{" + given.encode(), headers=headers),
                client.post("/v1/ask", json={given: 1}, headers={"Authorization": given}),
                client.post("/v1/chat/completions", json={"model": "x"}, headers=headers),
                *(
                    client.get(path, headers=headers)
                    for path in ("/", "/metrics", "/readyz", "/healthz", "/openapi.json", "/v1/no")
                ),
            ]
            told += [a.text + str(a.headers) for a in answers]
        assert model.requests  # the key was used,
        assert model.headers[0]["authorization"] == f"Bearer {SECRET}"
        settings = load(home=tmp_path / "home", cache=models, **options)
        told += [log.getvalue(), repr(settings), repr(settings.config()), str(settings)]
        told += [str(f.json()) for f in examine(settings)]
        told += list(capsys.readouterr())
        with pytest.raises(SettingsError) as refused:
            load(**{**options, "llm_base_url": f"http://u:{SECRET}@h/v1"})
        told.append(str(refused.value))
    for piece in told:
        assert SECRET not in piece
        assert text not in piece
        assert store.find(text).digest not in piece
    assert key.id in log.getvalue()


def test_the_server_writes_such_lines(tmp_path):
    code = "import logging; from api import logs; logs.begin(['hush']); " + (
        "logging.getLogger('a').info('x\\ny', extra={'b': 'hush'}); "
        "logging.getLogger('httpx').info('GET http://host')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(e["event"], e["b"]) for e in lines] == [("x\ny", HIDDEN)]

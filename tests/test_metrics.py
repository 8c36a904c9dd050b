"""The figures at /metrics, readiness and traces."""

import json
import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families
from scripted_llm import ScriptedModel
from starlette.testclient import TestClient

from api import tracing
from api.app import create_app
from api.settings import load
from rag.errors import BadInput
from rag.writing import _FELL_BACK, _REASONS, fell_back

TEXT = "# 试验田\n\n本报记者 王一\n\n今年全县建成试验田三十二块。\n"
ASKED = "全县建成试验田多少块？"


@pytest.fixture
def make_client(make_pipeline, tmp_path, cache):
    def make(tracer=None, **options):
        settings = load(home=tmp_path / "home", cache=cache, **options)
        made = make_pipeline(generator=settings.config().generator)
        app = create_app(settings, made, tracer)
        client = TestClient(app, "http://127.0.0.1", raise_server_exceptions=False)
        client.pipeline = made
        return client

    return make


def figures(client):
    """Each figure by its name and labels."""
    text = client.get("/metrics").text
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_requests_answers_and_sizes_are_counted(make_client):
    client = make_client()
    client.post("/v1/articles", json={"name": "a.md", "text": TEXT})
    client.post("/v1/ask", json={"question": ASKED})
    client.post("/v1/ask", json={"question": ASKED, "stream": True})
    client.post("/v1/ask", json={"question": "谁发明了蒸汽机车的避雷装置？"})
    client.post("/v1/ask", json={"question": ""})
    client.get("/v1/articles/one")
    client.get("/v1/articles/two")
    client.get("/nothing/here")
    client.get("/static/main.js")
    client.request("BREW", "/v1/ask")
    found = figures(client)
    assert found["wenju_requests_total", "/v1/ask", "200", "POST"] == 3
    assert found["wenju_requests_total", "/v1/ask", "400", "POST"] == 1
    assert found["wenju_requests_total", "/v1/articles/{article_id}", "404", "GET"] == 2
    assert found["wenju_requests_total", "404", "GET", "other"] == 1
    assert found["wenju_requests_total", "/static", "200", "GET"] == 1
    assert [k for k in found if k[0] == "wenju_requests_total" and "BREW" in k] == []
    assert found["wenju_request_seconds_count", "/v1/ask"] >= 4
    assert found["wenju_answers_total", "answered"] == 2
    assert found["wenju_answers_total", "no_evidence"] == 1
    assert found["wenju_step_seconds_count", "retrieve"] == 3
    assert found["wenju_sentences_total", "verbatim"] == 2
    assert found["wenju_sentences_total", "unsupported"] == 0
    assert found["wenju_index_generation",] == client.pipeline.snapshot().generation
    assert found["wenju_passages",] == 1
    assert found["wenju_corpus_articles",] == 1
    assert found["wenju_home_bytes",] > 1000
    assert found["wenju_archive_readable",] == 1
    assert found["wenju_queue_jobs", "questions"] == 0


def test_what_a_model_does_wrong_is_counted(make_client):
    proved, invented = "今年全县建成试验田三十二块[1]。", "另有九十九块在邻县[1]。"
    acts = (["<status 400>"], [proved, invented])
    with ScriptedModel(*acts) as model:
        client = make_client(llm_base_url=model.base_url, llm_model="m")
        client.post("/v1/articles", json={"name": "a.md", "text": TEXT})
        client.post("/v1/ask", json={"question": ASKED})
        first = figures(client)
        client.post("/v1/ask", json={"question": ASKED})
        second = figures(client)
    assert first["wenju_model_errors_total", "refused"] == 1
    assert first["wenju_sentences_total", "unsupported"] == 0
    assert second["wenju_model_errors_total", "refused"] == 1
    assert second["wenju_sentences_total", "unsupported"] == 1
    assert second["wenju_step_seconds_count", "generate"] == 2


def test_every_way_of_falling_back_is_told_apart():
    for language, reasons in _REASONS.items():
        for reason, why in reasons.items():
            notice = _FELL_BACK[language].format(why=why)
            assert fell_back(["another", notice]) == reason
    assert fell_back([]) is None
    assert fell_back(["another"]) is None


def test_callers_cannot_make_the_number_of_figures_grow(make_client):
    client = make_client()
    for n in range(30):
        client.get(f"/v1/articles/{n}")
        client.get(f"/{n}")
        client.request(f"M{n}", f"/v1/models/{n}")
    names = {k for k in figures(client) if k[0] == "wenju_requests_total"}
    assert len(names) <= 5, names


def test_an_archive_that_cannot_be_read_is_a_figure(make_client):
    client = make_client()
    client.post("/v1/articles", json={"name": "a.md", "text": TEXT})
    broken = make_client()
    for segment in (broken.pipeline.config.home / "index").rglob("*"):
        if segment.is_file():
            segment.write_bytes(b"damaged")
    found = figures(broken)
    assert found["wenju_archive_readable",] == 0
    assert ("wenju_passages",) not in found


def test_ready_means_that_a_question_was_answered(make_client):
    client = make_client()
    assert client.get("/readyz").json()["passages"] == 0
    client.post("/v1/articles", json={"name": "a.md", "text": TEXT})
    assert client.get("/readyz").json()["passages"] == 1
    other = make_client()
    other.pipeline.encoder().fingerprint = "another model"
    refused = other.get("/readyz")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "model_mismatch")
    assert other.get("/healthz").status_code == 200
    other.pipeline.encoder().fingerprint = client.pipeline.encoder().fingerprint
    assert other.get("/readyz").status_code == 200


def test_readiness_is_looked_at_once_however_many_probes(make_client):
    client = make_client()
    client.post("/v1/articles", json={"name": "a.md", "text": TEXT})
    encoded = client.pipeline.encoder().encoded
    client.get("/readyz")
    before = len(encoded)
    assert [client.get("/readyz").status_code for _ in range(20)] == [200] * 20
    assert len(encoded) == before


@pytest.fixture
def spans():
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider, exporter


def test_a_request_is_a_span_and_its_steps_are_in_it(make_client, spans):
    provider, exporter = spans
    client = make_client(tracing.Tracer(provider))
    client.post("/v1/articles", json={"name": "a.md", "text": TEXT})
    exporter.clear()
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    headers = {"traceparent": f"00-{trace}-{parent}-01", "X-Request-ID": "mine"}
    for stream in (False, True):
        client.post("/v1/ask", json={"question": ASKED, "stream": stream}, headers=headers)
        found = {s.name: s for s in exporter.get_finished_spans()}
        root = found.pop("POST /v1/ask")
        assert f"{root.context.trace_id:032x}" == trace
        assert f"{root.parent.span_id:016x}" == parent
        assert root.attributes["http.response.status_code"] == 200
        assert root.attributes["wenju.request_id"] == "mine"
        assert root.attributes["wenju.status"] == "answered"
        assert set(found) == {"wenju.encode", "wenju.retrieve", "wenju.answer", "wenju.cite"}
        assert {s.parent.span_id for s in found.values()} == {root.context.span_id}
        assert all(s.start_time <= s.end_time <= root.end_time for s in found.values())
        said = json.dumps([s.to_json() for s in (root, *found.values())])
        assert "试验田" not in json.loads(said.replace("\\\\u", "\\u"))[0] + said
        exporter.clear()


def test_an_error_is_on_the_span(make_client, spans):
    provider, exporter = spans
    client = make_client(tracing.Tracer(provider), require_keys=True)
    client.get("/v1/facets")
    span = exporter.get_finished_spans()[0]
    assert span.attributes["http.response.status_code"] == 401
    assert client.get("/nothing").status_code == 401


def test_traces_go_nowhere_unless_asked_for(monkeypatch):
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    assert tracing.configured() is None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert tracing.configured() is None
    monkeypatch.delenv("OTEL_SDK_DISABLED")
    tracer = tracing.configured()
    assert isinstance(tracer, tracing.Tracer)
    tracer.close()
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(BadInput, match=r"wenju\[otel\]"):
        tracing.configured()


def test_without_traces_the_sdk_is_not_loaded():
    code = "import sys, api.server; print([m for m in sys.modules if 'opentelemetry.sdk' in m])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"

"""What every request passes through: names, origins, keys and scopes, rates, sizes, headers."""

import json

import pytest
from starlette.testclient import TestClient

from api.access import needed
from api.app import create_app
from api.keys import KeyStore, Scope
from api.settings import load

ADDRESS = "http://127.0.0.1:8000"
TEXT = "# 试验田\n\n本报记者 王一\n\n今年全县建成试验田三十二块。\n"

# Every route and what it asks for; a route that is missing here fails the test below.
ROUTES = {
    ("GET", "/"): None,
    ("GET", "/articles/{article_id}"): None,
    ("GET", "/static/main.js"): None,
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
    ("POST", "/v1/ask"): "read",
    ("POST", "/v1/search"): "read",
    ("GET", "/v1/examples"): "read",
    ("GET", "/v1/articles"): "read",
    ("GET", "/v1/facets"): "read",
    ("GET", "/v1/articles/{article_id}"): "read",
    ("GET", "/v1/articles/{article_id}/scan"): "read",
    ("POST", "/v1/articles"): "write",
    ("DELETE", "/v1/articles/{article_id}"): "write",
    ("POST", "/v1/feedback"): "read",
    ("DELETE", "/v1/feedback/{answer_id}"): "read",
    ("GET", "/v1/feedback"): "admin",
    ("GET", "/v1/models"): "read",
    ("GET", "/v1/models/{name}"): "read",
    ("POST", "/v1/chat/completions"): "read",
    ("GET", "/metrics"): "admin",
    ("GET", "/docs"): "read",
    ("GET", "/openapi.json"): "read",
}


@pytest.fixture
def make_client(pipeline, cache):
    def make(address=ADDRESS, client=("127.0.0.1", 50000), **options):
        settings = load(home=pipeline.config.home, cache=cache, **options)
        app = create_app(settings, pipeline)
        return TestClient(app, address, raise_server_exceptions=False, client=client)

    return make


@pytest.fixture
def keys(pipeline):
    """A header for each scope."""
    store = KeyStore(pipeline.config.home)
    return {
        scope.value: {"Authorization": f"Bearer {store.create(scope.value, [scope])[0]}"}
        for scope in Scope
    }


def code(response):
    return response.json()["error"]["code"]


def test_the_table_above_holds_every_route(make_client):
    client = make_client()
    described = {
        (method.upper(), path)
        for path, methods in client.get("/openapi.json").json()["paths"].items()
        for method in methods
    }
    mounted = {
        (method, route.path)
        for route in client.app.routes
        for method in (getattr(route, "methods", None) or ())
        if not route.path.startswith(("/docs/", "/static", "/fastapi"))
    }
    known = set(ROUTES) - {("GET", "/static/main.js")}
    assert described <= known
    assert {(m, p) for m, p in mounted if m != "HEAD"} - known == set()
    assert known <= described | mounted


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_each_route_takes_its_scope_and_no_other(make_client, keys, method, path):
    client = make_client(host="0.0.0.0")
    wanted = ROUTES[method, path]
    assert needed(method, path) == wanted

    def got(headers):
        body = {"json": {}} if method == "POST" else {}
        response = client.request(
            method, path.replace("{", "").replace("}", ""), headers=headers, **body
        )
        return response.status_code

    allowed = {name: got(headers) not in (401, 403) for name, headers in keys.items()}
    assert allowed == {name: wanted in (None, name) for name in keys}
    bare = client.request(method, path)
    assert (bare.status_code == 401) == (wanted is not None)
    if wanted:
        assert code(bare) == "unauthorized"
        assert bare.headers["www-authenticate"].startswith("Bearer")
        assert got({"Authorization": "Bearer wenju_" + "a" * 43}) == 401


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/anything/new", "read"),
        ("POST", "/anything/new", "write"),
        ("PUT", "/v1/ask", "write"),
        ("PATCH", "/", "write"),
        ("DELETE", "/v1/feedback", "write"),
        ("HEAD", "/metrics", "admin"),
        ("HEAD", "/", None),
        ("POST", "/v1/ask/", "write"),
        ("POST", "/healthz", "write"),
        ("POST", "/static/main.js", "write"),
    ],
)
def test_a_route_that_nobody_thought_of_is_not_open(method, path, scope):
    assert needed(method, path) == scope


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "wenju_x", "Bearer é"])
def test_other_authorization_is_none(make_client, keys, header):
    client = make_client(require_keys=True)
    headers = {"Authorization": header.encode()}
    assert client.get("/v1/facets", headers=headers).status_code == 401


def test_a_revoked_key_is_refused_at_the_next_request(make_client, keys, pipeline):
    client = make_client(require_keys=True)
    assert client.get("/v1/facets", headers=keys["read"]).status_code == 200
    store = KeyStore(pipeline.config.home)
    store.revoke(next(k.id for k in store.all() if k.name == "read"))
    assert client.get("/v1/facets", headers=keys["read"]).status_code == 401


def test_damaged_keys_let_nobody_in(make_client, keys, pipeline):
    client = make_client(require_keys=True)
    KeyStore(pipeline.config.home).path.write_text("{")
    refused = client.get("/v1/facets", headers=keys["read"])
    assert (refused.status_code, code(refused)) == (503, "keys_damaged")
    assert client.get("/").status_code == 200


def test_readiness_tells_a_stranger_nothing_of_the_archive(make_client, keys):
    client = make_client(require_keys=True)
    assert client.get("/readyz").json() == {"status": "ready"}
    assert client.get("/readyz", headers=keys["read"]).json()["passages"] == 0


def test_openai_clients_are_told_in_their_own_shape(make_client):
    error = make_client(require_keys=True).get("/v1/models").json()["error"]
    assert (error["code"], error["type"]) == ("unauthorized", "invalid_request_error")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200), ("localhost", 200), ("LOCALHOST:1", 200), ("[::1]:8000", 200),
        ("evil.example", 400), ("127.0.0.1.evil.example", 400), ("localhost:8000.evil", 400),
        ("", 400), ("[::1", 400), ("evil.example:8000", 400), ("localhost.", 400),
    ],
)  # fmt: skip
def test_a_name_that_leads_here_by_dns_alone_is_refused(make_client, host, status):
    response = make_client().get("/v1/facets", headers={"Host": host})
    assert response.status_code == status, response.text
    if status == 400:
        assert code(response) == "bad_host"


def test_the_names_of_the_settings_are_answered(make_client, keys):
    client = make_client(allowed_hosts="wenju.example")
    assert client.get("/v1/facets", headers={"Host": "Wenju.example:443"}).status_code == 200
    open_one = make_client(host="0.0.0.0")
    named = {**keys["read"], "Host": "any.example"}
    assert open_one.get("/v1/facets", headers=named).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": ADDRESS}, 200),
        ({"Origin": "http://127.0.0.1:8001"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_pages_of_other_sites_cannot_write(make_client, headers, status):
    client = make_client()
    body = json.dumps({"name": "a.md", "text": TEXT})
    plain = {"Content-Type": "text/plain", **headers}  # what needs no preflight
    assert client.post("/v1/articles", content=body, headers=plain).status_code == status
    assert client.get("/v1/articles").json()["total"] == (status == 200)
    assert client.get("/v1/facets", headers=headers).status_code == 200


def test_other_sites_may_read_only_where_the_settings_name_them(make_client):
    origin = {"Origin": "https://desk.example"}
    asked = {**origin, "Access-Control-Request-Method": "POST"}
    closed = make_client()
    assert "access-control-allow-origin" not in closed.get("/v1/facets", headers=origin).headers
    assert "access-control-allow-origin" not in closed.options("/v1/ask", headers=asked).headers
    client = make_client(cors_origins="https://desk.example", require_keys=True)
    allowed = client.options(
        "/v1/ask", headers={**asked, "Access-Control-Request-Headers": "authorization"}
    )
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://desk.example"
    assert "access-control-allow-credentials" not in allowed.headers
    other = client.get("/healthz", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers
    posted = make_client(cors_origins="https://desk.example").post(
        "/v1/search", json={"question": "a"}, headers=origin
    )
    assert posted.status_code == 200


def test_a_key_that_asks_too_often_waits(make_client, keys):
    client = make_client(require_keys=True, rate_key=3)
    statuses = [client.get("/v1/facets", headers=keys["read"]).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    refused = client.get("/v1/facets", headers=keys["read"])
    assert code(refused) == "rate_limited"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert client.get("/v1/feedback", headers=keys["admin"]).status_code == 200
    assert client.get("/healthz", headers=keys["read"]).status_code == 200


def test_guessing_keys_is_limited_by_address(make_client, keys):
    client = make_client(require_keys=True, rate_address=3, client=("203.0.113.7", 1))
    wrong = {"Authorization": "Bearer wenju_guess"}
    assert [client.get("/v1/facets", headers=wrong).status_code for _ in range(4)] == [401] * 3 + [
        429
    ]
    assert client.get("/v1/facets", headers=keys["read"]).status_code == 200


def test_programs_on_the_same_machine_are_not_limited_by_default(tmp_path):
    assert load(home=tmp_path).rate_of_address == 0
    assert load(home=tmp_path, host="0.0.0.0").rate_of_address == 1200
    assert load(home=tmp_path, rate_address=5).rate_of_address == 5


def statuses(client, forwarded, count=3):
    return [
        client.get("/v1/facets", headers={"X-Forwarded-For": forwarded(n)}).status_code
        for n in range(count)
    ]


def test_a_forged_forwarded_for_changes_nothing(make_client):
    client = make_client(rate_address=2, client=("203.0.113.7", 1))
    assert statuses(client, lambda n: f"198.51.100.{n}") == [200, 200, 429]


def test_behind_a_named_proxy_its_clients_are_counted(make_client):
    def proxied():
        return make_client(rate_address=2, trusted_proxies="10.0.0.0/8", client=("10.1.2.3", 1))

    assert statuses(proxied(), lambda n: f"198.51.100.{n}") == [200, 200, 200]
    # what the client itself wrote stands before what the proxy added
    assert statuses(proxied(), lambda n: f"1.1.1.{n}, 203.0.113.7") == [200, 200, 429]
    assert statuses(proxied(), lambda n: f"1.1.1.{n}, 203.0.113.7, 10.9.9.9") == [200, 200, 429]
    assert statuses(proxied(), lambda n: f"2001:db8::{n + 1:x}") == [200, 200, 429]


def test_a_body_that_is_too_long_is_not_read(make_client):
    client = make_client(max_upload_mb=1)
    chunks = (b"x" * 65536 for _ in range(20))  # its length is told nowhere
    refused = client.post("/v1/ask", content=chunks)
    assert (refused.status_code, code(refused)) == (413, "too_large")
    told = {"Content-Length": str(10**12)}
    refused = client.post("/v1/ask", content=b"{}", headers=told)
    assert (refused.status_code, code(refused)) == (413, "too_large")
    refused = client.post("/v1/articles", content=b"x" * (2**20 + 1))
    assert (refused.status_code, code(refused)) == (413, "too_large")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/ask", {"question": "a", "history": [{"question": "b"}] * 51}),
        ("/v1/ask", {"question": "a", "history": [{"question": "b" * 4097}]}),
        ("/v1/ask", {"question": "a", "history": [{"question": "b", "answer": "c" * 65537}]}),
        ("/v1/ask", {"question": "字" * 513}),
        ("/v1/search", {"question": "a", "top_k": 51}),
        ("/v1/search", {"question": "a", "filters": {"authors": ["b"] * 51}}),
        ("/v1/search", {"question": "a", "filters": {"authors": ["b" * 501]}}),
        ("/v1/search", {"question": "a", "filters": {"article_ids": ["b" * 65]}}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "a"}] * 201}),
        ("/v1/feedback", {"answer_id": "a", "question": "a" * 4097, "answer": "", "verdict": "up"}),
    ],
)  # fmt: skip
def test_everything_that_is_sent_has_a_limit(make_client, path, body):
    assert make_client().post(path, json=body).status_code in (400, 422)


@pytest.mark.parametrize("path", ["/", "/v1/facets", "/nothing", "/static/main.js", "/docs"])
def test_security_headers_stand_on_every_answer(make_client, path):
    for client in (make_client(), make_client(require_keys=True)):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert ("unsafe" in headers["content-security-policy"]) == (path == "/docs")
        assert "server" not in headers


def test_an_unforeseen_error_carries_them_too(make_client, pipeline):
    pipeline.corpus.get = None
    response = make_client().get("/v1/articles/any", headers={"X-Request-ID": "mine-1"})
    assert response.status_code == 500
    assert response.headers["x-request-id"] == response.json()["error"]["request_id"] == "mine-1"
    assert response.headers["x-content-type-options"] == "nosniff"


def test_a_wrong_method_is_told_all_the_right_ones(make_client):
    client = make_client()
    assert client.put("/v1/articles").headers["allow"] == "GET, POST"
    assert client.put("/v1/articles/a").headers["allow"] == "DELETE, GET"
    assert client.put("/v1/ask").headers["allow"] == "POST"

"""Serves the chat page with a scripted archive, for what a real server does not do on request:
streams that break off, late errors, slow answers, hostile text, an empty archive.

`python tests/stub_server.py PORT` serves it for looking at the page by hand.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from stub_archive import ARTICLES, Json, facets, head, preview, scripted

STATIC = Path(__file__).resolve().parent.parent / "api" / "static"
POLICY = (
    "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'"
)
KINDS = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".html": "text/html",
}


class Stub(ThreadingHTTPServer):
    """The server and what the tests look at afterwards.

    Attributes:
        articles: what the archive holds now.
        asked: the bodies of POST /v1/ask, in order.
        uploaded: names of the files that were sent to be kept.
        previewed: names of the files that were sent to be looked at.
        feedback: bodies of POST /v1/feedback, by answer.
        listed: the parameters of GET /v1/articles, in order.
        key: what the API is asked with, or None where it is open.
        go_on: "slow" questions wait for it between their words.
        gone: set when a browser hung up during a stream.
    """

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.reset()

    def reset(self) -> None:
        """As freshly started."""
        self.articles: list[Json] = list(ARTICLES)
        self.asked: list[Json] = []
        self.uploaded: list[str] = []
        self.previewed: list[str] = []
        self.feedback: dict[str, Json] = {}
        self.listed: list[dict[str, list[str]]] = []
        self.key: str | None = None
        self.go_on = threading.Event()
        self.gone = threading.Event()

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Stub
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Quiet: what the tests need is in `Stub`."""

    def _refused(self) -> bool:
        """Whether a request came without the key that is wanted; it is then answered."""
        wanted = self.server.key
        if wanted is None or self.headers["Authorization"] == f"Bearer {wanted}":
            return False
        self._error(401, "unauthorized", "A key is needed.")
        return True

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path.startswith("/v1/") and self._refused():
            return
        query = {k: v[0] for k, v in parse_qs(url.query).items()}
        if url.path == "/" or url.path.startswith("/articles/"):
            self._file(STATIC / "index.html")
        elif url.path.startswith("/static/") and (STATIC / url.path[8:]).is_file():
            self._file(STATIC / url.path[8:])
        elif url.path == "/v1/articles":
            self.server.listed.append(parse_qs(url.query))
            self._list(query)
        elif url.path == "/v1/facets":
            self._json(facets(self.server.articles))
        elif url.path == "/readyz":
            state = {"status": "ready", "generation": 12, "passages": 1234, "model": "scripted"}
            self._json({**state, "articles": len(self.server.articles)})
        elif url.path.startswith("/v1/articles/"):
            self._article(url.path.rpartition("/")[2])
        elif url.path == "/v1/examples":
            zh = ["老楼装电梯的钱由谁来出？", "电梯首批装了几部？", "补助标准是哪一年定的？"]
            en = ["Who pays for the lifts?", "What do residents on the ground floor pay?"]
            self._json({"questions": zh if query.get("language") == "zh" else en})
        else:
            self._error(404, "not_found", "There is nothing at this address.")

    def do_DELETE(self) -> None:
        if self._refused():
            return
        wanted = self.path.rpartition("/")[2]
        if self.path.startswith("/v1/feedback/"):
            withdrawn = self.server.feedback.pop(wanted, None) is not None
            self._json({"answer_id": wanted, "withdrawn": withdrawn})
            return
        self.server.articles = [a for a in self.server.articles if a["id"] != wanted]
        self._json({"deleted": wanted})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self._refused():
            return
        if self.path == "/v1/ask":
            self._ask(json.loads(body))
            return
        if self.path == "/v1/feedback":
            given = json.loads(body)
            if "refused" in given["comment"]:
                self._error(503, "home_unusable", "The disk is full.")
                return
            self.server.feedback[given["answer_id"]] = given
            self._json(given)
            return
        name = body.split(b'filename="')[1].split(b'"')[0].decode()
        dry_run = b'name="dry_run"\r\n\r\ntrue' in body
        (self.server.previewed if dry_run else self.server.uploaded).append(name)
        if name.startswith("bad"):
            why = "is not text (it holds NUL bytes); save it as UTF-8 text and add it again"
            self._error(422, "unreadable_file", f"{name}: {why}")
            return
        report = {"file": name, "outcome": "added", "articles": ["a1"], "passages": 4}
        if dry_run:
            report |= {"outcome": "preview", "articles": [preview(ARTICLES[0])], "passages": 0}
        elif self._find("a1") is None:
            self.server.articles = [ARTICLES[0], *self.server.articles]
        self._json({"files": [{**report, "reason": "", "notices": []}]})

    def _list(self, query: dict[str, str]) -> None:
        found = [
            head(a)
            for a in self.server.articles
            if query.get("q", "") in f"{a['title']}{a['source']}"
            and query.get("source", a["source"]) == a["source"]
            and query.get("language", a["language"]) == a["language"]
        ]
        first = int(query.get("offset", 0))
        page = found[first : first + int(query.get("limit", 50))]
        self._json({"articles": page, "total": len(found)})

    def _find(self, wanted: str) -> Json | None:
        return next((a for a in self.server.articles if a["id"] == wanted), None)

    def _article(self, wanted: str) -> None:
        found = self._find(wanted)
        if found:
            self._json(found)
        else:
            self._error(404, "not_found", f"There is no article {wanted}.")

    def _ask(self, body: Json) -> None:
        self.server.asked.append(body)
        question = body["question"]
        if "busy" in question:
            self._error(
                503, "overloaded", "Too many questions are waiting; try again in 2 seconds."
            )
            return
        result = scripted(question, len(body.get("history", [])))
        self._start(200, "application/jsonl")
        self.close_connection = True
        try:
            if self._stream(question, result):
                self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            self.server.gone.set()

    def _stream(self, question: str, result: Json) -> bool:
        """Says whether the stream ends in order."""
        self._event({"event": "status", "step": "retrieve"})
        self._event({"event": "passages", "passages": result["passages"]})
        self._event({"event": "status", "step": "generate" if "slow" in question else "answer"})
        for at in range(0, len(result["answer"]), 7):
            self._event({"event": "delta", "text": result["answer"][at : at + 7]})
            if "slow" in question:
                self._wait()
            if "cut" in question and at >= 14:
                self._chunk(b'{"event": "answer", "ans')  # and no more
                return "reset" not in question  # without the last chunk the browser sees an error
            if "broken" in question and at >= 14:
                told = {"code": "internal", "message": "x", "request_id": "r-42"}
                self._event({"event": "error", "error": told})
                return True
        self._event({"event": "answer", "answer": result})
        return True

    def _wait(self) -> None:
        """Until the test says go on; a browser that hangs up is noticed by writing to it."""
        for _ in range(400):
            if self.server.go_on.wait(0.05):
                return
            self._event({"event": "status", "step": "generate"})

    def _event(self, event: Json) -> None:
        # Cut in the middle of characters: the page has to put UTF-8 together again.
        line = json.dumps(event, ensure_ascii=False).encode() + b"\n"
        half = len(line) // 2
        self._chunk(line[:half])
        self._chunk(line[half:])

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _file(self, path: Path) -> None:
        data = path.read_bytes()
        self._start(200, KINDS[path.suffix] + "; charset=utf-8", len(data))
        self.wfile.write(data)

    def _json(self, value: Json, status: int = 200) -> None:
        data = json.dumps(value, ensure_ascii=False).encode()
        self._start(status, "application/json", len(data))
        self.wfile.write(data)

    def _error(self, status: int, code: str, message: str) -> None:
        told = {"code": code, "message": message, "request_id": "r-1"}
        self._json({"error": told}, status)

    def _start(self, status: int, kind: str, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()


if __name__ == "__main__":
    with Stub(int(sys.argv[1])) as stub:
        threading.Thread(target=stub.serve_forever, daemon=True).start()
        while True:
            time.sleep(3600)

"""A server that speaks OpenAI's chat protocol by a script, faults included."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ScriptedModel:
    """Plays one act for each request; the last is played again.

    An act is a list of steps: text to send as a piece, a number of seconds to wait, or one of
    "<cut>" (drop the connection), "<status 429>" (or another), "<html>", "<garbage>", "<empty>",
    "<endless>", "<length>" (end for length), "<no-end>" (end without a finish_reason).

    Attributes:
        requests: the bodies received, in order.
        hung_up: set when a client went away while it was being answered.
    """

    def __init__(self, *acts):
        self.acts = list(acts)
        self.requests = []
        self.headers = []
        self.hung_up = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                length = int(self.headers["content-length"])
                outer.headers.append(self.headers)
                outer.requests.append(json.loads(self.rfile.read(length)))
                act = outer.acts.pop(0) if len(outer.acts) > 1 else outer.acts[0]
                try:
                    outer.play(self, act)
                except (BrokenPipeError, ConnectionResetError):
                    outer.hung_up.set()
                self.close_connection = True

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

    def play(self, handler, act):
        act = list(act)
        while act and isinstance(act[0], (int, float)):
            time.sleep(act.pop(0))
        first = act[0] if act else ""
        if first.startswith("<status"):
            self.refuse(handler, *first.strip("<>").split()[1:])
        elif first == "<html>":
            self.begin(handler, "text/html")
            handler.wfile.write(b"<html><body>nginx</body></html>")
        elif first != "<cut>":
            self.begin(handler, "text/event-stream")
            self.stream(handler, act)

    def refuse(self, handler, status, after=None, message="scripted"):
        body = json.dumps({"error": {"message": message, "type": "scripted"}}).encode()
        handler.send_response(int(status))
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        if after:
            handler.send_header("Retry-After", after)
        handler.end_headers()
        handler.wfile.write(body)

    def begin(self, handler, kind):
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Connection", "close")
        handler.end_headers()

    def stream(self, handler, act):
        ended = "stop"
        for step in act:
            if isinstance(step, (int, float)):
                time.sleep(step)
            elif step == "<cut>":
                return
            elif step == "<garbage>":
                handler.wfile.write(b"data: {not json\n\n")
            elif step == "<empty>":
                self.send(handler, {"choices": []})
            elif step == "<endless>":
                while True:
                    self.piece(handler, "啊" * 50)
            elif step in ("<length>", "<no-end>"):
                ended = "length" if step == "<length>" else None
            else:
                self.piece(handler, step)
        if ended:
            self.send(handler, {"choices": [{"index": 0, "delta": {}, "finish_reason": ended}]})
        handler.wfile.write(b"data: [DONE]\n\n")

    def piece(self, handler, text):
        choice = {"index": 0, "delta": {"role": "assistant", "content": text}}
        self.send(handler, {"choices": [{**choice, "finish_reason": None}]})

    def send(self, handler, chunk):
        whole = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", **chunk}
        handler.wfile.write(f"data: {json.dumps(whole)}\n\n".encode())
        handler.wfile.flush()

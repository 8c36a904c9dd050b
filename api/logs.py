"""The log: one JSON object a line, whatever stands in it, and no secret in it.

Each request leaves one line `request`, each answer one line `answered` (ids and times; the question
only where the settings say so), and everything that could change the archive one line `audit`.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import time
from collections.abc import Iterable
from contextvars import ContextVar
from queue import SimpleQueue
from typing import Any, TextIO

from api.keys import PREFIX

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request at work; "" outside of one."""

AUDIT = "audit"
"""The event of whatever could change the archive."""

HIDDEN = "[secret]"
_KEY = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{16,}}")
_BEARER = re.compile(r"(?i)\bbearer +[^\s\"'\\,]+")
_LONGEST = 4000  # characters of one value; a traceback is longer only where something is recursive
_WAITING = 10_000  # lines that may wait to be written
_AT_ONCE = 500  # lines that are written by one call
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """One JSON object a line; what `extra` holds becomes fields.

    Everything but printable ASCII is escaped: no line break, terminal sequence or character that
    turns the direction of writing can get in.

    Args:
        secrets: texts that are never written, such as a server's password.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets = sorted((s for s in secrets if s), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        facts: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if name := request_id.get():
            facts["request_id"] = name
        facts |= {k: v for k, v in vars(record).items() if k not in _STANDARD}
        if record.exc_info:
            facts["error"] = self.formatException(record.exc_info)
        line = json.dumps(self._clean(facts), ensure_ascii=True)
        return line.replace("\x7f", "\\u007f")

    def _clean(self, value: Any) -> Any:  # noqa: ANN401 whatever a record holds
        """Without secrets, and cut where it is very long."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, dict):
            return {str(self._clean(str(k))): self._clean(v) for k, v in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(v) for v in value]
        text = str(value)
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        text = _BEARER.sub(HIDDEN, _KEY.sub(HIDDEN, text))
        return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


class Aside(logging.Handler):
    """Writes on a thread of its own, so that no request waits for whoever reads the log.

    Warnings and audit lines are waited for; when more lines wait than may, others are left out and
    counted in a line `log_lines_lost`.

    Args:
        stream: where lines go.
        patience: seconds that a warning or an audit line is waited for.
    """

    def __init__(self, stream: TextIO, patience: float = 1.0) -> None:
        super().__init__()
        self._stream, self._patience = stream, patience
        self._waiting: SimpleQueue[logging.LogRecord | threading.Event] = SimpleQueue()
        self._lost = 0
        threading.Thread(target=self._write, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record over."""
        urgent = record.levelno >= logging.WARNING or record.msg == AUDIT
        if not urgent and self._waiting.qsize() >= _WAITING:
            self._lost += 1
            return
        if name := request_id.get():
            record.request_id = name  # it is unknown on the other thread
        self._waiting.put(record)
        if urgent:
            self.flush()

    def flush(self) -> None:
        """Wait until all is written, but no longer than it is worth."""
        done = threading.Event()
        self._waiting.put(done)
        done.wait(self._patience)

    def _write(self) -> None:
        while True:
            batch = [self._waiting.get()]
            while len(batch) < _AT_ONCE and not self._waiting.empty():
                batch.append(self._waiting.get())
            if lost := self._lost:
                self._lost -= lost
                facts = {"name": __name__, "levelname": "WARNING", "msg": "log_lines_lost"}
                batch.insert(0, logging.makeLogRecord({**facts, "lines": lost}))
            records = [one for one in batch if isinstance(one, logging.LogRecord)]
            try:
                self._stream.write("".join(self.format(record) + "\n" for record in records))
                self._stream.flush()
            except (OSError, ValueError):  # nobody reads it any more, or it is closed
                self.handleError(logging.makeLogRecord({"msg": "the log cannot be written"}))
            for one in batch:
                if isinstance(one, threading.Event):
                    one.set()


def begin(secrets: Iterable[str] = ()) -> None:
    """Write the log to standard error, from INFO on; libraries' chatter from WARNING on.

    Args:
        secrets: texts that are never written.
    """
    handler = Aside(sys.stderr)
    handler.setFormatter(JsonLines(secrets))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for library in ("httpx", "httpx2", "httpcore", "httpcore2", "openai"):
        logging.getLogger(library).setLevel(logging.WARNING)  # they log the addresses they call

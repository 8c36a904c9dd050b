"""The replies of a run as they come, in a file, so that a run that was stopped goes on.

JSON lines: the first says what is asked of what, each other one holds a question's reply. A
failure is not held: it is asked again. The file is taken away when the run's result is written.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from eval.cost import Tokens
from eval.target import Cited, Reply

logger = logging.getLogger(__name__)


def beside(out: Path) -> Path:
    """Where the journal of a result file stands."""
    return out.with_name(f".{out.name}.journal")


class Journal:
    """Replies on disk. Threads may share one.

    Args:
        path: the file; it is made anew where it is of another run.
        run: what is asked of what, of JSON's types; a journal of other values does not count.

    Attributes:
        replies: those of the earlier run, by question id.
        other: whether a journal of another run was there, and was given up.
    """

    def __init__(self, path: Path, run: Mapping[str, object]) -> None:
        self.path = path
        self.other = False
        self._guard = threading.Lock()
        head = json.loads(json.dumps(run))
        self.replies = self._read(head)
        fresh = not self.replies
        self._file: IO[str] = path.open("w" if fresh else "a", encoding="utf-8")
        if fresh:
            self._line(head)

    def _read(self, head: object) -> dict[str, Reply]:
        """The held replies; a line cut off by the end of the earlier run ends them."""
        if not self.path.is_file():
            return {}
        found: dict[str, Reply] = {}
        data = self.path.read_bytes()
        lines = data.split(b"\n")[:-1]
        whole = 0
        for number, line in enumerate(lines):
            try:
                value = json.loads(line)
                if number == 0 and value != head:
                    self.other = True
                    return {}
                if number:
                    found[value["id"]] = reply_of(value["reply"])
            except (ValueError, KeyError, TypeError):
                logger.warning("journal cut", extra={"path": str(self.path), "line": number + 1})
                break
            whole += len(line) + 1
        if found and whole < len(data):  # new lines must not be joined to half a line
            with self.path.open("r+b") as file:
                file.truncate(whole)
        return found

    def put(self, question: str, reply: Reply) -> None:
        """Hold a question's reply; the process may be killed once the call has returned."""
        with self._guard:
            self._line({"id": question, "reply": asdict(reply)})

    def _line(self, value: object) -> None:
        self._file.write(json.dumps(value, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Keep the file for another time."""
        self._file.close()

    def done(self) -> None:
        """Take the file away: the result is written."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def reply_of(value: Mapping[str, Any]) -> Reply:
    """A reply as `dataclasses.asdict` and JSON made it.

    Raises:
        KeyError: a field is missing.
        TypeError: a field is unknown.
    """
    tokens = value["tokens"]
    cited = (
        Cited(**{**c, "authors": tuple(c["authors"]), "affiliations": tuple(c["affiliations"])})
        for c in value["citations"]
    )
    return Reply(
        **{
            **value,
            "citations": tuple(cited),
            "passages": tuple(value["passages"]),
            "tokens": None if tokens is None else Tokens(**tokens),
        }
    )

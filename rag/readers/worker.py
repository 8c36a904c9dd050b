"""Parsers in a process of their own, with limits of memory and time.

A file may be made to harm whoever reads it: a page of ten million tags, a PDF that never ends. Its
parser runs in a child process that is killed when it takes too long; whatever becomes of it, the
caller gets an `UnreadableFile` and the next file is read. The child is kept for the next file, as
importing the parsers takes longer than most files do, and is started anew after `_MOST_FILES`.

Requests and replies are a line of JSON each; the file's bytes follow the request.
"""

from __future__ import annotations

import json
import os
import queue
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from rag.errors import UnreadableFile
from rag.readers.extract import Extract, from_json, to_json

_MIB = 1024 * 1024
_MOST_FILES = 200
_LONGEST_REPLY = 256 * _MIB
_TOO_MUCH = "needs more memory to read than is allowed; cut it into parts"


class Worker:
    """A child process that parses files. Threads may share one; they wait for each other.

    Args:
        seconds: that one file may take; scans may take `scan_seconds`.
        memory: bytes of address space that the child may use.
    """

    def __init__(
        self, seconds: float = 60.0, scan_seconds: float = 540.0, memory: int = 6144 * _MIB
    ) -> None:
        self._seconds, self._scan_seconds, self._memory = seconds, scan_seconds, memory
        self._child: subprocess.Popen[bytes] | None = None
        self._killed: subprocess.Popen[bytes] | None = None
        self._guard = threading.Lock()
        self._read = 0

    def extract(self, parser: str, name: str, data: bytes) -> list[Extract]:
        """Parse one file.

        Args:
            parser: a name of `rag.readers.parsers.PARSERS`.
            name: for messages.
            data: its content.

        Raises:
            UnreadableFile: it cannot be parsed within the limits; the reason says why.
        """
        with self._guard:
            limit = self._scan_seconds if parser in ("pdf", "scan") else self._seconds
            try:
                reply = self._ask({"parser": parser, "name": name, "size": len(data)}, data, limit)
            except TimeoutError:
                self._stop()
                reason = f"took longer than {limit:.0f} seconds to read; cut it into parts"
                raise UnreadableFile(name, reason) from None
            except (OSError, EOFError, ValueError):
                self._stop()
                reason = "broke its reader; it is damaged, or needs more memory than is allowed"
                raise UnreadableFile(name, reason) from None
            self._read += 1
            if self._read >= _MOST_FILES or reply.get("error") == _TOO_MUCH:
                self._stop()
        if "error" in reply:
            raise UnreadableFile(name, str(reply["error"]))
        return [from_json(value) for value in reply["extracts"]]

    def close(self) -> None:
        """End the child."""
        with self._guard:
            self._stop()

    def kill(self) -> None:
        """End the child in the middle of its work; the next file gets another."""
        self._killed = child = self._child
        if child is not None:
            child.kill()

    def _stop(self) -> None:
        child, self._child, self._read = self._child, None, 0
        if child is not None:
            child.kill()
            for pipe in (child.stdin, child.stdout):
                if pipe:
                    try:
                        pipe.close()
                    except BrokenPipeError:
                        continue  # what it had not read is of no use any more
            child.wait()

    def _ask(self, request: dict[str, Any], data: bytes, limit: float) -> dict[str, Any]:
        # A child that was just killed may not be known to have ended yet.
        if self._child is self._killed or (self._child and self._child.poll() is not None):
            self._stop()
        if self._child is None:
            self._child = _start(self._memory)
        give, take = self._child.stdin, self._child.stdout
        if give is None or take is None:
            raise OSError("a child without pipes")
        deadline = time.monotonic() + limit
        sender = threading.Thread(target=_send, args=(give, request, data), daemon=True)
        sender.start()
        line = _line(take, deadline)
        sender.join(timeout=max(0.0, deadline - time.monotonic()))
        reply = json.loads(line)
        if not isinstance(reply, dict):
            raise ValueError("no reply")
        return reply


class Workers:
    """Some workers, started as they are needed. Threads may share them.

    Args:
        most: children at one time; who comes when all are at work waits.
    """

    def __init__(self, most: int) -> None:
        self._workers = [Worker() for _ in range(most)]
        self._free: queue.LifoQueue[Worker] = queue.LifoQueue()
        for worker in self._workers:
            self._free.put(worker)

    def extract(self, parser: str, name: str, data: bytes) -> list[Extract]:
        """See `Worker.extract`."""
        worker = self._free.get()
        try:
            return worker.extract(parser, name, data)
        finally:
            self._free.put(worker)

    def close(self) -> None:
        """End the children that wait for work."""
        for worker in self._workers:
            worker.close()

    def kill(self) -> None:
        """End the children, at work or not: who waits for one is told that it broke."""
        for worker in self._workers:
            worker.kill()


def _send(give: IO[bytes], request: dict[str, Any], data: bytes) -> None:
    try:
        give.write(json.dumps(request).encode() + b"\n" + data)
        give.flush()
    except (OSError, ValueError):
        return  # the child is gone: whoever reads its reply sees that


def _line(take: IO[bytes], deadline: float) -> bytes:
    """One line of the child's; EOFError when it ended, TimeoutError past the deadline."""
    got = bytearray()
    ready = select.poll()  # select() knows no descriptors above 1,023
    ready.register(take, select.POLLIN)
    while not got.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not ready.poll(left * 1000):
            raise TimeoutError
        piece = os.read(take.fileno(), 1 << 20)
        if not piece:
            raise EOFError
        got += piece
        if len(got) > _LONGEST_REPLY:
            raise ValueError("a reply too long")
    return bytes(got)


def _start(memory: int) -> subprocess.Popen[bytes]:
    """A child that finds the same `rag` as this process, wherever it is started."""
    paths = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "OMP_NUM_THREADS": "2",
    }
    return subprocess.Popen(  # noqa: S603 (this interpreter, our module, a number)
        [sys.executable, "-P", "-m", "rag.readers.worker", str(memory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        bufsize=0,
    )


def serve(requests: IO[bytes], replies: IO[bytes], parsers: Any) -> None:  # noqa: ANN401 a mapping
    """Answer requests until there are no more: the child's side."""
    for line in iter(requests.readline, b""):
        request = json.loads(line)
        data = requests.read(request["size"])
        reply = _parsed(parsers[request["parser"]], request["name"], data)
        replies.write(json.dumps(reply).encode() + b"\n")
        replies.flush()


def _parsed(parse: Callable[[str, bytes], Sequence[Extract]], name: str, data: bytes) -> Any:  # noqa: ANN401 JSON
    try:
        return {"extracts": [to_json(extract) for extract in parse(name, data)]}
    except UnreadableFile as error:
        return {"error": error.reason}
    except (MemoryError, RecursionError):
        return {"error": _TOO_MUCH}
    except Exception as error:  # noqa: BLE001 (a parser may raise anything on a damaged file)
        return {"error": f"is damaged or not what its ending says ({_said(error)}); check it"}


def _said(error: Exception) -> str:
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return first if len(first) <= 120 else first[:120] + "…"


def main() -> None:
    """The child: limits first, then requests."""
    import resource

    from rag.readers.parsers import PARSERS

    memory = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no reply
    serve(sys.stdin.buffer, replies, PARSERS)


if __name__ == "__main__":
    main()

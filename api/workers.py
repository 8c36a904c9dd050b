"""Several server processes over one home, behind one socket.

Each opens the index for itself, by memory map, so that the files are in memory once; encodes with
its share of the threads; and takes connections off the one queue that the system keeps for the
socket. What is written by one is seen by all with their next question, as beside any other writer.
A process that ends by itself is replaced; one that cannot begin ends them all.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from api.settings import Settings
from rag.errors import WenjuError

logger = logging.getLogger(__name__)

FIGURES = "PROMETHEUS_MULTIPROC_DIR"
"""The folder through which prometheus_client adds up what the processes count."""

_LOOK = 0.5  # seconds between two looks for a signal
_GRACE = 25.0  # seconds that a process has to finish what it has begun, beside its drain

Serve = Callable[[Settings, socket.socket, Callable[[int], None], bool], None]
"""Serves on a socket: with one process's settings; told the number of passages once it does; and
whether it is the one that does what need be done only once."""


def share(settings: Settings) -> Settings:
    """The settings of one of `settings.workers` processes, which together keep to them.

    Threads, questions at work and requests a minute are divided, the latter rounded up: whoever
    keeps one connection has one process's share.
    """
    count = settings.workers
    address = settings.rate_of_address
    return settings.model_copy(
        update={
            "threads": max(1, settings.threads // count),
            "concurrency": max(1, settings.at_work // count),
            "rate_key": math.ceil(settings.rate_key / count),
            "rate_address": math.ceil(address / count),
        }
    )


def run(settings: Settings, sock: socket.socket, serve: Serve, tell: Callable[[int], None]) -> None:
    """Serve with `settings.workers` processes until SIGINT or SIGTERM.

    Args:
        settings: of all together.
        sock: bound and listening.
        serve: what each process does; a function of a module.
        tell: called with the number of passages once the first process answers.

    Raises:
        WenjuError: a process could not begin; the text is its own.
    """
    with tempfile.TemporaryDirectory(prefix="wenju-figures-") as folder:
        os.environ[FIGURES] = folder  # the processes inherit it before they import the library
        try:
            _Crew(settings, sock, serve, tell).run()
        finally:
            del os.environ[FIGURES]


class _Crew:
    """The processes and what they say."""

    def __init__(
        self, settings: Settings, sock: socket.socket, serve: Serve, tell: Callable[[int], None]
    ) -> None:
        self._settings, self._sock, self._serve, self._tell = settings, sock, serve, tell
        self._members: dict[Connection, SpawnProcess] = {}
        self._ready: set[Connection] = set()
        self._ending = False

    def run(self) -> None:
        """Until a signal comes, or a process cannot begin."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._end)
        for place in range(self._settings.workers):
            self._start(first=not place)
        try:
            while not self._ending:
                for said in wait(list(self._members), _LOOK):
                    self._hear(said)  # type: ignore[arg-type]  # they are all connections
        finally:
            self._stop()

    def _end(self, *_: object) -> None:
        self._ending = True

    def _start(self, *, first: bool) -> None:
        context = get_context("spawn")  # a fork would take the locks of threads that it has not
        ours, theirs = context.Pipe()
        given = (share(self._settings), self._sock, self._serve, theirs, first)
        process = context.Process(target=_work, args=given)
        process.start()
        theirs.close()
        self._members[ours] = process

    def _hear(self, said: Connection) -> None:
        """A process serves, could not begin, or has ended.

        Raises:
            WenjuError: it could not begin.
        """
        try:
            word = said.recv()
        except EOFError:
            self._ended(said)
            return
        if isinstance(word, str):
            raise WenjuError(word)
        if not self._ready:
            self._tell(word)
        self._ready.add(said)

    def _ended(self, said: Connection) -> None:
        process = self._members.pop(said)
        said.close()
        process.join()
        if self._ending:
            return
        if said not in self._ready:  # the next one would fare no better
            raise WenjuError(
                f"A server process ended before it served (status {process.exitcode})."
            )
        logger.error("worker_ended", extra={"status": process.exitcode})
        self._start(first=False)

    def _stop(self) -> None:
        """Let all finish; those that do not are killed."""
        for process in self._members.values():
            with suppress(ProcessLookupError, TypeError):  # it has ended already
                os.kill(process.pid, signal.SIGTERM)  # type: ignore[arg-type]
        until = time.monotonic() + self._settings.drain + _GRACE
        for process in self._members.values():
            process.join(max(0.0, until - time.monotonic()))
            if process.is_alive():
                logger.error("worker_killed", extra={"seconds": self._settings.drain + _GRACE})
                process.kill()
                process.join()


def _work(
    settings: Settings, sock: socket.socket, serve: Serve, parent: Connection, first: bool
) -> None:
    """A process: serves until it is told to end, or its parent is gone."""
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    try:
        serve(settings, sock, parent.send, first)
    except WenjuError as error:
        parent.send(str(error))
        sys.exit(1)


def _watch(parent: Connection) -> None:
    """End as if asked to when the parent, which never says anything, is gone."""
    with suppress(EOFError, OSError):
        parent.recv()
    os.kill(os.getpid(), signal.SIGTERM)

"""Serves the application with uvicorn: logging, the first lines a person sees, a graceful end."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Callable
from functools import partial
from types import FrameType

import uvicorn

from api import access, logs, memory, tracing, workers
from api.app import create_app
from api.connection import KEEP_SECONDS, Connection
from api.ready import Readiness
from api.settings import Settings
from rag import processors
from rag.errors import BadInput, WenjuError
from rag.pipeline import Pipeline

logger = logging.getLogger(__name__)


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket, so that a taken port is told before anything slow.

    Raises:
        BadInput: the address cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends at once (TCP_NODELAY) on connections whose socket says that it is TCP; without,
    # each answer on a connection that is kept waits 40 ms for the client's acknowledgement.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(1024)  # who comes as soon as the address is printed waits and is not refused
    except OSError as error:
        sock.close()
        reason = error.strerror or str(error)
        raise BadInput(
            f"Cannot serve on {host}:{port} ({reason}); choose another with --port or --host."
        ) from error
    return sock


class _Server(uvicorn.Server):
    """Ends in steps: not ready any more, then no new connections, then what was begun is finished.

    Args:
        config: uvicorn's.
        readiness: told first of all.
        drain: seconds between the first two; a second signal cuts them short.
    """

    def __init__(self, config: uvicorn.Config, readiness: Readiness, drain: float) -> None:
        super().__init__(config)
        self._readiness, self._drain = readiness, drain

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGINT or SIGTERM came."""
        self._readiness.end()
        if not self._drain:
            super().handle_exit(sig, frame)
            return
        timer = threading.Timer(self._drain, super().handle_exit, (sig, frame))
        timer.daemon = True
        timer.start()
        self._drain = 0


def _catch_up(pipeline: Pipeline) -> None:
    """Beside serving: what a killed writer left may take long to encode."""
    try:
        if added := pipeline.archive.catch_up():
            logger.info("caught_up", extra={"passages": added})
    except WenjuError as error:
        logger.warning("not_caught_up", extra={"reason": str(error)})


def serve(settings: Settings, pipeline: Pipeline | None = None) -> None:
    """Serve until SIGINT or SIGTERM; requests under way are finished.

    Args:
        settings: the settings.
        pipeline: an archive to serve in place of the configured one.

    Raises:
        WenjuError: the archive or the model cannot be opened, or the address is taken.
    """
    _begin(settings)
    access.check(settings)
    sock = _listen(settings.host, settings.port)
    print("Loading the model ...", flush=True)
    if settings.workers > 1 and pipeline is None:
        workers.run(settings, sock, _worker, partial(_announce, sock))
    else:
        _serve(settings, sock, partial(_announce, sock), pipeline or Pipeline(settings.config()))


def _announce(sock: socket.socket, passages: int) -> None:
    host, port = sock.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(
        f"Wenju 文据: {passages:,} passages. Open http://{shown}:{port} (Ctrl-C ends)", flush=True
    )


def _worker(
    settings: Settings, sock: socket.socket, tell: Callable[[int], None], first: bool
) -> None:
    """One of several processes (`api.workers`)."""
    _begin(settings)
    _serve(settings, sock, tell, Pipeline(settings.config()), catch_up=first)


def _begin(settings: Settings) -> None:
    memory.keep_level()
    logs.begin(secrets=settings.secrets)
    processors.share()


def _serve(
    settings: Settings,
    sock: socket.socket,
    tell: Callable[[int], None],
    pipeline: Pipeline,
    *,
    catch_up: bool = True,
) -> None:
    """Serve with this process.

    Args:
        settings: its own.
        sock: bound and listening.
        tell: called with the number of passages when all is ready.
        pipeline: the archive.
        catch_up: index what a killed writer left.
    """
    tracer = tracing.configured()
    pipeline.encoder()
    # One question in each language loads the dictionaries and all that is read only once.
    for question in ("最近有哪些新举措？", "What is new?"):
        pipeline.ask(question, mode="extractive")
    size = pipeline.snapshot().size
    if catch_up:
        threading.Thread(target=_catch_up, args=(pipeline,), daemon=True).start()
    app = create_app(settings, pipeline, tracer)
    tell(size)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the application believes those that the settings name
        http=Connection,
        timeout_keep_alive=KEEP_SECONDS,
        timeout_graceful_shutdown=20,
        h11_max_incomplete_event_size=64 * 1024,
    )
    # uvicorn ends gracefully and then raises the signal again: by then there is nothing to stop.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    _Server(config, app.state.wenju.readiness, settings.drain).run(sockets=[sock])

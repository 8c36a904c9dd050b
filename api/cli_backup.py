"""`wenju backup` and `wenju restore`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli_options import AsJson, Home, print_json

if TYPE_CHECKING:
    from rag.backup import Made


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write the archive as it is at one moment into one file; it may be served meanwhile."""
    from api import settings as settings_
    from rag import backup as backup_

    settings = settings_.load(home=home)
    _in_files(settings.store is not None, settings.home)
    _show(backup_.backup(settings.home, file), f"written to {file}", as_json)


def restore(
    file: Annotated[Path, typer.Argument(help="What `wenju backup` wrote.")],
    home: Home = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the archive that is there; it is kept beside.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of the archive, all of it or nothing; servers go on."""
    from api import settings as settings_
    from api.audit import audited
    from rag import backup as backup_

    settings = settings_.load(home=home)
    target = settings.home
    _in_files(settings.store is not None, target)
    with audited(target, "restore", file=str(file)) as told:
        made = backup_.restore(file, target, force=force)
        told |= {"at": made.at, "articles": made.articles}
    _show(made, f"put back into {target}", as_json)


def _in_files(elsewhere: bool, home: Path) -> None:
    """Refuse what would leave out the archive itself, where a database holds it."""
    from rag.errors import BackupUnusable

    if elsewhere:
        raise BackupUnusable(
            home, "WENJU_STORE keeps the archive in PostgreSQL; use pg_dump, pg_restore or its log"
        )


def _show(made: Made, what: str, as_json: bool) -> None:
    if as_json:
        print_json({"at": made.at, "files": made.files, "bytes": made.size,
                    "articles": made.articles})  # fmt: skip
    else:
        print(f"{made.articles:,} articles, {made.size / 2**20:.1f} MiB, as of {made.at}: {what}")

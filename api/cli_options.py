"""What the commands share: their common options, and the archive that they open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from api.settings import Settings
    from rag.pipeline import Pipeline

Home = Annotated[Path | None, typer.Option(help="Folder of the archive [default: ./wenju-data].")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's JSON.")]
Dictionary = Annotated[
    Path | None, typer.Option("--dict", help="jieba user dictionary, a word a line.")
]


class TextKind(StrEnum):
    """What a text file is."""

    PAGE = "page"
    ARTICLE = "article"
    ARTICLES = "articles"


Kind = Annotated[
    TextKind | None, typer.Option(help="What the files are [default: recognised by themselves].")
]


@contextmanager
def archive(settings: Settings) -> Iterator[Pipeline]:
    """The archive, closed in the end."""
    from rag import processors
    from rag.pipeline import Pipeline

    processors.share()
    pipeline = Pipeline(settings.config())
    try:
        yield pipeline
    finally:
        pipeline.close()


def named_fields(mapping: str) -> dict[str, str]:
    """The pairs of --map."""
    pairs = [pair.split("=", 1) for pair in mapping.replace("，", ",").split(",") if pair.strip()]
    if any(len(pair) < 2 or not all(side.strip() for side in pair) for pair in pairs):
        raise typer.BadParameter("--map takes pairs, as in --map title=标题,text=正文")
    return {key.strip(): field.strip() for key, field in pairs}


def print_json(value: Any) -> None:  # noqa: ANN401 any JSON
    """Print a value of the API's."""
    print(json.dumps(value, ensure_ascii=False, indent=1))

"""Articles put right by hand, and how the files of question sets are read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from eval.errors import BadSet
from eval.fields import Fields, Wrong


@dataclass(frozen=True, slots=True)
class GoldArticle:
    """An article put right by hand."""

    label: str
    title: str | None
    authors: tuple[str, ...]
    affiliations: tuple[str, ...]
    paragraphs: tuple[str, ...]


def load_gold(path: Path) -> dict[str, GoldArticle]:
    """Read gold articles, by label.

    Raises:
        BadSet: it cannot be read, or an article is wrong; it is named by its number, from 1.
    """
    listed = parsed(path, read_bytes(path))
    if not isinstance(listed, list):
        raise BadSet(path, "it is not a JSON list of articles")
    found: dict[str, GoldArticle] = {}
    for number, entry in enumerate(listed, start=1):
        try:
            if not isinstance(entry, dict):
                raise Wrong("it is not an object")
            fields = Fields(entry)
            label = fields.text("id")
            if label in found:
                raise Wrong(f"the id {label!r} was used before")
            title = entry.get("title")
            if title is not None and not isinstance(title, str):
                raise Wrong("title must be a text or null")
            found[label] = GoldArticle(
                label,
                title,
                fields.texts("authors"),
                fields.texts("affiliations"),
                fields.texts("paragraphs", least=1),
            )
        except Wrong as wrong:
            raise BadSet(path, f"article {number}: {wrong}") from None
    return found


def parsed(path: Path, data: bytes) -> object:
    """The JSON value that a file holds.

    Raises:
        BadSet: it is not JSON.
    """
    try:
        value: object = json.loads(data)
    except ValueError as error:
        raise BadSet(path, f"it is not JSON ({error})") from None
    return value


def read_bytes(path: Path) -> bytes:
    """A file's bytes, without a byte order mark.

    Raises:
        BadSet: it cannot be read.
    """
    try:
        return path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise BadSet(path, f"it cannot be read ({error.strerror}); check the path") from None

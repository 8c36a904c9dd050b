"""What would be read from a file, looked at before anything of it is stored."""

from __future__ import annotations

from rag import pages, readers
from rag.errors import UnreadableFile
from rag.intake import NO_TEXT, few, notices_of
from rag.types import Article, FileReport


def preview(
    name: str, data: bytes, kind: str | None = None
) -> tuple[FileReport, tuple[Article, ...]]:
    """What `Archive.add_upload` would read from a file; nothing is stored.

    Returns:
        A report whose outcome is "preview" or "failed", and the articles as they were read.
    """
    notices: list[str] = []
    articles: list[Article] = []
    problem = NO_TEXT
    try:
        for document in readers.read_upload(name, data):
            if isinstance(document, UnreadableFile):
                notices.append(str(document))
                problem = document.reason
            else:
                articles += pages.articles(document, kind=kind)
                notices += notices_of(document)
    except UnreadableFile as error:
        if not articles:
            return FileReport(name, "failed", reason=error.reason), ()
        notices.append(error.reason)
    if not articles:
        return FileReport(name, "failed", reason=problem), ()
    return FileReport(name, "preview", notices=few(notices)), tuple(articles)

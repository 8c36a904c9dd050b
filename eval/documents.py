"""Articles for archives to measure on, made from paragraphs that some set already parts."""

from __future__ import annotations

import hashlib
import lzma
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from rag.language import language_of
from rag.sentences import sentences
from rag.types import Article, Block, BlockKind, Document, Part, Span

PARAGRAPH = 220
"""Characters from which a paragraph of a news text ends with its sentence: the texts come on one
line each, and 220 is about what the paragraphs of the papers that they are from have."""

_LINE = re.compile(r"(?P<date>\d{4}-\d\d-\d\d)[^，]{0,20}，正文：(?P<text>.*)", re.DOTALL)


def document_of(
    uri: str,
    paragraphs: Sequence[str],
    *,
    title: str | None = None,
    published: str | None = None,
    form: str = "squad",
) -> tuple[Document, Article]:
    """One article whose paragraphs are kept as they are, and its document.

    Args:
        uri: names it; two articles with the same text and another uri are two.
        paragraphs: at least one, none empty.
        title: stands before them as a block of its own.
        published: ISO 8601.
        form: the document's format.
    """
    texts = [title, *paragraphs] if title else list(paragraphs)
    blocks: list[Block] = []
    start = 0
    for text in texts:
        span = Span(start, start + len(text))
        kind = BlockKind.TITLE if title and not blocks else BlockKind.BODY
        blocks.append(Block(kind, span, (Part(span.start, span),)))
        start = span.end + 2
    whole = "\n\n".join(texts)
    digest = hashlib.sha256(f"{uri}\n{title}\n{whole}".encode()).hexdigest()
    article = Article(
        digest[:16],
        whole,
        tuple(blocks),
        title,
        published=published,
        language=language_of(whole),
    )
    return Document(uri, whole, (), {}, form, "utf-8", digest), article


def news(path: Path, count: int | None = None) -> Iterator[tuple[Document, Article]]:
    """The articles of a file with one news text a line ("2023-08-16 18:24:57，正文：…").

    Args:
        path: plain or .xz.
        count: the first so many texts; None for all.

    Yields:
        Articles with their dates; lines without any text are passed over.
    """
    opener = lzma.open if path.suffix == ".xz" else Path.open
    with opener(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(islice(lines, count)):
            match = _LINE.match(line)
            text = " ".join((match["text"] if match else line).split())
            if text:
                date = match["date"] if match else None
                yield document_of(f"news#{number}", _paragraphs(text), published=date, form="news")


def _paragraphs(text: str) -> list[str]:
    """A text without paragraphs, parted at sentence ends."""
    found: list[str] = []
    for sentence in sentences(text):
        if found and len(found[-1]) < PARAGRAPH:
            found[-1] += sentence
        else:
            found.append(sentence)
    return found

"""HTML to paragraphs: trafilatura finds the article among menus, advertisements and footers.

Its limits are set low, as a Chinese article says in 60 characters what takes 250 in English; where
it finds no article (a page of bare lines) every text of the page's body is read, and told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

from rag.errors import UnreadableFile
from rag.readers.dates import parse_date
from rag.readers.decode import decode
from rag.readers.extract import Extract, Paragraph
from rag.readers.lines import is_head
from rag.types import BlockKind

_MOST_TAGS = 500_000
_BLOCKS = frozenset(
    "address article aside blockquote body caption dd div dl dt fieldset figcaption figure footer "
    "form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section table td th tr ul".split()
)
_UNREAD = frozenset("script style noscript template head title iframe svg math nav".split())
_META = {
    "articletitle": "title",
    "author": "authors", "article:author": "authors", "byl": "authors",
    "pubdate": "published", "publishdate": "published", "article:published_time": "published",
    "contentsource": "source", "og:site_name": "source",
}  # fmt: skip
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.I)
_XML_ENCODING = re.compile(rb"\A\s*<\?xml[^>]{0,200}encoding\s*=\s*[\"']([\w.:-]{2,40})", re.I)
_SENTENCE_ENDS = "。！？!?.…”」』）)】"
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]{0,300}\?>")


def parse(name: str, data: bytes) -> list[Extract]:
    """The one article of a page.

    Raises:
        UnreadableFile: too many tags, not text, or nothing in it to read.
    """
    text = source(name, data)
    paragraphs, metadata, notices = main_text(text)
    if not paragraphs:
        paragraphs = list(blocks(tree(name, text)))
        notices.append("no article was told from the rest of the page: all of it was read")
    if not paragraphs:
        raise UnreadableFile(name, "holds no text; nothing was added")
    metadata.setdefault("kind", "article")
    return [Extract(tuple(paragraphs), metadata, "html", notices=tuple(notices))]


def source(name: str, data: bytes) -> str:
    """The page's text with its tags, decoded as it says or as it looks.

    Raises:
        UnreadableFile: not text, or more tags than are read.
    """
    tags = data.count(b"<")
    if tags > _MOST_TAGS:
        raise UnreadableFile(name, f"has {tags} tags, at most {_MOST_TAGS} are read; cut it up")
    said = _XML_ENCODING.search(data[:1000]) or _CHARSET.search(data[:4000])
    if said and not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        encoding = said[1].decode("ascii").lower()
        encoding = "gb18030" if encoding in ("gb2312", "gbk", "gb18030") else encoding
        try:
            return _DECLARATION.sub("", data.decode(encoding))
        except (UnicodeDecodeError, LookupError):
            pass  # it says something else than it is: see what it looks like
    return _DECLARATION.sub("", decode(name, data).text)


def main_text(text: str) -> tuple[list[Paragraph], dict[str, str | tuple[str, ...]], list[str]]:
    """What trafilatura takes for the article: paragraphs, metadata, notices."""
    import trafilatura
    from trafilatura.settings import use_config

    config = deepcopy(use_config())
    for limit in ("MIN_EXTRACTED_SIZE", "MIN_OUTPUT_SIZE"):
        config.set("DEFAULT", limit, "10")
    config.set("DEFAULT", "EXTRACTION_TIMEOUT", "0")  # the worker has its own
    found = trafilatura.bare_extraction(
        text, include_comments=False, include_tables=True, with_metadata=True, fast=True,
        favor_recall=True, config=config,
    )  # fmt: skip
    if found is None or isinstance(found, dict) or found.body is None:
        return [], {}, []
    paragraphs = list(_paragraphs(found.body))
    metadata, notices = _metadata(found, text)
    title = metadata.get("title")
    if paragraphs and isinstance(title, str):
        if any(_same(title, p) for p in paragraphs[:4]):
            paragraphs = [
                Paragraph(p.lines, BlockKind.TITLE) if _same(title, p) else p
                for p in paragraphs[:4]
            ] + paragraphs[4:]
        else:
            paragraphs.insert(0, Paragraph((title,), BlockKind.TITLE))
        author = metadata.get("authors")
        printed = " ".join("".join(p.lines) for p in paragraphs[:4])
        if isinstance(author, str) and is_head(author) and author not in printed:
            paragraphs.insert(1, Paragraph((author,), BlockKind.BYLINE))
    return paragraphs, metadata, notices


def _metadata(found: Any, text: str) -> tuple[dict[str, str | tuple[str, ...]], list[str]]:  # noqa: ANN401 untyped
    """What the page says of itself; a date that it does not state is told as a guess."""
    stated = _stated(text)
    named = {
        "title": stated.get("title") or found.title,
        "authors": stated.get("authors") or found.author,
        "published": stated.get("published") or found.date,
        "source": stated.get("source") or found.sitename,
        "url": found.url,
    }
    metadata: dict[str, str | tuple[str, ...]] = {
        key: " ".join(str(value).split()) for key, value in named.items() if value
    }
    notices = []
    if found.date and "published" not in stated and found.date not in text:
        notices.append(f"the date {found.date} was guessed from the page; check it")
    return metadata, notices


def _stated(text: str) -> dict[str, str]:
    """What the page's meta elements state, under the names that papers and ministries use."""
    from lxml import etree, html

    try:
        root = html.document_fromstring(text)
    except (etree.ParserError, ValueError):
        return {}
    stated: dict[str, str] = {}
    for meta in root.iter("meta"):
        name = (meta.get("name") or meta.get("property") or "").strip().lower()
        said = " ".join((meta.get("content") or "").split())
        key = _META.get(name)
        if key and said and (key != "published" or parse_date(said)):
            stated.setdefault(key, said)
    return stated


def _paragraphs(body: Any) -> Iterator[Paragraph]:  # noqa: ANN401 lxml is untyped
    """The leaves of trafilatura's tree: heads, paragraphs, items, rows."""
    for element in body:
        if element.tag in ("list", "quote", "div", "body") and len(element):
            if element.text and element.text.strip():
                yield Paragraph(tuple(element.text.split("\n")))
            yield from _paragraphs(element)
        elif element.tag == "table":
            for row in element.iter("row"):
                cells = [" ".join("".join(cell.itertext()).split()) for cell in row.iter("cell")]
                if any(cells):
                    yield Paragraph((" | ".join(cell for cell in cells if cell),))
        elif isinstance(element.tag, str):
            kind = BlockKind.HEADING if element.tag == "head" else None
            yield from _parted(_lines(element), kind)
        if element.tail and element.tail.strip():
            yield Paragraph((" ".join(element.tail.split()),))


def _lines(element: Any) -> tuple[str, ...]:  # noqa: ANN401 lxml is untyped
    """The text of a leaf, a line for each <br>."""
    rows = [""]
    for node in element.iter():
        if node.tag == "lb" or node.tag == "br":
            rows.append("")
        elif isinstance(node.tag, str) and node.text:
            rows[-1] += node.text
        if node is not element and node.tail:
            rows[-1] += node.tail
    return tuple(bare for bare in (" ".join(row.split()) for row in rows) if bare)


def tree(name: str, text: str) -> Any:  # noqa: ANN401 lxml is untyped
    """The parsed page.

    Raises:
        UnreadableFile: there is nothing in it.
    """
    from lxml import etree, html

    try:
        return html.document_fromstring(text)
    except (etree.ParserError, ValueError) as error:
        raise UnreadableFile(name, "holds no text; nothing was added") from error


def blocks(root: Any) -> Iterator[Paragraph]:  # noqa: ANN401 lxml is untyped
    """Every text of a page or an EPUB chapter, cut where block elements begin and end."""
    rows, kind = [""], None
    for event, node in _walk(root):
        tag = node.tag
        if tag == "br":
            rows += [""] if event == "start" else []
        elif tag in _BLOCKS:
            yield from _flushed(rows, kind)
            rows, kind = [""], None
            if event == "start" and tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
                kind = BlockKind.HEADING
        said = node.text if event == "start" else node.tail
        if said:
            rows[-1] += said
    yield from _flushed(rows, kind)


def _walk(root: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 lxml is untyped
    """Starts and ends of the elements that are read; a comment only has what follows it."""
    stack = [iter([root])]
    nodes: list[Any] = []
    while stack:
        node = next(stack[-1], None)
        if node is None:
            stack.pop()
            if nodes:
                yield "end", nodes.pop()
        elif not isinstance(node.tag, str) or node.tag in _UNREAD:
            yield "end", node
        else:
            yield "start", node
            stack.append(iter(node))
            nodes.append(node)


def _flushed(rows: list[str], kind: BlockKind | None) -> Iterator[Paragraph]:
    yield from _parted([bare for bare in (" ".join(row.split()) for row in rows) if bare], kind)


def _parted(lines: Sequence[str], kind: BlockKind | None) -> Iterator[Paragraph]:
    """Lines between <br>: one that ends a sentence ends a paragraph, unless it is a heading."""
    run: list[str] = []
    for line in lines:
        run.append(line)
        if kind is None and (line[-1] in _SENTENCE_ENDS or is_head(line)):
            yield Paragraph(tuple(run))
            run = []
    if run:
        yield Paragraph(tuple(run), kind)


def _same(title: str, paragraph: Paragraph) -> bool:
    return "".join(title.split()) == "".join("".join(paragraph.lines).split())

"""RSS, Atom and sitemap files from disk, read by feedparser and lxml; nothing is fetched.

Every entry of a feed that has text becomes a document, named by the entry's own id, so that it
stays the same document when the feed is written anew. A sitemap holds no text, but the addresses
of pages: those that lie on disk beside it are read.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import unescape
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from rag.errors import UnreadableFile
from rag.readers import html
from rag.readers.extract import Extract, Paragraph
from rag.readers.lines import is_head
from rag.types import BlockKind

SUFFIXES = frozenset({".xml", ".rss", ".atom"})
SITEMAP = "sitemap"
"""The format of an extract that holds no text but, as metadata "pages", addresses."""

_MOST_ENTRIES = 20_000
_MOST_PAGES = 50_000  # the limit of the sitemap protocol
_FEEDS = frozenset({"rss", "feed", "rdf"})
_MAPS = frozenset({"urlset", "sitemapindex"})
_NAMED = 3  # addresses named in a notice
_LONGEST_NAME = 40  # characters of an element's name that are told
_PAGES = (".html", ".htm", ".xhtml", ".shtml")


def parse(name: str, data: bytes) -> list[Extract]:
    """The entries of a feed, or the addresses in a sitemap (an extract of format `SITEMAP`).

    Raises:
        UnreadableFile: it is neither, or holds nothing to read.
    """
    root = _root(data)
    if root in _MAPS:
        return [Extract((), {"pages": tuple(_addresses(name, data))}, SITEMAP)]
    if root not in _FEEDS:
        what = f"XML of another kind (<{root}>)" if root else "no XML, or damaged"
        raise UnreadableFile(name, f"is {what}; of XML only feeds and sitemaps are read")
    return _entries(name, data)


def _root(data: bytes) -> str:
    """The name of the first element, in lower case; "" where there is none."""
    from lxml import etree

    parser = etree.XMLPullParser(("start",), resolve_entities=False, no_network=True,
                                 load_dtd=False, recover=True)  # fmt: skip
    for start in range(0, min(len(data), 1 << 20), 4096):
        try:
            parser.feed(data[start : start + 4096])
        except etree.XMLSyntaxError:
            return ""
        for _, element in parser.read_events():
            # Not by etree.QName: the parser lets names pass that this refuses, such as "rss:".
            return str(element.tag).rpartition("}")[2].lower()[:_LONGEST_NAME]
    return ""


def _entries(name: str, data: bytes) -> list[Extract]:
    import feedparser

    feed = feedparser.parse(io.BytesIO(data), sanitize_html=False, resolve_relative_uris=False)
    source = _plain(feed.feed.get("title", ""))
    extracts: list[Extract] = []
    empty = short = 0
    seen: set[str] = set()
    for number, entry in enumerate(feed.entries[:_MOST_ENTRIES], 1):
        whole = any((c.get("value") or "").strip() for c in entry.get("content", ()))
        found = _extract(entry, number, source)
        if found is None:
            empty += 1
        else:
            part = found.part if found.part not in seen else f"#{number}"
            seen.add(part)
            extracts.append(replace(found, part=part))
            short += not whole and entry.get("summary") is not None
    if not extracts:
        raise UnreadableFile(name, "holds no entry with text; nothing was added")
    told = []
    if feed.bozo and not isinstance(feed.bozo_exception, feedparser.CharacterEncodingOverride):
        told.append("the feed is not well formed; what could be told of it was read")
    if empty:
        told.append(f"{empty} entries without text were left out")
    if short and short < len(extracts):
        told.append(f"of {short} entries only the summary is there")
    if len(feed.entries) > _MOST_ENTRIES:
        told.append(f"only the first {_MOST_ENTRIES:,} entries were read")
    return [replace(extracts[0], notices=tuple(told)), *extracts[1:]]


def _extract(entry: Any, number: int, source: str) -> Extract | None:  # noqa: ANN401 feedparser's
    """An entry as a document: the longest of its texts; None where it has none."""
    texts = [c.get("value") or "" for c in entry.get("content", ())] or [entry.get("summary", "")]
    paragraphs = list(_paragraphs(max(texts, key=len)))
    if not paragraphs:
        return None
    title = _plain(entry.get("title", ""))
    names = [a.get("name", "").strip() for a in entry.get("authors", ())]
    authors = "、".join(n for n in names if n) or entry.get("author", "").strip()
    printed = ["".join("".join(p.lines).split()) for p in paragraphs[:3]]
    head = []
    if title and "".join(title.split()) in printed:
        at = printed.index("".join(title.split()))
        paragraphs[at] = Paragraph(paragraphs[at].lines, BlockKind.TITLE)
    elif title:
        head.append(Paragraph((title,), BlockKind.TITLE))
    if is_head(authors) and not any("".join(authors.split()) in p for p in printed):
        head.append(Paragraph((authors,), BlockKind.BYLINE))
    said = {
        "title": title,
        "authors": authors,
        "published": entry.get("published") or entry.get("updated") or "",
        "source": _plain(entry.get("source", {}).get("title", "")) or source,
        "section": _plain(next((t.get("term") or "" for t in entry.get("tags", ())), "")),
        "url": entry.get("link", ""),
        "kind": "article",
    }
    part = "#" + (entry.get("id") or entry.get("link") or str(number))
    return Extract(tuple(head + paragraphs), {k: v for k, v in said.items() if v}, "feed", part)


def _paragraphs(text: str) -> Iterator[Paragraph]:
    """The paragraphs of an entry's text, which is HTML, or plain lines."""
    if not text.strip():
        return
    if "<" in text:
        yield from html.blocks(html.tree("", text))
        return
    for line in unescape(text).splitlines():
        if line.strip():
            yield Paragraph((line.strip(),))


def _plain(text: str) -> str:
    """A title without the tags and line ends that feeds put into it."""
    if "<" in text:
        return " ".join(" ".join(html.tree("", text).text_content().split()).split())
    return " ".join(unescape(text).split())


def _addresses(name: str, data: bytes) -> list[str]:
    """What a sitemap, or an index of sitemaps, names: in order, without repeats."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False,
                             huge_tree=False)  # fmt: skip
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise UnreadableFile(name, f"is a damaged sitemap ({error.msg})") from error
    found = [(loc.text or "").strip() for loc in root.iterfind("{*}*/{*}loc")]
    return list(dict.fromkeys(a for a in found if a))[:_MOST_PAGES]


def beside(sitemap: Path, addresses: Sequence[str]) -> tuple[list[Path], str]:
    """The files beside a sitemap that are the pages it names.

    A copy of a site has the folders of its addresses, from its root or from a folder of it on;
    /news/ may lie there as news/index.html and /news/12 as news/12.html. A file outside the
    sitemap's folder is never taken, whatever leads there.

    Args:
        sitemap: its resolved path.
        addresses: the pages that it names.

    Returns:
        The files, in order; and a sentence on the pages that are not there, or "".
    """
    folder = sitemap.parent
    found: dict[Path, None] = {}
    missing = []
    for address in addresses:
        path = next((p for p in _places(folder, address) if p.is_file()), None)
        if path is None or path == sitemap:
            missing.append(address)
        else:
            found[path] = None
    if not missing:
        return list(found), ""
    some = "、".join(missing[:_NAMED]) + (" …" if len(missing) > _NAMED else "")
    told = f"of {len(addresses)} pages that it names {len(missing)} do not lie beside it ({some})"
    return list(found), told + "; nothing is fetched"


def _places(folder: Path, address: str) -> Iterator[Path]:
    """Where a page may lie, likeliest first, within the folder alone."""
    try:
        parts = [p for p in unquote(urlsplit(address).path).split("/") if p not in ("", ".")]
    except ValueError:
        return
    if ".." in parts or any("\0" in p or "\\" in p for p in parts):
        return
    for start in range(max(1, len(parts))):
        place = folder.joinpath(*parts[start:])
        names = [place] if PurePosixPath(place).suffix and parts else []
        names += [place.with_name(place.name + s) for s in _PAGES if parts]
        names += [place / f"index{s}" for s in _PAGES]
        for path in names:
            try:
                resolved = path.resolve()
            except (OSError, RuntimeError):
                continue
            if resolved.is_relative_to(folder):
                yield resolved

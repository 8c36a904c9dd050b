"""The office and book formats that are ZIPs of XML: DOCX, ODT and EPUB.

python-docx knows a DOCX's paragraphs, styles and tables. An ODT is one XML file, and an EPUB a list
of web pages, for which lxml is enough. No parser here resolves entities or fetches anything, and
what the members unpack to is bounded.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from rag.errors import UnreadableFile
from rag.readers import html
from rag.readers.extract import Extract, Paragraph
from rag.types import BlockKind

_MIB = 1024 * 1024
_MOST_BYTES = 256 * _MIB  # of all members together
_MOST_MEMBERS = 10_000
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_NOT_READ = frozenset({f"{_TEXT}tracked-changes", f"{_TEXT}sequence-decls", f"{_TEXT}note"})
_DUBLIN_CORE = {
    "title": "title", "creator": "authors", "date": "published", "publisher": "source",
}  # fmt: skip


def parse_docx(name: str, data: bytes) -> list[Extract]:
    """The article of a Word file; headings and titles by their styles, table rows as lines.

    Raises:
        UnreadableFile: it is no DOCX, or is encrypted.
    """
    import docx
    from docx.table import Table

    _checked(name, data)
    read = docx.Document(io.BytesIO(data))
    paragraphs: list[Paragraph] = []
    for block in read.iter_inner_content():
        if isinstance(block, Table):
            paragraphs += _table_rows(block)
            continue
        style = (block.style.name or "") if block.style is not None else ""
        lines = tuple(line for line in block.text.split("\n") if line.strip())
        if lines:
            paragraphs.append(Paragraph(lines, _by_style(style, paragraphs)))
    said = read.core_properties
    metadata = {"title": said.title or "", "authors": said.author or ""}
    stated = _printed(metadata, paragraphs)
    return [Extract(tuple(paragraphs), {"kind": "article", **stated} if _one_title(paragraphs)
                    else stated, "docx")]  # fmt: skip


def _table_rows(table: Any) -> Iterator[Paragraph]:  # noqa: ANN401 python-docx's table
    for row in table.rows:
        cells: list[str] = []
        for cell in row.cells:
            said = " ".join(cell.text.split())
            if said and (not cells or cells[-1] != said):  # a merged cell is given again
                cells.append(said)
        if cells:
            yield Paragraph((" | ".join(cells),))


def _by_style(style: str, before: list[Paragraph]) -> BlockKind | None:
    name = style.lower()
    titled = any(p.kind is BlockKind.TITLE for p in before)
    if name == "title" or (name in ("heading 1", "标题 1") and not before):
        return BlockKind.HEADING if titled else BlockKind.TITLE
    if name.startswith(("heading", "标题", "subtitle")):
        return BlockKind.HEADING
    return BlockKind.CAPTION if name == "caption" else None


def parse_odt(name: str, data: bytes) -> list[Extract]:
    """The article of an OpenDocument text.

    Raises:
        UnreadableFile: it is no ODT, or is encrypted.
    """
    with _checked(name, data) as archive:
        body = _xml(name, archive, "content.xml")
        meta = _xml(name, archive, "meta.xml") if "meta.xml" in archive.namelist() else None
    paragraphs: list[Paragraph] = []
    for element in body.iter(f"{_TEXT}p", f"{_TEXT}h", f"{_TABLE}table-row"):
        above = [a.tag for a in element.iterancestors()]
        if _NOT_READ.intersection(above) or f"{_TABLE}table-row" in above:
            continue
        if element.tag == f"{_TABLE}table-row":
            cells = ["".join(c.itertext()).strip() for c in element.iter(f"{_TABLE}table-cell")]
            said = " | ".join(cell for cell in cells if cell)
            kind = None
        else:
            said = _odt_text(element)
            style = (element.get(f"{_TEXT}style-name") or "").lower()
            kind = _by_style("title" if style == "title" else "", paragraphs)
            if element.tag == f"{_TEXT}h":
                level = element.get(f"{_TEXT}outline-level") or "1"
                kind = _by_style(f"heading {level}", paragraphs)
        lines = tuple(line for line in said.split("\n") if line.strip())
        if lines:
            paragraphs.append(Paragraph(lines, kind))
    stated = _printed(_dublin_core(meta), paragraphs)
    if _one_title(paragraphs):
        stated["kind"] = "article"
    return [Extract(tuple(paragraphs), stated, "odt")]


def _odt_text(element: Any) -> str:  # noqa: ANN401 lxml is untyped
    said = element.text or ""
    for node in element:
        if node.tag == f"{_TEXT}line-break":
            said += "\n"
        elif node.tag in (f"{_TEXT}s", f"{_TEXT}tab"):
            said += " "
        elif isinstance(node.tag, str) and node.tag not in _NOT_READ:
            said += _odt_text(node)
        said += node.tail or ""
    return said


def parse_epub(name: str, data: bytes) -> list[Extract]:
    """The chapters of a book or the articles of a magazine, each a document, in reading order.

    Raises:
        UnreadableFile: it is no EPUB.
    """
    with _checked(name, data) as archive:
        container = _xml(name, archive, "META-INF/container.xml")
        root = next((r.get("full-path") for r in container.iter("{*}rootfile")), None)
        if root is None:
            raise UnreadableFile(name, "names no package; it is no EPUB that can be read")
        package = _xml(name, archive, root)
        book = _dublin_core(package)
        if package.find(".//{*}meta[@name='calibre:timestamp']") is not None:
            book.pop("source", None)
        listed = {i.get("id"): i for i in package.iter("{*}item")}
        spine = [listed[r.get("idref")] for r in package.iter("{*}itemref")
                 if r.get("idref") in listed]  # fmt: skip
        extracts, unread = [], 0
        for number, item in enumerate(spine, 1):
            path = posixpath.normpath(
                posixpath.join(posixpath.dirname(root), unquote(item.get("href") or ""))
            )
            if path not in archive.namelist() or "nav" in (item.get("properties") or "").split():
                unread += path not in archive.namelist()
                continue
            chapter = _chapter(name, archive.read(path))
            if chapter:
                extracts.append(_of_chapter(chapter, book, f"#chapter={number}"))
    if not extracts:
        raise UnreadableFile(name, "holds no text; nothing was added")
    if unread:
        told = (f"{unread} chapters that it lists are not in it",)
        first = extracts[0]
        extracts[0] = Extract(first.paragraphs, first.metadata, first.format, first.part, told)
    return extracts


def _chapter(name: str, data: bytes) -> list[Paragraph]:
    text = html.source(name, data)
    if not text.strip():
        return []
    found = list(html.blocks(html.tree(name, text)))
    for number, paragraph in enumerate(found[:3]):
        if paragraph.kind is BlockKind.HEADING:
            found[number] = Paragraph(paragraph.lines, BlockKind.TITLE)
            break
    return found


def _of_chapter(chapter: list[Paragraph], book: dict[str, str], part: str) -> Extract:
    """A chapter; the book's title becomes its source, where the publisher is not named."""
    metadata = {k: v for k, v in book.items() if k in ("published", "source")}
    if "title" in book:
        metadata.setdefault("source", book["title"])
    title = next((p for p in chapter if p.kind is BlockKind.TITLE), None)
    if title is not None:
        metadata |= {"title": "".join(title.lines), "kind": "article"}
    return Extract(tuple(chapter), metadata, "epub", part)


def parse_rtf(name: str, data: bytes) -> list[Extract]:
    """The text of an RTF file.

    Raises:
        UnreadableFile: it is no RTF.
    """
    from striprtf.striprtf import rtf_to_text

    if not data.lstrip().startswith(b"{\\rtf"):
        raise UnreadableFile(name, "is no RTF; check its ending")
    text = rtf_to_text(data.decode("latin-1"), encoding="gb18030", errors="replace")
    return [Extract(tuple(Paragraph((row,)) for row in text.split("\n") if row.strip()), {}, "rtf")]


def _checked(name: str, data: bytes) -> zipfile.ZipFile:
    """The file as a ZIP whose members together are not too large."""
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        reason = "is encrypted or of an old kind; save it as .docx without a password"
        raise UnreadableFile(name, reason)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile as error:
        reason = f"is damaged or not what its ending says ({error}); check it"
        raise UnreadableFile(name, reason) from error
    listed = archive.infolist()
    if len(listed) > _MOST_MEMBERS or sum(i.file_size for i in listed) > _MOST_BYTES:
        raise UnreadableFile(name, f"unpacks to more than {_MOST_BYTES // _MIB} MiB; cut it up")
    if any(i.flag_bits & 1 for i in listed):
        raise UnreadableFile(name, "is encrypted; save it without its password")
    return archive


def _xml(name: str, archive: zipfile.ZipFile, member: str) -> Any:  # noqa: ANN401 lxml is untyped
    """A member as a tree; entities are not resolved and nothing is fetched."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False,
                             huge_tree=False)  # fmt: skip
    try:
        return etree.fromstring(archive.read(member), parser)
    except KeyError as error:
        raise UnreadableFile(name, f"holds no {member}; it is not what its ending says") from error
    except etree.XMLSyntaxError as error:
        raise UnreadableFile(name, f"{member} in it is damaged ({error.msg})") from error


def _dublin_core(root: Any) -> dict[str, str]:  # noqa: ANN401 lxml is untyped
    """Title, authors, date and publisher; several authors are parted by 、."""
    found: dict[str, str] = {}
    for tag, key in _DUBLIN_CORE.items():
        said = [] if root is None else [(e.text or "").strip() for e in root.iter(_DC + tag)]
        if any(said):
            found[key] = "、".join(s for s in said if s) if key == "authors" else said[0]
    return found


def _printed(metadata: dict[str, str], paragraphs: list[Paragraph]) -> dict[str, str]:
    """What the file states of itself, where it prints it too: programs fill in the rest."""
    text = "".join("".join("".join(p.lines).split()) for p in paragraphs[:6])
    return {k: v for k, v in metadata.items() if v and "".join(v.split()) in text}


def _one_title(paragraphs: list[Paragraph]) -> bool:
    return sum(p.kind is BlockKind.TITLE for p in paragraphs) == 1

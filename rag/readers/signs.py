"""What a file is by its first bytes, where its ending says something else.

Files are renamed, downloaded under a wrong name, saved as "Word" by programs that write HTML. Only
signs that no text begins with are looked at, so that no text is taken for something else.
"""

from __future__ import annotations

import io
import re
import zipfile

from rag.errors import UnreadableFile
from rag.readers import parsers

_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BEGINNINGS = (
    (b"{\\rtf", ".rtf"), (b"\x89PNG\r\n", ".png"), (b"\xff\xd8\xff", ".jpg"),
    (b"II*\0", ".tif"), (b"MM\0*", ".tif"),
    (b"\x1f\x8b", ".gz"), (b"\xfd7zXZ\0", ".xz"), (b"\x28\xb5\x2f\xfd", ".zst"),
)  # fmt: skip
_PAGE = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}>\s*)?<(?:!doctype\s+html|html)\b", re.I
)
_FEED = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*<\?xml[^>]{0,200}\?>\s*(?:<!--.{0,500}?-->\s*)*"
    rb"<(?:rss|feed|rdf:RDF|urlset|sitemapindex)\b", re.I | re.S,
)  # fmt: skip


def told(name: str, suffix: str, data: bytes) -> str:
    """The ending that fits a file's content.

    Args:
        name: for messages.
        suffix: the ending that it has, in lower case.
        data: its content.

    Returns:
        `suffix`, unless the content surely is of another format that is read.

    Raises:
        UnreadableFile: its content is of a format that is not read, or packed.
    """
    if data.startswith(_OLD_OFFICE) and suffix not in (".docx", ".odt", ".epub"):
        raise UnreadableFile(
            name, "is an old Office file, or encrypted; save it as .docx without a password"
        )
    found = _sign(data)
    if found is None or _same(found, suffix):
        return suffix
    if found in (".gz", ".xz", ".zst"):
        reason = f"is packed, but its name does not end in {found}; rename it"
        raise UnreadableFile(name, reason)
    return found


def _sign(data: bytes) -> str | None:
    if b"%PDF-" in data[:1024]:
        return ".pdf"
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zipped(data)
    found = next((suffix for sign, suffix in _BEGINNINGS if data.startswith(sign)), None)
    if found is None and data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        found = ".webp"
    if found is None and _FEED.match(data[:4000]):
        found = ".xml"
    if found is None and _PAGE.match(data[:4000]):
        found = ".html"
    return found


def _zipped(data: bytes) -> str | None:
    """Which of the formats that are ZIPs; None where the ZIP is damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            kind = archive.read("mimetype")[:100] if "mimetype" in names[:3] else b""
    except (zipfile.BadZipFile, ValueError, OSError, RuntimeError, NotImplementedError, KeyError):
        return None
    if "word/document.xml" in names:
        return ".docx"
    if b"opendocument.text" in kind:
        return ".odt"
    return ".epub" if b"epub" in kind else ".zip"


def _same(found: str, suffix: str) -> bool:
    """Whether both endings are read by the same parser, or the difference is none."""
    if found == ".zip":  # its own parser says better what is missing in it
        return suffix in (".docx", ".odt", ".epub", ".zip")
    if found == ".html" and suffix in (".md", ".markdown"):
        return True  # Markdown may be HTML all through
    mine, other = parsers.SUFFIXES.get(found), parsers.SUFFIXES.get(suffix)
    return mine is not None and mine == other

"""The formats that a worker process parses: which endings they have, and by whom they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from rag.readers import feeds, html, opened, pdf, scans
from rag.readers.extract import Extract

Parser = Callable[[str, bytes], list[Extract]]

PARSERS: Mapping[str, Parser] = MappingProxyType(
    {
        "html": html.parse,
        "pdf": pdf.parse,
        "docx": opened.parse_docx,
        "odt": opened.parse_odt,
        "epub": opened.parse_epub,
        "rtf": opened.parse_rtf,
        "feed": feeds.parse,
        "scan": scans.parse,
    }
)
"""A file's name and bytes to what is in it, by the name of the parser."""

SUFFIXES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys((".html", ".htm", ".xhtml", ".shtml"), "html"),
        **dict.fromkeys((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"), "scan"),
        **dict.fromkeys(feeds.SUFFIXES, "feed"),
        **{f".{name}": name for name in ("pdf", "docx", "odt", "epub", "rtf")},
    }
)
"""The parser of each ending."""

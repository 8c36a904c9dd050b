"""The formats that a worker process parses: which endings they have, and by whom they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from rag.readers import html, pdf
from rag.readers.extract import Extract

Parser = Callable[[str, bytes], list[Extract]]

PARSERS: Mapping[str, Parser] = MappingProxyType({"html": html.parse, "pdf": pdf.parse})
"""A file's name and bytes to what is in it, by the name of the parser."""

SUFFIXES: Mapping[str, str] = MappingProxyType(
    {".html": "html", ".htm": "html", ".xhtml": "html", ".shtml": "html", ".pdf": "pdf"}
)
"""The parser of each ending."""

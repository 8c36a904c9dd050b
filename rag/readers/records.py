"""Records: JSON Lines, JSON, CSV, and lists of news, one a line. Each record is a document.

Lines are read one after the other, so that a file may be larger than memory. A document's name is
the file's with "#" and the number of its line (of its record, in CSV and JSON) behind it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from rag.errors import UnreadableFile
from rag.readers import tables
from rag.readers.decode import clean, decode
from rag.readers.matter import ALLOWED, normalise
from rag.readers.reached import Reached
from rag.readers.text import text_pieces
from rag.types import Document

STREAMED = frozenset({".jsonl", ".ndjson", ".csv", ".tsv"})
LISTS = frozenset({".txt", ".text"})
SUFFIXES = STREAMED | {".json"}
LOOKED_AT = 65_536
"""Bytes from which a list of news is told from a text."""

_LONGEST = 8 * 1024 * 1024  # bytes of one record
_TEXT_KEYS = (
    "text", "content", "body", "article", "full_text", "fulltext", "paragraphs",
    "正文", "内容", "內容", "全文", "文本",
)  # fmt: skip
_TITLE_KEYS = ("headline", "题名", "題名", "新闻标题")
_WRAPPERS = ("articles", "records", "items", "data", "docs", "文章")
_FEWEST = 3  # lines that make a list
_NEWS = re.compile(
    r"(?P<date>\d{4}[-/]\d{1,2}[-/]\d{1,2})(?:[ T]\d{1,2}:\d{2}(?::\d{2})?)?"
    r"(?:[，,\t|：:]|\s{1,4}(?=\D))\s*(?:(?:正文|内容|內容)[：:])?\s*"
)


def read(
    name: str,
    suffix: str,
    stream: BinaryIO,
    fields: Mapping[str, str] | None,
    reached: Reached | None = None,
) -> Iterator[Document | UnreadableFile]:
    """The records of a JSON Lines or CSV stream.

    Args:
        name: of the file.
        suffix: its ending, one of `STREAMED`.
        stream: its content.
        fields: names of fields by the key that they give ("text": "正文"); the usual names are
            known without.
        reached: where to begin, moved on from record to record; None: at the start.

    Yields:
        A document for each record; for one that cannot be read, why.
    """
    if suffix in (".jsonl", ".ndjson"):
        yield from _json_lines(name, stream, fields or {}, reached)
    else:
        yield from _csv(name, stream, "\t" if suffix == ".tsv" else None, fields or {}, reached)


def read_json(
    name: str, data: bytes, fields: Mapping[str, str] | None
) -> Iterator[Document | UnreadableFile]:
    """The records of a JSON file: an object, a list of objects, or an object with such a list.

    Raises:
        UnreadableFile: it is none of these.
    """
    text = decode(name, data).text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(name, f"is no JSON ({error}); check it") from error
    if isinstance(value, dict):
        wrapped = next((value[k] for k in _WRAPPERS if isinstance(value.get(k), list)), None)
        value = [value] if wrapped is None else wrapped
    if not isinstance(value, list):
        raise UnreadableFile(name, "holds neither an object nor a list of them")
    for number, record in enumerate(value, 1):
        part = f"#{number}" if len(value) > 1 else ""
        yield _document(f"{name}{part}", record, "json", fields or {})


def is_list(first: bytes) -> bool:
    """Whether a text that begins so is a list of news: every line begins with a date."""
    lines = first.decode("utf-8", "ignore").lstrip("\ufeff").split("\n")
    whole = [line for line in lines[: -1 if len(first) >= LOOKED_AT else None] if line.strip()]
    if len(first) >= LOOKED_AT and not whole:
        return False
    return len(whole) >= _FEWEST and all(_NEWS.match(line) for line in whole[:50])


def read_list(
    name: str, first: bytes, stream: BinaryIO, reached: Reached | None = None
) -> Iterator[Document | UnreadableFile]:
    """The news of a list; `first` is what was read of the stream to see that it is one."""
    for number, raw in _lines(name, stream, first, reached):
        if isinstance(raw, UnreadableFile):
            yield raw
            continue
        text = raw.decode("utf-8", "replace").strip().removeprefix("\ufeff")
        found = _NEWS.match(text)
        record = {"text": text[found.end() :] if found else text, "kind": "article"}
        if found:
            record["date"] = found["date"]
        if text:
            yield _document(f"{name}#{number}", record, "list", {})


def _lines(
    name: str, stream: BinaryIO, first: bytes = b"", reached: Reached | None = None
) -> Iterator[tuple[int, bytes | UnreadableFile]]:
    """The lines of a stream with their numbers, from 1; one too long is passed over and told."""
    place = reached or Reached()
    if place.seek(stream):
        first = b""
    *whole, kept = first.split(b"\n")
    number = place.number
    for line in whole:
        number += 1
        place.move(number, len(line) + 1)
        yield number, line
    while True:
        line = stream.readline(_LONGEST + 1)
        if not line and not kept:
            return
        number += 1
        size = len(kept) + len(line)
        too_long = len(line) > _LONGEST
        while too_long and line and not line.endswith(b"\n"):
            line = stream.readline(_LONGEST + 1)
            size += len(line)
        place.move(number, size)
        if too_long:
            reason = f"is longer than {_LONGEST // 1_048_576} MiB; it was passed over"
            yield number, UnreadableFile(f"{name}#{number}", reason)
        else:
            yield number, kept + line
        kept = b""


def _json_lines(
    name: str, stream: BinaryIO, fields: Mapping[str, str], reached: Reached | None
) -> Iterator[Document | UnreadableFile]:
    for number, raw in _lines(name, stream, reached=reached):
        if isinstance(raw, UnreadableFile):
            yield raw
        elif raw.strip():
            part = f"{name}#{number}"
            try:
                record = json.loads(decode(part, raw).text)
            except UnreadableFile as error:
                yield error
            except (ValueError, RecursionError) as error:
                yield UnreadableFile(part, f"is no JSON ({error})")
            else:
                yield _document(part, record, "jsonl", fields)


def _csv(
    name: str,
    stream: BinaryIO,
    delimiter: str | None,
    fields: Mapping[str, str],
    reached: Reached | None,
) -> Iterator[Document | UnreadableFile]:
    for number, row in tables.rows(name, stream, delimiter, reached):
        if isinstance(row, UnreadableFile):
            yield row
        else:
            yield _document(f"{name}#{number}", row, "csv", fields)


def _document(
    uri: str,
    record: Any,  # noqa: ANN401 any JSON
    kind: str,
    fields: Mapping[str, str],
) -> Document | UnreadableFile:
    """A record as a document, or why it is none."""
    if not isinstance(record, Mapping):
        return UnreadableFile(uri, "is no object with named fields")
    values = _renamed(record, fields)
    raw = _said(values)
    if raw is None:
        named = "、".join(list(map(str, record))[:8])
        return UnreadableFile(uri, f"has no text (its fields: {named}); name it: --map text=FIELD")
    text, dropped = clean(raw)
    pieces, notices = text_pieces(text)
    if not pieces:
        return UnreadableFile(uri, "its text is empty")
    try:
        metadata, more = normalise(uri, values)
    except UnreadableFile as error:
        return error
    told = (*notices, *more)
    if dropped:
        told += (f"{dropped} control or invisible characters were left out",)
    metadata.pop("notices", None)
    if told:
        metadata["notices"] = told
    digest = hashlib.sha256(json.dumps(record, sort_keys=True, default=str).encode()).hexdigest()
    return Document(uri, text, pieces, metadata, kind, "", digest)


def _renamed(record: Mapping[str, object], fields: Mapping[str, str]) -> dict[str, object]:
    """A record's values under the names that Wenju knows."""
    values = {str(key): value for key, value in record.items() if value not in (None, "")}
    for key, field in fields.items():
        if field in values:
            values[key] = values.pop(field)
    for key in _TITLE_KEYS:
        if "title" not in values and key in values:
            values["title"] = values.pop(key)
    for key in ("kind", "language"):  # what others mean by these names is not what Wenju means
        if str(values.get(key, "")).lower() not in ALLOWED[key]:
            values.pop(key, None)
    values.setdefault("kind", "article")
    return values


def _said(values: dict[str, object]) -> str | None:
    """Take the text out of a record's values; None where it has none."""
    key = next((key for key in _TEXT_KEYS if key in values), None)
    if key is None:
        return None
    said = values.pop(key)
    return "\n\n".join(map(str, said)) if isinstance(said, list) else str(said)

"""CSV and TSV to records, row by row, with the place at which each row ends."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import BinaryIO

from rag.errors import UnreadableFile
from rag.readers.decode import decode
from rag.readers.reached import Reached

_LOOKED_AT = 262_144  # bytes that tell encoding and header
_LONGEST = 8 * 1024 * 1024  # characters of one field, and of a line


def rows(
    name: str, stream: BinaryIO, delimiter: str | None, reached: Reached | None
) -> Iterator[tuple[int, dict[str, str] | UnreadableFile]]:
    """The rows of a table below its header, numbered from 1.

    Args:
        name: of the file.
        stream: its content, at its start.
        delimiter: None to tell it from the header.
        reached: where to begin, moved on from row to row; None where nobody goes on later.

    Yields:
        A row by the header's fields; or, at the end, why the rest cannot be read.

    Raises:
        UnreadableFile: it is empty, or no text.
    """
    first = stream.read(_LOOKED_AT)
    if not first.strip():
        raise UnreadableFile(name, "is empty; nothing was added")
    cut = first.rfind(b"\n") + 1 if len(first) == _LOOKED_AT else len(first)
    encoding = decode(name, first[: cut or len(first)]).encoding
    joined = io.BufferedReader(_Joined(first, stream), 65_536)
    # A place is a number of bytes, which can be told where a line ends at a byte 10.
    plain = b"\n" in first and "\n".encode(encoding.removesuffix("-sig")) == b"\n"
    place = reached if plain and reached is not None else Reached()
    lines = _Lines(joined, encoding) if plain else _decoded(joined, encoding)
    csv.field_size_limit(_LONGEST)
    header = next(lines)
    if delimiter is None:
        delimiter = max(",;\t|", key=header.count)
    reader = csv.reader(_chain(header, lines), delimiter=delimiter)
    try:
        fields = [field.strip() for field in next((row for row in reader if row), [])]
    except csv.Error as error:
        raise UnreadableFile(name, f"is no CSV ({error}); nothing was added") from error
    if isinstance(lines, _Lines) and place.seek(stream):
        lines = _Lines(io.BufferedReader(_Joined(b"", stream), 65_536), encoding)
        reader = csv.reader(lines, delimiter=delimiter)
    elif isinstance(lines, _Lines):
        place.move(0, lines.taken())
    yield from _rows(name, reader, fields, lines, place)


def _rows(
    name: str,
    reader: Iterator[list[str]],
    fields: list[str],
    lines: Iterator[str],
    place: Reached,
) -> Iterator[tuple[int, dict[str, str] | UnreadableFile]]:
    number = place.number
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            reason = f"is no CSV ({error}); the rest was not read"
            yield number + 1, UnreadableFile(f"{name}#{number + 1}", reason)
            return
        if row is None:
            return
        if not row:  # a blank line
            continue
        number += 1
        if isinstance(lines, _Lines):
            place.move(number, lines.taken())
        pairs = zip(fields, row, strict=False)  # a row may be short, or have more than is named
        yield number, {field: value for field, value in pairs if field and value}


class _Lines(Iterator[str]):
    """The lines of a stream, line ends kept, and how many bytes they take."""

    def __init__(self, stream: io.BufferedReader[_Joined], encoding: str) -> None:
        self._stream, self._encoding, self._bytes = stream, encoding, 0

    def __next__(self) -> str:
        line = self._stream.readline(_LONGEST)
        if not line:
            raise StopIteration
        self._bytes += len(line)
        return line.decode(self._encoding, "replace")

    def taken(self) -> int:
        """The bytes of the lines given since this was asked last."""
        count, self._bytes = self._bytes, 0
        return count


def _decoded(stream: io.BufferedReader[_Joined], encoding: str) -> Iterator[str]:
    """The lines of a stream in any encoding."""
    text = io.TextIOWrapper(stream, encoding=encoding, errors="replace", newline="")
    while line := text.readline(_LONGEST):
        yield line


class _Joined(io.RawIOBase):
    """Bytes that were read already, then the rest of their stream."""

    def __init__(self, first: bytes, rest: BinaryIO) -> None:
        self._first, self._rest = io.BytesIO(first), rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]  # any buffer
        data = self._first.read(len(view)) or self._rest.read(len(view))
        view[: len(data)] = data
        return len(data)


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest

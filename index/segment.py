"""One immutable segment on disk: a folder of arrays that are written once and memory-mapped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.columns import POSTING, ROW, Columns, Vectors
from index.dense import SQ8_ROWS, build_sq8, open_sq8
from index.errors import IndexDamaged
from index.files import array_blocks, check_file, map_array, publish, write_file
from index.strings import Strings

# A file's size in bytes and SHA-256.
Marks = Mapping[str, tuple[int, str]]

_SQ8 = "sq8.faiss"


@dataclass(frozen=True, slots=True)
class Segment:
    """An opened segment.

    Attributes:
        name: of its folder.
        marks: of its files.
        vectors: float32, (n, dim), memory-mapped.
        sq8: an opened FAISS index, or None where exact search is quick enough.
    """

    name: str
    marks: Marks
    columns: Columns
    vectors: NDArray[np.float32]
    sq8: Any

    def __len__(self) -> int:
        return len(self.columns.ids)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(size for size, _ in self.marks.values())


def write_segment(home: Path, name: str, columns: Columns, vectors: Vectors) -> Marks:
    """Write a new segment; it is on the disk, under its name, when this returns.

    Raises:
        OSError: it could not be written.
    """
    folder = home / f".tmp-{name}"
    folder.mkdir()
    marks: dict[str, tuple[int, str]] = {}

    def put(file: str, array: NDArray[Any]) -> None:
        blocks = array_blocks([array], array.dtype, array.shape)
        marks[file] = write_file(folder / file, blocks)

    for title, strings in _tables(columns).items():
        put(f"{title}.npy", strings.data)
        put(f"{title}-ends.npy", strings.ends)
    put("rows.npy", columns.rows)
    put("starts.npy", columns.starts)
    put("postings.npy", columns.postings)
    shape = (len(vectors), vectors.dim)
    blocks = array_blocks(vectors.blocks(), np.dtype("<f4"), shape)
    marks["vectors.npy"] = write_file(folder / "vectors.npy", blocks)
    if len(vectors) >= SQ8_ROWS:
        marks[_SQ8] = write_file(folder / _SQ8, [build_sq8(vectors).data])
    publish(folder, home / name)
    return marks


def open_segment(home: Path, name: str, marks: Marks) -> Segment:
    """Compare every file with its checksum and map it.

    Raises:
        IndexDamaged: a file is not what was written.
        FileNotFoundError: a file is missing.
    """
    folder = home / name
    for file, (size, sha256) in marks.items():
        check_file(folder / file, size, sha256)

    def strings(title: str) -> Strings:
        return Strings(map_array(folder / f"{title}.npy"), map_array(folder / f"{title}-ends.npy"))

    columns = Columns(
        ids=strings("ids"),
        groups=strings("groups"),
        rows=map_array(folder / "rows.npy"),
        vocabulary=strings("vocabulary"),
        starts=map_array(folder / "starts.npy"),
        postings=map_array(folder / "postings.npy"),
    )
    if columns.rows.dtype != ROW or columns.postings.dtype != POSTING:
        raise IndexDamaged(folder, "another version of the program wrote it")
    sq8 = open_sq8(folder / _SQ8) if _SQ8 in marks else None
    return Segment(name, marks, columns, map_array(folder / "vectors.npy"), sq8)


def _tables(columns: Columns) -> dict[str, Strings]:
    return {"ids": columns.ids, "groups": columns.groups, "vocabulary": columns.vocabulary}

"""One immutable segment on disk: a folder of arrays that are written once and memory-mapped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.columns import ROW, Columns, Live, Rows
from index.dense import EXACT, Dense, build, open_ann, scanned
from index.errors import IndexDamaged
from index.files import array_blocks, check_file, map_array, write_file
from index.parts import Kept, differing
from index.postings import COUNTS, POSTING, Postings
from index.strings import Strings

# A file's size in bytes and hash.
Marks = Mapping[str, tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is noted of a segment when it is written.

    Attributes:
        files: their marks.
        dense: how its vectors are searched, and how well (`index.dense.Built`).
    """

    files: Marks
    dense: Mapping[str, Any]


_ANN = "ann.faiss"


@dataclass(frozen=True, slots=True)
class Segment:
    """An opened segment.

    Attributes:
        name: of its folder.
        facts: of its files and of its dense index.
        vectors: (n, dim), memory-mapped; float32 unless there is an index of them.
        parts: int8, (m, dim), memory-mapped; `columns.part_ends` says whose.
        dense: the same vectors as they are searched.
    """

    name: str
    facts: Facts
    columns: Columns
    vectors: Kept
    parts: NDArray[np.int8]
    dense: Dense

    def __len__(self) -> int:
        return len(self.columns.ids)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(size for size, _ in self.facts.files.values())

    def rows(self, live: NDArray[np.bool_] | None) -> Live:
        """What a merge takes from it."""
        return Live(self.columns, self.vectors, self.parts, live)


def write_segment(folder: Path, rows: Rows) -> Facts:
    """Write a new segment's files into a folder, which is made; each is on the disk on return.

    Raises:
        OSError: it could not be written.
    """
    folder.mkdir()
    marks: dict[str, tuple[int, str]] = {}

    def put(file: str, blocks: Iterable[NDArray[Any]], dtype: Any, *shape: int) -> None:  # noqa: ANN401
        marks[file] = write_file(folder / file, array_blocks(blocks, np.dtype(dtype), shape))

    columns, own = rows.columns, rows.vectors
    postings = columns.postings
    arrays = {"rows": columns.rows, "part-ends": columns.part_ends, "postings": postings.data,
              "postings-ends": postings.ends, "counts": postings.counts}  # fmt: skip
    for title, strings in _tables(columns).items():
        kept = (strings.data, strings.ends, strings.keys, strings.places)
        arrays |= dict(zip(_files(title), kept, strict=True))
    for title, array in arrays.items():
        put(f"{title}.npy", [array], array.dtype, *array.shape)
    put("parts.npy", rows.parts.blocks(), "i1", len(rows.parts), rows.parts.dim)
    if not scanned(len(own), own.dim):
        put("vectors.npy", own.blocks(), "<f4", len(own), own.dim)  # FAISS scans them as they are
        return Facts(marks, EXACT)
    mean, scales = own.mean, []

    def codes() -> Iterator[NDArray[np.int8]]:
        for block in own.blocks():
            whole, scale = differing(block, mean)
            scales.append(scale)
            yield whole

    put("vectors.npy", codes(), "i1", len(own), own.dim)
    put("scales.npy", scales, "<f4", len(own))
    put("mean.npy", [mean], "<f4", own.dim)
    built = build(own, _vectors(folder), rows.parts)
    marks[_ANN] = write_file(folder / _ANN, [built.index.data])
    return Facts(marks, built.facts)


def open_segment(folder: Path, name: str, facts: Facts) -> Segment:
    """Compare every file with its checksum and map it.

    Raises:
        IndexDamaged: a file is not what was written.
        FileNotFoundError: a file is missing.
    """
    for file, (size, digest) in facts.files.items():
        check_file(folder / file, size, digest)

    def strings(title: str) -> Strings:
        return Strings(*(map_array(folder / f"{name}.npy") for name in _files(title)))

    columns = Columns(
        ids=strings("ids"),
        groups=strings("groups"),
        rows=map_array(folder / "rows.npy"),
        vocabulary=strings("vocabulary"),
        postings=_postings(folder),
        part_ends=map_array(folder / "part-ends.npy"),
    )
    if columns.rows.dtype != ROW or columns.postings.counts.dtype != COUNTS:
        raise IndexDamaged(folder, "another version of the program wrote it")
    vectors = _vectors(folder)
    ann = open_ann(folder / _ANN) if _ANN in facts.files else None
    dense = Dense(vectors, ann, facts.dense)
    return Segment(name, facts, columns, vectors, map_array(folder / "parts.npy"), dense)


def _postings(folder: Path) -> Postings:
    """What was written; of format 3 it is packed now, in memory."""
    held = map_array(folder / "postings.npy")
    if held.dtype == POSTING:
        return Postings.of(held, map_array(folder / "starts.npy"))
    return Postings(held, map_array(folder / "postings-ends.npy"), map_array(folder / "counts.npy"))


def _vectors(folder: Path) -> Kept:
    codes = map_array(folder / "vectors.npy")
    if codes.dtype != np.int8:
        return Kept.of_format_3(codes)
    return Kept(codes, map_array(folder / "scales.npy"), map_array(folder / "mean.npy"))


def _files(title: str) -> tuple[str, ...]:
    """The names of a table's arrays."""
    return (title, f"{title}-ends", f"{title}-keys", f"{title}-places")


def _tables(columns: Columns) -> dict[str, Strings]:
    return {"ids": columns.ids, "groups": columns.groups, "vocabulary": columns.vocabulary}

"""The index on disk: commit the next generation as one act, open the newest good one.

A commit writes new folders only, brings them to the disk and then replaces CURRENT; it is done
when `commit` returns, and until then nothing of it can be seen. Readers never wait. Only one
process may commit at a time: the caller holds `index.lock.WriterLock`.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.changes import checked, refuse_live, to_merge, without
from index.columns import Columns, Live, Vectors, from_entries, merge
from index.errors import IndexDamaged, IndexUnwritable, ModelMismatch, TokenizerMismatch
from index.files import array_blocks, check_file, publish, write_file
from index.generations import (
    KEPT,
    Manifest,
    Reference,
    collect_garbage,
    current_contents,
    named_in,
    new_name,
    number_of,
    on_disk,
    read_manifest,
    write_current,
)
from index.reader import Reader, as_damage
from index.segment import Marks, write_segment
from index.snapshot import Snapshot, View
from index.tokens import Tokenizer
from index.types import Entry


class Store:
    """The index in a folder. Safe to share between threads; one commit at a time."""

    def __init__(self, path: Path, tokenizer: Tokenizer) -> None:
        """Name the folder; nothing is read yet.

        Args:
            path: made by the first commit.
            tokenizer: cuts what is added and what is asked.
        """
        self._home = path
        self._tokenizer = tokenizer
        self._reader = Reader(path, tokenizer)

    def open(self) -> Snapshot:
        """The newest generation that is whole.

        The first time, every file of it is compared with its checksum (about a second a GB).
        Where one fails, the generation before is opened, and a warning is logged.

        Returns:
            An empty snapshot, generation 0, where none was ever written.

        Raises:
            IndexDamaged: there are generations, but none can be opened.
        """
        return self._reader.open()

    def commit(
        self,
        *,
        add: Sequence[Entry],
        vectors: NDArray[np.float32],
        remove_groups: Collection[str] = (),
        model: str,
    ) -> Snapshot:
        """Write the next generation: the current one less some groups, plus some rows.

        Args:
            add: new rows; a group that is also removed ends with these rows alone.
            vectors: float32, (len(add), dim), rows of length 1; row i is add[i]'s.
            remove_groups: groups to delete; unknown ones are passed over.
            model: the fingerprint of the encoder that made the vectors.

        Returns:
            The new generation, on the disk and current.

        Raises:
            ModelMismatch: the index holds another model's vectors.
            TokenizerMismatch: the index holds another tokeniser's tokens.
            IndexUnwritable: the disk is full or read-only; the generation before stays.
            IndexDamaged: there is an index, but nothing of it can be opened.
            ValueError: ids that occur twice or are live already, or vectors of another shape.
        """
        base = self.open()
        if base.generation:
            if base.model != model:
                raise ModelMismatch(base.model, model)
            if base.indexed_by != self._tokenizer.fingerprint:
                raise TokenizerMismatch(base.indexed_by, self._tokenizer.fingerprint)
        views = without(base.views, remove_groups)
        dim = checked(add, vectors, base.dim)
        refuse_live(views, add)
        return self._write(views, add, vectors, model, dim, base)

    def rebuild(
        self, *, entries: Sequence[Entry], vectors: NDArray[np.float32], model: str
    ) -> Snapshot:
        """Write a generation from nothing; whatever is there, damaged or not, is replaced.

        The older generations go, so this is also how deleted rows leave the disk at once.

        Args:
            entries: all rows.
            vectors: float32, (len(entries), dim), rows of length 1.
            model: the fingerprint of the encoder that made them.

        Raises:
            IndexUnwritable: the disk is full or read-only; what was there stays.
            ValueError: as for `commit`.
        """
        return self._write([], entries, vectors, model, checked(entries, vectors, 0), None)

    def verify(self) -> list[str]:
        """Compare every file of the kept generations with its checksum.

        Returns:
            One sentence a problem; empty when all is well.
        """
        try:
            contents = current_contents(self._home)
            references = named_in(self._home, contents)
        except (IndexDamaged, OSError) as error:
            return [str(as_damage(self._home / "CURRENT", error))]
        if contents is None and any(number_of(n) > 1 for n in on_disk(self._home)):
            return [str(IndexDamaged(self._home / "CURRENT", "it is missing"))]
        problems: list[str] = []
        files: dict[Path, tuple[int, str]] = {}
        for reference in references:
            folder = self._home / reference.name
            files[folder / "manifest.json"] = (reference.size, reference.sha256)
            try:
                manifest = read_manifest(self._home, reference.name)
            except (IndexDamaged, OSError):
                continue  # its checksum, below, says so
            files.update({folder / file: mark for file, mark in manifest.dead.items()})
            for name, marks in manifest.segments.items():
                files.update({self._home / name / file: mark for file, mark in marks.items()})
        for path, (size, sha256) in files.items():
            try:
                check_file(path, size, sha256)
            except (IndexDamaged, OSError) as error:
                problems.append(str(as_damage(path, error)))
        return problems

    def _write(
        self,
        views: Sequence[View],
        add: Sequence[Entry],
        vectors: NDArray[np.float32],
        model: str,
        dim: int,
        base: Snapshot | None,
    ) -> Snapshot:
        """The next generation of these rows. `base` None: no older one is kept."""
        previous = self._previous(base)
        made: list[str] = []
        with self._undone(made):
            self._home.mkdir(parents=True, exist_ok=True)
            kept, merged = to_merge(views, len(add))
            segments: dict[str, Marks] = {
                views[i].segment.name: views[i].segment.marks for i in kept
            }
            for columns, rows in self._new(views, merged, add, vectors):
                name = new_name("seg")
                made.append(name)
                segments[name] = write_segment(self._home, name, columns, rows)
            number = max(self._highest(), base.generation if base else 0) + 1
            name = new_name(f"gen-{number:08d}")
            made.append(name)
            dead = [(views[i].segment.name, views[i].live) for i in kept]
            mark = self._write_generation(name, number, model, dim, segments, dead)
            references = [Reference(number, name, *mark), *previous]
            write_current(self._home, references, model)
        collect_garbage(self._home, references[:KEPT])
        return self.open()

    def _new(
        self,
        views: Sequence[View],
        merged: Sequence[Sequence[int | None]],
        add: Sequence[Entry],
        vectors: NDArray[np.float32],
    ) -> Iterator[tuple[Columns, Vectors]]:
        """The segments to write; None in a group to merge stands for the rows added."""
        for group in merged:
            parts = [Live(views[i].segment.columns, views[i].segment.vectors, views[i].live)
                     for i in group if i is not None]  # fmt: skip
            if None not in group:
                yield merge(parts)
                continue
            columns, rows = from_entries(add, vectors, self._tokenizer)
            if not parts:
                yield columns, rows
            else:
                yield merge([*parts, Live(columns, rows.take(0, len(rows)), None)])

    def _write_generation(
        self,
        name: str,
        number: int,
        model: str,
        dim: int,
        segments: dict[str, Marks],
        live: Sequence[tuple[str, NDArray[np.bool_] | None]],
    ) -> tuple[int, str]:
        """Its folder, on the disk; returns the manifest's size and SHA-256."""
        folder = self._home / f".tmp-{name}"
        folder.mkdir()
        dead: dict[str, tuple[int, str]] = {}
        for segment, mask in live:
            if mask is not None:
                rows = np.flatnonzero(~mask).astype("<u4")
                file = f"dead-{segment}.npy"
                dead[file] = write_file(folder / file, array_blocks([rows], rows.dtype, rows.shape))
        manifest = Manifest(number, model, self._tokenizer.fingerprint, dim, segments, dead)
        mark = write_file(folder / "manifest.json", [manifest.sealed()])
        publish(folder, self._home / name)
        return mark

    @contextmanager
    def _undone(self, made: Sequence[str]) -> Iterator[None]:
        """Remove what a failed commit made; a folder that stays is swept by the next one."""
        try:
            yield
        except BaseException as error:
            # Once CURRENT names the new generation it may not be swept, whatever failed after.
            if not self._is_current(made):
                for name in made:
                    shutil.rmtree(self._home / name, ignore_errors=True)
                    shutil.rmtree(self._home / f".tmp-{name}", ignore_errors=True)
            if isinstance(error, OSError):
                raise IndexUnwritable(self._home, error.strerror or str(error)) from error
            raise

    def _is_current(self, made: Sequence[str]) -> bool:
        try:
            references = self._named()
        except (IndexDamaged, OSError):
            return True  # not known: then nothing is removed
        return any(r.name in made for r in references)

    def _named(self) -> list[Reference]:
        return named_in(self._home, current_contents(self._home))

    def _previous(self, base: Snapshot | None) -> list[Reference]:
        """The generations to keep behind the new one, newest first: those that were good."""
        if base is None or not base.generation:
            return []
        try:
            references = self._named()
        except IndexDamaged:
            return []
        return [r for r in references if r.number <= base.generation]

    def _highest(self) -> int:
        """The highest number ever given to a generation that was committed."""
        try:
            references = self._named()
        except IndexDamaged:
            references = []
        if references:
            return references[0].number
        return max(map(number_of, on_disk(self._home)), default=0)

"""The index on disk: commit the next generation as one act, open the newest good one.

A commit writes new folders only, brings them to the disk and then replaces CURRENT; it is done
when `commit` returns, and until then nothing of it can be seen. Readers never wait. Only one
process may commit at a time: the caller holds `index.lock.WriterLock`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.changes import carried, checked, refuse_live, to_merge, without
from index.columns import Rows, from_batch, merge
from index.errors import IndexDamaged, IndexUnwritable, ModelMismatch, TokenizerMismatch
from index.files import array_blocks, check_file, publish, write_file
from index.generations import (
    KEPT,
    MERGE_LOCK,
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
from index.lock import try_lock
from index.reader import Reader, as_damage
from index.segment import Facts, Segment, open_segment, write_segment
from index.snapshot import Snapshot, View
from index.tokens import Tokenizer
from index.types import Batch


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
        self, add: Batch | None = None, *, remove_groups: Collection[str] = (), model: str
    ) -> Snapshot:
        """Write the next generation: the current one less some groups, plus some rows.

        Only the new rows are written, as a segment of their own; `merge` puts small ones together.

        Args:
            add: new rows, if any; a group that is also removed ends with these rows alone.
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
        views = [v for v in without(base.views, remove_groups) if v.size]
        if add is None or not add.entries:
            return self._write(views, [], model, base.dim, base)
        dim = checked(add, base.dim)
        refuse_live(views, add.entries)
        return self._write(views, [add], model, dim, base)

    def rebuild(self, batches: Iterable[Batch | Rows], *, model: str) -> Snapshot:
        """Write a generation from nothing; whatever is there, damaged or not, is replaced.

        The older generations go, so this is also how deleted rows leave the disk at once.

        Args:
            batches: all rows, a segment each, as new ones or as they stand in another index
                (`Segment.rows`); held in memory one at a time.
            model: the fingerprint of the encoder that made the vectors.

        Raises:
            IndexUnwritable: the disk is full or read-only; what was there stays.
            ValueError: as for `commit`.
        """
        return self._write([], batches, model, 0, None)

    def merge(self, locked: Callable[[], AbstractContextManager[object]]) -> bool:
        """Write small segments as one, beside readers and writers.

        Nobody waits while the new segments are written; only to put them in the place of the old
        ones is the right to write needed, for as long as a commit of nothing takes. What was
        deleted meanwhile stays deleted. Where another process is merging, nothing is done.

        Args:
            locked: takes the right to write (`index.lock.WriterLock`), waiting for it if need be.

        Returns:
            Whether a generation was written.

        Raises:
            IndexUnwritable: the disk is full or read-only; the index stays as it is.
        """
        base = self.open()
        groups = to_merge(base.views)
        if not groups or base.fell_back:
            return False
        made: list[str] = []
        with self._undone(made), try_lock(self._home / MERGE_LOCK) as alone:
            if not alone:
                return False
            written: list[tuple[list[View], Segment]] = []
            for group in groups:
                views = [base.views[i] for i in group]
                name = new_name("seg")
                made.append(name)
                temporary = self._home / f".merge-{name}"
                facts = write_segment(temporary, merge([v.segment.rows(v.live) for v in views]))
                written.append((views, open_segment(temporary, name, facts)))
            with locked():
                return self._replaced(written)

    def _replaced(self, written: Sequence[tuple[Sequence[View], Segment]]) -> bool:
        """Commit merged segments in the place of those that they were merged from."""
        now = self.open()
        current = {v.segment.name: v for v in now.views}
        taken: set[str] = set()
        merged: list[View] = []
        for views, segment in written:
            names = [v.segment.name for v in views]
            if any(name in current for name in names):
                merged.append(carried(views, [current.get(name) for name in names], segment))
                taken.update(names)
            else:  # the index was rebuilt meanwhile, or all of it was deleted
                shutil.rmtree(self._home / f".merge-{segment.name}")
        if not merged:
            return False
        for view in merged:
            name = view.segment.name
            publish(self._home / f".merge-{name}", self._home / name)
        kept = [v for v in now.views if v.segment.name not in taken]
        views = [*kept, *(v for v in merged if v.size)]
        self._write(views, [], now.model, now.dim, now)
        return True

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
            files[folder / "manifest.json"] = (reference.size, reference.digest)
            try:
                manifest = read_manifest(self._home, reference.name)
            except (IndexDamaged, OSError):
                continue  # its checksum, below, says so
            files.update({folder / file: mark for file, mark in manifest.dead.items()})
            for name, facts in manifest.segments.items():
                files.update({self._home / name / f: mark for f, mark in facts.files.items()})
        for path, (size, digest) in files.items():
            try:
                check_file(path, size, digest)
            except (IndexDamaged, OSError) as error:
                problems.append(str(as_damage(path, error)))
        return problems

    def _write(
        self,
        views: Sequence[View],
        batches: Iterable[Batch | Rows],
        model: str,
        dim: int,
        base: Snapshot | None,
    ) -> Snapshot:
        """The next generation: some segments and new rows. `base` None: no older one is kept."""
        previous = self._previous(base)
        made: list[str] = []
        with self._undone(made):
            self._home.mkdir(parents=True, exist_ok=True)
            segments = {v.segment.name: v.segment.facts for v in views}
            for batch in batches:
                if isinstance(batch, Batch):
                    dim, rows = checked(batch, dim), from_batch(batch, self._tokenizer)
                else:
                    dim, rows = batch.vectors.dim, batch
                name = new_name("seg")
                made.append(name)
                temporary = self._home / f".tmp-{name}"
                segments[name] = write_segment(temporary, rows)
                publish(temporary, self._home / name)
            number = max(self._highest(), base.generation if base else 0) + 1
            name = new_name(f"gen-{number:08d}")
            made.append(name)
            dead = [(v.segment.name, v.live) for v in views]
            mark = self._write_generation(name, number, model, dim, segments, dead)
            references = [Reference(number, name, *mark), *previous]
            write_current(self._home, references, model)
        collect_garbage(self._home, references[:KEPT])
        return self.open()

    def _write_generation(
        self,
        name: str,
        number: int,
        model: str,
        dim: int,
        segments: dict[str, Facts],
        live: Sequence[tuple[str, NDArray[np.bool_] | None]],
    ) -> tuple[int, str]:
        """Its folder, on the disk; returns the manifest's size and hash."""
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
                    for form in (name, f".tmp-{name}", f".merge-{name}"):
                        shutil.rmtree(self._home / form, ignore_errors=True)
            if isinstance(error, OSError):
                raise IndexUnwritable(self._home, error.strerror or str(error)) from error
            raise

    def _is_current(self, made: Sequence[str]) -> bool:
        try:
            references = self._named()
        except (IndexDamaged, OSError):
            return True  # not known: then nothing is removed
        try:
            held = [read_manifest(self._home, r.name).segments for r in references]
        except (IndexDamaged, OSError):
            return True
        return any(name in segments for segments in held for name in made) or any(
            r.name in made for r in references
        )

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

"""Open the newest generation that is whole, beside a writer that may be moving on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.errors import IndexDamaged
from index.files import check_file, map_array
from index.generations import (
    check_manifest,
    current_contents,
    named_in,
    number_of,
    on_disk,
    read_manifest,
)
from index.segment import open_segment
from index.snapshot import Snapshot, View
from index.tokens import Tokenizer

logger = logging.getLogger(__name__)

_TRIES = 20


class Reader:
    """Opens generations and remembers the last one, so that its segments are read only once."""

    def __init__(self, home: Path, tokenizer: Tokenizer) -> None:
        """Name the index's folder; nothing is read yet."""
        self._home = home
        self._tokenizer = tokenizer
        self._lock = threading.Lock()
        self._latest: tuple[bytes, Snapshot] | None = None

    def open(self) -> Snapshot:
        """As `index.store.Store.open`."""
        with self._lock:
            for _ in range(_TRIES):
                contents = current_contents(self._home)
                if contents is None:
                    return self._without_current()
                if self._latest is not None and self._latest[0] == contents:
                    return self._latest[1]
                try:
                    snapshot = self._newest(contents)
                except (IndexDamaged, OSError) as error:
                    # A writer may have moved on and swept this generation away meanwhile.
                    if current_contents(self._home) != contents:
                        continue
                    damage = as_damage(self._home / "CURRENT", error)
                    snapshot = self._fall_back(damage, self._older(contents))
                self._latest = (contents, snapshot)
                return snapshot
            raise IndexDamaged(self._home / "CURRENT", "it changes faster than it can be read")

    def _newest(self, contents: bytes) -> Snapshot:
        """The generation that CURRENT names first."""
        newest = named_in(self._home, contents)[0]
        check_manifest(self._home, newest)
        return self._load(newest.name)

    def _older(self, contents: bytes) -> list[str]:
        """Where to fall back to: what CURRENT names next or, if it is unreadable, what is there."""
        try:
            return [r.name for r in named_in(self._home, contents)[1:]]
        except IndexDamaged:
            return on_disk(self._home)

    def _without_current(self) -> Snapshot:
        """No CURRENT: nothing was ever committed, unless a later generation says otherwise."""
        names = on_disk(self._home)
        if any(number_of(n) > 1 for n in names):
            missing = IndexDamaged(self._home / "CURRENT", "it is missing")
            return self._fall_back(missing, names)
        return Snapshot(0, "", 0, (), self._tokenizer)

    def _fall_back(self, damage: IndexDamaged, names: Sequence[str]) -> Snapshot:
        """The first of some older generations that can be opened."""
        for name in names:
            try:
                snapshot = self._load(name, fell_back=str(damage))
            except (IndexDamaged, OSError) as error:
                logger.warning("index_generation_damaged", extra={"reason": str(error)})
                continue
            logger.warning(
                "index_fell_back",
                extra={"reason": str(damage), "generation": snapshot.generation},
            )
            return snapshot
        raise damage

    def _load(self, name: str, fell_back: str = "") -> Snapshot:
        """Open a generation; segments that are open already are not read again."""
        manifest = read_manifest(self._home, name)
        opened: dict[str, View] = {}
        if self._latest is not None:
            opened = {v.segment.name: v for v in self._latest[1].views}
        views = []
        for title, facts in manifest.segments.items():
            before = opened.get(title)
            segment = before.segment if before else open_segment(self._home / title, title, facts)
            live = None
            file = f"dead-{title}.npy"
            if file in manifest.dead:
                check_file(self._home / name / file, *manifest.dead[file])
                live = np.ones(len(segment), np.bool_)
                live[map_array(self._home / name / file)] = False
            if before is None or not _same(before.live, live):
                before = View(segment, live)
            views.append(before)
        if manifest.tokenizer != self._tokenizer.fingerprint:
            logger.warning(
                "index_tokenizer_differs",
                extra={"indexed": manifest.tokenizer, "configured": self._tokenizer.fingerprint},
            )
        return Snapshot(
            manifest.number,
            manifest.model,
            manifest.dim,
            views,
            self._tokenizer,
            indexed_by=manifest.tokenizer,
            fell_back=fell_back,
        )


def _same(one: NDArray[np.bool_] | None, other: NDArray[np.bool_] | None) -> bool:
    """Whether the same rows are alive; then what was worked out of them holds still."""
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)


def as_damage(path: Path, error: IndexDamaged | OSError) -> IndexDamaged:
    """A system's error as damage to a file."""
    if isinstance(error, IndexDamaged):
        return error
    if isinstance(error, FileNotFoundError):
        return IndexDamaged(Path(error.filename or path), "it is missing")
    return IndexDamaged(Path(error.filename or path), error.strerror or str(error))

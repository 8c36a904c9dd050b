"""Which generation is the current one: CURRENT, the manifests, and what may be thrown away.

Layout of the index's folder:

    CURRENT                  sealed JSON: the last KEPT generations, newest first, with the size and
                             hash of each one's manifest; replaced last of all
    gen-00000012-1a2b3c4d/   manifest.json (sealed JSON: model, segments, the checksum of each of
                             their files) and, for a segment with deleted rows, dead-SEGMENT.npy
    seg-5e6f7a8b9c0d1e2f/    one immutable segment, shared by the generations that name it
    .tmp-…                   being written, or left by a writer that was killed
    .merge-…                 being merged beside the writers; left over unless merge.lock is held
"""

from __future__ import annotations

import logging
import re
import secrets
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.errors import IndexDamaged
from index.files import check_file, replace_file, seal, unseal
from index.lock import try_lock
from index.segment import Facts, Marks

logger = logging.getLogger(__name__)

FORMAT = 4
READABLE = (2, 3, 4)
"""In formats 2 and 3 postings are not packed; the vectors of every segment are float32 in format 2,
those of large ones int16 in format 3."""
KEPT = 3
MERGE_LOCK = "merge.lock"

_NAME = re.compile(r"gen-(\d{8,})-[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class Reference:
    """A generation's folder and the mark of its manifest."""

    number: int
    name: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation consists of.

    Attributes:
        number: its generation.
        model: the encoder's fingerprint.
        tokenizer: the tokeniser's fingerprint.
        dim: the vectors' width, 0 while there are none.
        segments: their names and what was noted when they were written.
        dead: the marks of this generation's own files, by segment.
    """

    number: int
    model: str
    tokenizer: str
    dim: int
    segments: Mapping[str, Facts]
    dead: Marks

    def sealed(self) -> bytes:
        """As it is written."""
        return seal(
            {
                "format": FORMAT,
                "number": self.number,
                "model": self.model,
                "tokenizer": self.tokenizer,
                "dim": self.dim,
                "segments": {
                    name: {"files": facts.files, "dense": facts.dense}
                    for name, facts in self.segments.items()
                },
                "dead": self.dead,
            }
        )


def new_name(kind: str) -> str:
    """A name nobody has used: what a killed writer left must not stand in the next one's way."""
    return f"{kind}-{secrets.token_hex(8)}"


def read_manifest(home: Path, name: str) -> Manifest:
    """A generation's manifest.

    Raises:
        IndexDamaged: it is not what was written.
        FileNotFoundError: it is missing.
    """
    path = home / name / "manifest.json"
    with _shaped(path):
        facts = _readable(path, unseal(path, path.read_bytes()))
        return Manifest(
            number=facts["number"],
            model=facts["model"],
            tokenizer=facts["tokenizer"],
            dim=facts["dim"],
            segments={
                name: Facts(_marks(held["files"]), held["dense"])
                for name, held in facts["segments"].items()
            },
            dead=_marks(facts["dead"]),
        )


def current_contents(home: Path) -> bytes | None:
    """CURRENT as it stands, None where there is none."""
    try:
        return (home / "CURRENT").read_bytes()
    except FileNotFoundError:
        return None


def named_in(home: Path, contents: bytes | None) -> list[Reference]:
    """The generations that CURRENT names, newest first; none when there is no CURRENT.

    Raises:
        IndexDamaged: it is not what was written.
    """
    if contents is None:
        return []
    path = home / "CURRENT"
    with _shaped(path):
        facts = _readable(path, unseal(path, contents))
        named = facts["generations"]
        return [Reference(g["number"], g["name"], g["size"], g["digest"]) for g in named]


def write_current(home: Path, generations: Sequence[Reference], model: str) -> None:
    """Make the first of them the current one: the moment of the commit."""
    facts = {
        "format": FORMAT,
        "model": model,
        "generations": [
            {"number": g.number, "name": g.name, "size": g.size, "digest": g.digest}
            for g in generations[:KEPT]
        ],
    }
    replace_file(home / "CURRENT", seal(facts))


def check_manifest(home: Path, reference: Reference) -> None:
    """Compare a manifest with what CURRENT says of it."""
    check_file(home / reference.name / "manifest.json", reference.size, reference.digest)


def on_disk(home: Path) -> list[str]:
    """The generations' folders, highest number first, whether or not CURRENT names them."""
    names = [p.name for p in home.iterdir() if _NAME.fullmatch(p.name)] if home.is_dir() else []
    return sorted(names, key=lambda n: (number_of(n), n), reverse=True)


def number_of(name: str) -> int:
    """The generation's number, from its folder's name."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else 0


def collect_garbage(home: Path, generations: Iterable[Reference]) -> None:
    """Unlink what no kept generation needs; readers that have it open are not disturbed.

    A folder that cannot be removed is logged and tried again at the next commit.
    """
    kept: set[str] = set()
    for reference in generations:
        kept.add(reference.name)
        try:
            kept.update(read_manifest(home, reference.name).segments)
        except (IndexDamaged, FileNotFoundError) as error:
            # Nothing can be opened through it, so what only it names is of no use.
            logger.warning("index_generation_lost", extra={"reason": str(error)})
    try:
        with try_lock(home / MERGE_LOCK) as nobody_merges:
            merging = [] if nobody_merges else [p.name for p in home.glob(".merge-*")]
            _remove(home, kept.union(merging))
    except OSError as error:
        logger.warning("index_garbage_left", extra={"reason": str(error)})


def _remove(home: Path, kept: Collection[str]) -> None:
    for path in home.iterdir():
        if path.name.startswith((".tmp-", ".merge-", "gen-", "seg-")) and path.name not in kept:
            try:
                shutil.rmtree(path)
            except OSError as error:
                logger.warning("index_garbage_left", extra={"reason": str(error)})


@contextmanager
def _shaped(path: Path) -> Iterator[None]:
    """What has its checksum and yet is none of ours is damaged too."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise IndexDamaged(path, "it does not hold what it should") from error


def _readable(path: Path, facts: dict[str, Any]) -> dict[str, Any]:
    if facts.get("format") not in READABLE:
        raise IndexDamaged(path, "another version of the program wrote it")
    return facts


def _marks(files: Mapping[str, Sequence[Any]]) -> Marks:
    return {name: (int(size), str(digest)) for name, (size, digest) in files.items()}

"""One file that holds an archive as it was at one moment, made and put back while others read it.

A backup is a tar file: `wenju-backup.json` first (format, version, time; the size and BLAKE3 hash
of every other file), then the databases, copied by SQLite's backup API, and the newest generation
of the index, whose files never change. Writers wait while the databases are copied, readers never.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import secrets
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from blake3 import blake3

from index.files import sync_folder
from index.generations import current_contents, named_in, read_manifest, write_current
from index.lock import WriterLock
from rag import __version__, feedback, scans
from rag.archive import LONG_PATIENCE, PATIENCE
from rag.corpus import Corpus
from rag.errors import BackupUnusable, CorpusDamaged, HomeUnusable
from rag.stores import CHANGING, FILE, LOCK

FORMAT = 1
HEAD = "wenju-backup.json"
DATABASES = (FILE, feedback.FILE, scans.FILE, "vectors.sqlite", "reprints.sqlite")
PLAIN = ("keys.json", CHANGING)
RECORD = "audit.jsonl"
"""Who wrote into a home and when: it is no part of a backup, and stays where one is put back."""

_BLOCK = 1 << 20
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2
_HERE = -100  # AT_FDCWD


@dataclass(frozen=True, slots=True)
class Made:
    """A backup: its time (ISO 8601), files, bytes, and the articles that it holds."""

    at: str
    files: int
    size: int
    articles: int


def backup(home: Path, target: Path) -> Made:
    """Write a home's archive into one file, which is whole or not there.

    Args:
        home: the folder of the archive; it may be served and written to meanwhile.
        target: the file, replaced when it is there.

    Raises:
        BackupUnusable: there is no archive in `home`, or the file cannot be written.
        ArchiveBusy: another process writes for very long.
        HomeUnusable: the home cannot be read or written.
    """
    if not (home / FILE).exists():
        raise BackupUnusable(home, "there is no archive here")
    stage = home / f".backup-{secrets.token_hex(4)}"
    part = target.with_name(f".{target.name}.part")
    try:
        stage.mkdir()
        with WriterLock(home / LOCK, LONG_PATIENCE):
            _stage(home, stage)
        return _written(stage, part, target)
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise HomeUnusable(home, reason) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _written(stage: Path, part: Path, target: Path) -> Made:
    """The file, whole under its name or not there.

    Raises:
        BackupUnusable: it cannot be written.
    """
    try:
        made = _packed(stage, part)
        part.replace(target)
        sync_folder(target.absolute().parent)
        return made
    except OSError as error:
        with suppress(OSError):  # where nothing can be written there is nothing to take away
            part.unlink(missing_ok=True)
        reason = f"it cannot be written ({error.strerror or error}): make room, or name another"
        raise BackupUnusable(target, reason) from error


def _stage(home: Path, stage: Path) -> None:
    """Everything of one moment: the databases as copies, the index as links to its files."""
    for name in DATABASES:
        if (home / name).exists():
            with (
                closing(sqlite3.connect(home / name)) as db,
                closing(sqlite3.connect(stage / name)) as copy,
            ):
                db.backup(copy)
    for name in PLAIN:
        if (home / name).exists():
            shutil.copyfile(home / name, stage / name)
    references = named_in(home / "index", current_contents(home / "index"))
    if not references:
        return
    newest, index = references[0], stage / "index"
    manifest = read_manifest(home / "index", newest.name)
    for folder in (newest.name, *manifest.segments):
        (index / folder).mkdir(parents=True)
        for file in (home / "index" / folder).iterdir():
            os.link(file, index / folder / file.name)
    write_current(index, [newest], manifest.model)


def _packed(stage: Path, part: Path) -> Made:
    files = sorted(p for p in stage.rglob("*") if p.is_file())
    marks = {p.relative_to(stage).as_posix(): (p.stat().st_size, _digest(p)) for p in files}
    with closing(sqlite3.connect(stage / FILE)) as db:
        articles: int = db.execute("SELECT count(*) FROM articles").fetchone()[0]
    at = datetime.now(UTC).isoformat(timespec="seconds")
    head = {"format": FORMAT, "wenju": __version__, "at": at, "articles": articles, "files": marks}
    body = json.dumps(head, indent=1).encode()
    with part.open("xb") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            first = tarfile.TarInfo(HEAD)
            first.size = len(body)
            tar.addfile(first, io.BytesIO(body))
            for name in marks:
                member = tarfile.TarInfo(name)
                member.size = marks[name][0]
                with (stage / name).open("rb") as source:
                    tar.addfile(member, source)
        file.flush()
        os.fsync(file.fileno())
    return Made(at, len(marks), sum(size for size, _ in marks.values()), articles)


def _digest(path: Path) -> str:
    whole = blake3()
    if path.stat().st_size:
        whole.update_mmap(path)
    return whole.hexdigest()


def restore(source: Path, home: Path, *, force: bool = False) -> Made:
    """Put a backup in the place of a home: all of it in one step, or nothing.

    Servers of this home answer from what was put back from then on.

    Args:
        source: what `backup` wrote.
        home: the folder of the archive; made where it is missing.
        force: replace an archive that is there; it is kept beside, as HOME.before-TIME.

    Raises:
        BackupUnusable: the file is no backup, or is damaged, or a newer Wenju made it; or there is
            an archive already.
        ArchiveBusy: another process is writing to this home.
        HomeUnusable: the folder cannot be written.
    """
    home = home.absolute()
    held = home.exists() and any(home.iterdir())
    if held and not force:
        raise BackupUnusable(home, "it holds files already: --force puts the backup in their place")
    stage = home.with_name(f"{home.name}.restoring-{secrets.token_hex(4)}")
    try:
        stage.mkdir(parents=True)
        made = _unpacked(source, stage)
        _proved(source, stage)
        if held:
            with WriterLock(home / LOCK, PATIENCE):
                if (home / RECORD).exists():
                    shutil.copy2(home / RECORD, stage / RECORD)
                _exchanged(stage, home)
            os.rename(stage, _before(home))  # noqa: PTH104 as the index's
        else:
            if home.exists():
                home.rmdir()
            os.rename(stage, home)  # noqa: PTH104
        sync_folder(home.parent)
        return made
    except OSError as error:
        raise HomeUnusable(home, error.strerror or str(error)) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _before(home: Path) -> Path:
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    return home.with_name(f"{home.name}.before-{now}-{secrets.token_hex(2)}")


def _exchanged(new: Path, old: Path) -> None:
    """Let two folders change their names at one moment; nobody finds neither."""
    libc = ctypes.CDLL(None, use_errno=True)
    swap = getattr(libc, "renameat2", None)
    if swap is None or swap(_HERE, bytes(new), _HERE, bytes(old), _EXCHANGE):
        aside = old.with_name(f"{new.name}.old")  # a system without it: two steps
        old.rename(aside)
        new.rename(old)
        aside.rename(new)


@contextmanager
def _opened(source: Path) -> Iterator[tuple[tarfile.TarFile, dict[str, Any]]]:
    """A backup and its head.

    Raises:
        BackupUnusable: it is none that this Wenju can read.
    """
    try:
        with tarfile.open(source, "r:") as tar:
            first = tar.next()
            if first is None or first.name != HEAD or first.size > 1 << 30:
                raise BackupUnusable(source, "it is no backup of Wenju")
            head = json.loads(_stream(tar, first).read())
            if head["format"] != FORMAT:
                reason = f"it has format {head['format']}, this Wenju reads format {FORMAT}"
                raise BackupUnusable(source, f"{reason}: install the Wenju that made it")
            yield tar, head
    except FileNotFoundError as error:
        raise BackupUnusable(source, "there is no such file") from error
    except (tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise BackupUnusable(source, f"it is damaged ({error})") from error


def _stream(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = tar.extractfile(member) if member.isreg() else None
    if stream is None:
        raise ValueError(f"{member.name} is no file")
    return stream


def _unpacked(source: Path, stage: Path) -> Made:
    """Every file, compared with its checksum and on the disk."""
    with _opened(source) as (tar, head):
        marks: dict[str, tuple[int, str]] = {n: (s, d) for n, (s, d) in head["files"].items()}
        rest = dict(marks)
        while (member := tar.next()) is not None:
            mark = rest.pop(member.name, None)
            place = PurePosixPath(member.name)
            if mark is None or place.is_absolute() or ".." in place.parts:
                raise ValueError(f"{member.name} does not belong to it")
            if _copied(_stream(tar, member), stage / place) != mark:
                raise ValueError(f"the checksum of {member.name} is wrong")
        if rest:
            raise ValueError(f"{next(iter(rest))} is missing")
        size = sum(s for s, _ in marks.values())
        made = Made(str(head["at"]), len(marks), size, int(head["articles"]))
    for folder in {stage, *(p for p in stage.rglob("*") if p.is_dir())}:
        sync_folder(folder)
    return made


def _copied(stream: IO[bytes], target: Path) -> tuple[int, str]:
    target.parent.mkdir(parents=True, exist_ok=True)
    size, digest = 0, blake3()
    with target.open("xb") as file:
        while block := stream.read(_BLOCK):
            size += len(block)
            digest.update(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return size, digest.hexdigest()


def _proved(source: Path, stage: Path) -> None:
    """Open the corpus once, which also brings an older format to today's."""
    try:
        Corpus(stage / FILE).close()
    except CorpusDamaged as error:
        raise BackupUnusable(source, str(error)) from error

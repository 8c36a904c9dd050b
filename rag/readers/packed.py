"""Packed files: gzip, xz and Zstandard streams, and ZIP archives.

Nothing is ever written to disk, so that a member's name cannot lead anywhere. What a small file
can unpack to is bounded: memory of the unpackers, bytes of a member and of all members, their
number, and how many times larger than packed they may be.
"""

from __future__ import annotations

import io
import lzma
import stat
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from rag.errors import UnreadableFile

SUFFIXES = frozenset({".gz", ".xz", ".zst"})
ZIP = ".zip"

_MIB = 1024 * 1024
_MEMORY = 256 * _MIB  # of an unpacker: a header may ask for gigabytes
_MOST_MEMBERS = 10_000
_MOST_BYTES = 1024 * _MIB  # of a ZIP's members together
_RATIO = 200  # unpacked to packed; text reaches 20
_SMALL = 4 * _MIB  # under this size any ratio will do


def inner_name(name: str) -> str:
    """The name without the packer's ending."""
    return str(Path(name).with_suffix(""))


@contextmanager
def unpacked(name: str, file: BinaryIO, suffix: str) -> Iterator[BinaryIO]:
    """The content of a packed stream.

    Raises:
        UnreadableFile: it is damaged, or needs too much memory; also while it is being read.
    """
    import gzip

    import zstandard

    stream: BinaryIO
    try:
        if suffix == ".gz":
            stream = io.BufferedReader(gzip.GzipFile(fileobj=file), _MIB)
        elif suffix == ".xz":
            stream = io.BufferedReader(_Xz(file), _MIB)
        else:
            unpacker = zstandard.ZstdDecompressor(max_window_size=_MEMORY // 2)
            stream = io.BufferedReader(
                unpacker.stream_reader(file, read_across_frames=True, closefd=False), _MIB
            )
        yield stream
    except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, zstandard.ZstdError) as error:
        reason = f"is damaged or no {suffix} file ({error}); pack it again"
        raise UnreadableFile(name, reason) from error


class _Xz(io.RawIOBase):
    """An xz stream under a limit of memory, which `lzma.LZMAFile` has not."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._unpacker = lzma.LZMADecompressor(memlimit=_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]  # any buffer
        while True:
            if self._unpacker.eof:
                packed = self._unpacker.unused_data or self._file.read(_MIB)
                if not packed.strip(b"\0"):
                    return 0
                self._unpacker = lzma.LZMADecompressor(memlimit=_MEMORY)
            else:
                packed = self._file.read(_MIB) if self._unpacker.needs_input else b""
                if self._unpacker.needs_input and not packed:
                    raise EOFError("it ends too early")
            data = self._unpacker.decompress(packed, len(view))
            if data:
                view[: len(data)] = data
                return len(data)


def members(
    name: str, file: BinaryIO, suffixes: Collection[str], most: int
) -> Iterator[tuple[str, bytes | UnreadableFile]]:
    """The files in a ZIP, in order of their names.

    Args:
        name: of the archive.
        file: the archive.
        suffixes: the endings that are read.
        most: bytes of one member.

    Yields:
        A member's name, and its content or why it is not read.

    Raises:
        UnreadableFile: it is no ZIP, or holds more than is read.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            listed = [info for info in archive.infolist() if not info.is_dir()]
            if len(listed) > _MOST_MEMBERS:
                reason = f"holds {len(listed)} files, at most {_MOST_MEMBERS} are read; part it"
                raise UnreadableFile(name, reason)
            total = 0
            for info in sorted(listed, key=lambda i: i.filename):
                shown = _shown(info)
                if any(part.startswith((".", "__MACOSX")) and part != ".."
                       for part in PurePosixPath(shown).parts):  # fmt: skip
                    continue  # what a system keeps beside the files, as in folders
                problem = _problem(info, shown, suffixes, most)
                if problem is None and total + info.file_size > _MOST_BYTES:
                    problem = f"lies beyond the {_MOST_BYTES // _MIB} MiB that are read of a ZIP"
                if problem is not None:
                    yield shown, UnreadableFile(f"{name}!/{shown}", problem)
                    continue
                data = _content(archive, info, most)
                total += len(data) if isinstance(data, bytes) else 0
                told = UnreadableFile(f"{name}!/{shown}", data) if isinstance(data, str) else data
                yield shown, told
    except (zipfile.BadZipFile, zipfile.LargeZipFile, ValueError) as error:
        raise UnreadableFile(name, f"is damaged or no ZIP ({error}); pack it again") from error


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes | str:
    """A member's bytes, or why they cannot be had."""
    try:
        with archive.open(info) as member:
            data = member.read(most + 1)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
        return f"is damaged ({error}); pack it again"
    except (NotImplementedError, RuntimeError) as error:
        return f"cannot be unpacked ({error}); unpack it and add it again"
    return data if len(data) <= most else f"is too large (at most {most // _MIB} MiB); cut it up"


def _problem(info: zipfile.ZipInfo, shown: str, suffixes: Collection[str], most: int) -> str | None:
    """Why a member is not read, or None."""
    path = PurePosixPath(shown)
    suffix = path.suffix.lower()
    if path.is_absolute() or ".." in path.parts:
        return "its name leads out of the archive; it is not read"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a link; it is not followed"
    if suffix == ZIP:
        return "is a ZIP in a ZIP; unpack it and add it again"
    if suffix not in suffixes:
        return f"files ending in {path.suffix or 'nothing'} are not read"
    if info.flag_bits & 1:
        return "is encrypted; unpack it with its password and add it again"
    if info.file_size > most:
        return f"is too large (at most {most // _MIB} MiB); cut it into parts"
    if info.file_size > max(_SMALL, _RATIO * info.compress_size):
        return f"unpacks to more than {_RATIO} times its size; unpack it and add it again"
    return None


def _shown(info: zipfile.ZipInfo) -> str:
    """A member's name: where it does not say that it is UTF-8, GB18030 if that is what it is."""
    name = info.filename
    if not info.flag_bits & 0x800 and not name.isascii():
        try:
            raw = name.encode("cp437")
        except UnicodeEncodeError:
            return name.replace("\\", "/")
        for encoding in ("utf-8", "gb18030"):
            try:
                return raw.decode(encoding).replace("\\", "/")
            except UnicodeDecodeError:
                continue
    return name.replace("\\", "/")

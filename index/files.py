"""Files that are either whole or not there: written in full, synced, named last, checksummed.

Only these functions write into the index. The order is the one of Lucene and LMDB: the contents
reach the disk before the name that leads to them does. Checksums are BLAKE3's: every file is read
when an index is opened, and SHA-256 took three times as long over it.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from index.errors import IndexDamaged

_BLOCK = 1 << 20


def write_file(path: Path, blocks: Iterable[bytes | memoryview]) -> tuple[int, str]:
    """Write a new file and bring it to the disk.

    Args:
        path: must not exist.
        blocks: its contents.

    Returns:
        Its size in bytes and its BLAKE3 hash, hexadecimal, both taken from what was to be written.

    Raises:
        OSError: it could not be written in full.
    """
    size, digest = 0, blake3()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        for block in blocks:
            rest = memoryview(block)
            digest.update(rest)
            size += len(rest)
            while rest:  # a write may take less than it was given
                rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)
    return size, digest.hexdigest()


def array_blocks(
    parts: Iterable[NDArray[Any]], dtype: np.dtype[Any], shape: tuple[int, ...]
) -> Iterable[bytes | memoryview]:
    """A .npy file of one array, block by block.

    Args:
        parts: C-ordered arrays that follow each other along the first axis.
        dtype: of all of them.
        shape: of the whole.
    """
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head,
        {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape},
    )
    yield head.getvalue()
    for part in parts:
        raw = np.ascontiguousarray(part, dtype=dtype).reshape(-1).view(np.uint8).data
        for start in range(0, len(raw), _BLOCK):
            yield raw[start : start + _BLOCK]


def map_array(path: Path) -> NDArray[Any]:
    """The array of a .npy file, memory-mapped and read-only."""
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    plain: NDArray[Any] = np.asarray(mapped)  # the plain view is quicker; it keeps the map open
    return plain


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def publish(temporary: Path, final: Path) -> None:
    """Give a finished folder its name; both stand in the same parent."""
    sync_folder(temporary)
    os.rename(temporary, final)  # noqa: PTH104 - the fault tests count the os-level calls
    sync_folder(final.parent)


def replace_file(path: Path, contents: bytes) -> None:
    """Put a file in the place of another: readers see the one or the other, whole."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.unlink(missing_ok=True)
    write_file(temporary, [contents])
    os.replace(temporary, path)  # noqa: PTH105 - as above
    sync_folder(path.parent)


def seal(facts: Mapping[str, Any]) -> bytes:
    """JSON with its own hash on the first line."""
    body = json.dumps(facts, ensure_ascii=False, indent=1, sort_keys=True).encode()
    return blake3(body).hexdigest().encode() + b"\n" + body


def unseal(path: Path, contents: bytes) -> dict[str, Any]:
    """What `seal` was given.

    Raises:
        IndexDamaged: it is not what was written.
    """
    digest, _, body = contents.partition(b"\n")
    if blake3(body).hexdigest().encode() != digest:
        raise IndexDamaged(path, "its checksum is wrong")
    facts: dict[str, Any] = json.loads(body)
    return facts


def check_file(path: Path, size: int, digest: str) -> None:
    """Read a whole file and compare it with what was written.

    Raises:
        IndexDamaged: it has another length or other contents.
        OSError: it cannot be read; FileNotFoundError when it is missing.
    """
    found = path.stat().st_size
    if found != size:
        raise IndexDamaged(path, f"it has {found} bytes, not {size}")
    whole = blake3(max_threads=blake3.AUTO)
    if size:  # nothing cannot be mapped
        whole.update_mmap(path)
    if whole.hexdigest() != digest:
        raise IndexDamaged(path, "its checksum is wrong")

"""Arrays in the cache folder that are quicker to read than to make."""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from index.files import replace_file

logger = logging.getLogger(__name__)

Arrays = Mapping[str, NDArray[Any]]
_Value = TypeVar("_Value")


def kept(
    path: Path, name: str, read: Callable[[Arrays], _Value], make: Callable[[], Arrays]
) -> _Value:
    """What a file of arrays gives; the file is made, or made again, where it must be.

    A cache folder that cannot be written costs only that the arrays are made again by the next
    process. The file is a zip, whose own checksums tell damage.

    Args:
        path: the .npz file; its folder is made when it is missing.
        name: of the events that are logged: NAME_unreadable, NAME_not_kept.
        read: arrays to their value; raises ValueError or KeyError where they cannot be used.
        make: the arrays, anew.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as held:
            return read(held)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        logger.warning("%s_unreadable", name, extra={"path": str(path), "why": str(error)})
    arrays: dict[str, Any] = dict(make())
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, packed.getvalue())
    except OSError as error:
        logger.warning("%s_not_kept", name, extra={"path": str(path), "why": str(error)})
    return read(arrays)

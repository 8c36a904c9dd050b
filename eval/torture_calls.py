"""The system calls by which an archive reaches the disk: counted, and one of them made to fail.

Two ways lead to the disk. The index and the caches call Python's `os`, whose functions are replaced
here for the length of a `with`. SQLite calls the system itself; its unix layer lets the functions
that it calls be replaced (`sqlite3_vfs.xSetSystemCall`, made for tests of this kind), which is done
through ctypes on the very library that Python's sqlite3 uses.

SQLite's own syncs are not among the functions that can be replaced; they are not failed here.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

CALLS = ("write", "fsync", "rename", "replace", "mkdir", "unlink")
"""Of Python's `os`, by which the index is written."""

SQLITE_CALLS = ("pwrite64", "pwrite", "write", "ftruncate", "unlink")
"""Of SQLite, as its unix layer names them; those that a build lacks are passed over."""

_WRITE = ctypes.CFUNCTYPE(
    ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64, use_errno=True
)
_SHAPES: dict[str, Any] = {
    "pwrite64": _WRITE,
    "pwrite": _WRITE,
    "write": ctypes.CFUNCTYPE(
        ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, use_errno=True
    ),
    "ftruncate": ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int64, use_errno=True),
    "unlink": ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, use_errno=True),
}


class _Vfs(ctypes.Structure):
    """SQLite's `sqlite3_vfs`, version 3, as far as it is needed."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("longest_path", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("methods", ctypes.c_void_p * 13),
        (
            "set_call",
            ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p),
        ),
        ("get_call", ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)),
    )


@contextmanager
def failing(at: int, how: str) -> Iterator[list[str]]:
    """Count the calls; the `at`-th of them fails.

    Args:
        at: counted from 1; 0 for none.
        how: "exit": the process ends there, as if it were killed; else the name of an error.

    Yields:
        The names of the calls made so far, SQLite's as "sqlite:NAME".
    """
    made: list[str] = []

    def due(name: str) -> bool:
        made.append(name)
        if len(made) != at:
            return False
        if how == "exit":
            os._exit(9)
        return True

    code = 0 if how == "exit" else int(getattr(errno, how))
    with _python(due, code), _sqlite(due, code):
        yield made


@contextmanager
def _python(due: Callable[[str], bool], code: int) -> Iterator[None]:
    real = {name: getattr(os, name) for name in CALLS}

    def wrapped(name: str) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:  # noqa: ANN401 as the real one
            if due(name):
                raise OSError(code, os.strerror(code))
            return real[name](*args, **named)

        return call

    for name in CALLS:
        setattr(os, name, wrapped(name))
    try:
        yield
    finally:
        for name, function in real.items():
            setattr(os, name, function)


@contextmanager
def _sqlite(due: Callable[[str], bool], code: int) -> Iterator[None]:
    import _sqlite3

    library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    found = library.sqlite3_vfs_find(None)
    vfs = found.contents
    kept: list[Any] = []  # a function that SQLite may call must not be collected
    replaced: dict[bytes, int] = {}
    for name in SQLITE_CALLS:
        address = vfs.get_call(found, name.encode())
        if address:
            function = _SHAPES[name](_wrapped(name, _SHAPES[name](address), due, code))
            kept.append(function)
            replaced[name.encode()] = address
            vfs.set_call(found, name.encode(), ctypes.cast(function, ctypes.c_void_p))
    try:
        yield
    finally:
        for title, address in replaced.items():
            vfs.set_call(found, title, address)
        kept.clear()


def _wrapped(
    name: str, real: Callable[..., int], due: Callable[[str], bool], code: int
) -> Callable[..., int]:
    def call(*args: Any) -> int:  # noqa: ANN401 as the real one
        if due(f"sqlite:{name}"):
            ctypes.set_errno(code)
            return -1
        return real(*args)

    return call

"""What a server's processes hold in memory, pages that several of them share counted once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def family(pid: int) -> Iterator[int]:
    """A process and all that it started, and these started, and so on."""
    yield pid
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = listed.read_text(encoding="ascii").split()
        except FileNotFoundError:  # a thread that has ended
            continue
        for child in children:
            yield from family(int(child))


def memory_of(pid: int) -> int:
    """Bytes of a process and its family: each page divided by how many processes have it (PSS).

    Args:
        pid: of a process that runs.

    Raises:
        OSError: it does not run, or the system is not Linux.
    """
    total = 0
    for place, member in enumerate(family(pid)):
        try:
            text = Path(f"/proc/{member}/smaps_rollup").read_text(encoding="ascii")
        except (FileNotFoundError, ProcessLookupError):
            if not place:
                raise
            continue  # a child that has ended
        facts = (line.split() for line in text.splitlines())
        total += sum(int(fact[1]) * 1024 for fact in facts if fact[0] == "Pss:")
    return total

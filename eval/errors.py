"""What the evaluation raises besides `rag.errors`."""

from __future__ import annotations

from pathlib import Path

from rag.errors import BadInput, WenjuError


class BadSet(BadInput):
    """A question set, gold file or result file that cannot be used.

    Attributes:
        path: the file.
        reason: what is wrong with it.
    """

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}.")


class TargetUnusable(WenjuError):
    """The archive or server to be scored cannot be asked at all."""


class BenchFailed(WenjuError):
    """A part of the benchmark could not be measured."""

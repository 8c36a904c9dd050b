"""The part of the exception tree that storage and models raise; `rag.errors` shows the whole tree.

Classes carry facts (a path, whether trying again can help), never HTTP codes. Every message is
one sentence that says what to do.
"""

from __future__ import annotations

from pathlib import Path


class WenjuError(Exception):
    """Base of everything that Wenju raises on purpose; its text is meant for a person.

    Attributes:
        retryable: whether the same call may succeed later without anybody changing anything.
    """

    retryable: bool = False


class ArchiveBusy(WenjuError):
    """Another process is writing to this home.

    Attributes:
        holder: who holds the lock, as it wrote itself down ("wenju add, process 123 on …"), or "".
    """

    retryable = True

    def __init__(self, home: Path, holder: str = "") -> None:
        self.home = home
        self.holder = holder
        who = f" ({holder})" if holder else ""
        super().__init__(
            f"Another process{who} is writing to {home}; wait until it has finished and try again."
        )


class IndexDamaged(WenjuError):
    """A file of the index is missing, cut short or changed since it was written."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"The index file {path} is damaged ({reason}); "
            "run `wenju doctor --repair`, which rebuilds the index from the corpus."
        )


class ModelMismatch(WenjuError):
    """The index was made with another embedding model than the one configured now."""

    def __init__(self, indexed: str, configured: str) -> None:
        self.indexed = indexed
        self.configured = configured
        super().__init__(
            f"This index was made with the model {indexed}, but {configured} is configured; "
            "set WENJU_MODEL back, or run `wenju doctor --repair` to embed the archive again."
        )


class ModelUnavailable(WenjuError):
    """The embedding model cannot be built or loaded."""


class BadInput(WenjuError):
    """What the caller gave cannot be used; the text says why and what to do."""


class TokenizerMismatch(WenjuError):
    """The index's words were cut by other rules, or with another word list, than the ones now."""

    def __init__(self, indexed: str, configured: str) -> None:
        self.indexed = indexed
        self.configured = configured
        super().__init__(
            "This index was made with another word list or other rules for cutting words "
            f"({indexed}, now {configured}); give the same --dict as before, or run "
            "`wenju doctor --repair` to index the archive again."
        )


class IndexUnwritable(WenjuError):
    """A file of the index could not be written; what was there before is untouched.

    Attributes:
        path: the index's folder.
        reason: what the system said ("No space left on device").
    """

    retryable = True

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"The index {path} could not be written ({reason}); it is as it was before. Make room "
            "or give write permission, and try again: what was begun is finished then."
        )


class EngineLost(WenjuError):
    """A server that the archive is kept in does not answer, or was lost in the middle.

    Attributes:
        place: the server and its database, without a password.
        reason: what the system said.
    """

    retryable = True

    def __init__(self, place: str, reason: str) -> None:
        self.place = place
        self.reason = reason
        super().__init__(
            f"The database {place} does not answer ({reason}); "
            "try again in a moment, nothing is lost."
        )


class EngineUnusable(WenjuError):
    """A server that the archive is to be kept in lacks something, or is not understood.

    Attributes:
        place: the server and its database, without a password.
        reason: what is missing, and what to do.
    """

    def __init__(self, place: str, reason: str) -> None:
        self.place = place
        self.reason = reason
        super().__init__(f"The database {place} cannot be used ({reason}).")

"""API keys: made, listed and revoked by `wenju keys`, looked up by every request that needs one.

A key is shown once and never stored: the file in the home holds its SHA-256. A slow hash would add
nothing, since a key is 32 random bytes and no word that could be guessed. One file, replaced as a
whole, readable by its owner only; servers see a change at the next request.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from filelock import FileLock

from index.files import sync_folder
from rag.errors import BadInput, HomeUnusable, WenjuError

FILE = "keys.json"
"""Its name in the home."""

PREFIX = "wenju_"
"""What each key begins with, so that scanners for lost secrets recognise one."""

_FORMAT = 1
_LONGEST = 200  # characters of a key that is looked at


class Scope(StrEnum):
    """What a key may do; none of them holds another."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class KeysDamaged(WenjuError):
    """The file of API keys cannot be read. Nobody is let in until it can."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        super().__init__(
            f"The API keys in {path} cannot be read ({reason}); "
            "move the file away and make new ones with `wenju keys create`."
        )


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is stored.

    Attributes:
        id: 8 hexadecimal digits; names the key in lists and logs.
        name: whose it is, for a person to read.
        digest: SHA-256 of the key, hexadecimal.
        scopes: what it may do, sorted.
        created: ISO 8601 time.
        expires: ISO 8601 time from which it is refused, or None.
    """

    id: str
    name: str
    digest: str
    scopes: tuple[str, ...]
    created: str
    expires: str | None = None

    def valid(self, now: datetime) -> bool:
        """Whether it has not expired."""
        return self.expires is None or now < datetime.fromisoformat(self.expires)


def _now() -> datetime:
    return datetime.now(UTC)


class KeyStore:
    """The keys of one home. Threads and processes may share it.

    Args:
        home: the archive's folder; made when the first key is.
        now: gives the time, with its zone.
    """

    def __init__(self, home: Path, now: Callable[[], datetime] = _now) -> None:
        self.path = home / FILE
        self._now = now
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._keys: tuple[Key, ...] = ()

    def create(
        self, name: str, scopes: Iterable[Scope], expires_in: timedelta | None = None
    ) -> tuple[str, Key]:
        """Make a key; its text is given back here and nowhere else.

        Args:
            name: whose it is, 1 to 60 printable characters.
            scopes: what it may do, at least one.
            expires_in: how long it is good for; None for always.

        Raises:
            BadInput: the name or the scopes cannot be used.
            HomeUnusable: the file cannot be written.
            KeysDamaged: the file cannot be read.
        """
        chosen = tuple(sorted({Scope(s).value for s in scopes}))
        if not chosen:
            raise BadInput("A key needs a scope: read, write or admin.")
        if not 1 <= len(name) <= 60 or not name.isprintable():
            raise BadInput("A key's name has 1 to 60 printable characters.")
        text = PREFIX + secrets.token_urlsafe(32)
        now = self._now()
        key = Key(
            id=secrets.token_hex(4),
            name=name,
            digest=_digest(text),
            scopes=chosen,
            created=now.isoformat(timespec="seconds"),
            expires=(now + expires_in).isoformat(timespec="seconds") if expires_in else None,
        )
        self._change(lambda keys: (*keys, key))
        return text, key

    def revoke(self, key_id: str) -> Key:
        """Take a key back; it is refused from the next request on.

        Raises:
            BadInput: there is no such key.
            HomeUnusable: the file cannot be written.
            KeysDamaged: the file cannot be read.
        """
        gone: list[Key] = []

        def without(keys: tuple[Key, ...]) -> tuple[Key, ...]:
            gone.extend(k for k in keys if k.id == key_id)
            if not gone:
                raise BadInput(f"There is no key {key_id!r}; `wenju keys list` shows them.")
            return tuple(k for k in keys if k.id != key_id)

        self._change(without)
        return gone[0]

    def all(self) -> tuple[Key, ...]:
        """Every key, oldest first; the expired ones too.

        Raises:
            KeysDamaged: the file cannot be read.
        """
        with self._lock:
            try:
                facts = self.path.stat()
            except FileNotFoundError:
                self._seen, self._keys = None, ()
                return ()
            except OSError as error:
                raise KeysDamaged(self.path, error.strerror or str(error)) from error
            seen = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
            if seen != self._seen:
                self._keys = self._read()
                self._seen = seen
            return self._keys

    def find(self, text: str) -> Key | None:
        """The valid key with this text, or None.

        Every key is compared, each in constant time, so that how long it takes tells nothing about
        which of them came near.

        Raises:
            KeysDamaged: the file cannot be read.
        """
        digest, found = _digest(text[:_LONGEST]), None
        for key in self.all():
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found if found is not None and found.valid(self._now()) else None

    def usable(self) -> bool:
        """Whether any key would be let in now.

        Raises:
            KeysDamaged: the file cannot be read.
        """
        now = self._now()
        return any(k.valid(now) for k in self.all())

    def _read(self) -> tuple[Key, ...]:
        try:
            whole = json.loads(self.path.read_bytes())
            if whole["format"] != _FORMAT:
                raise KeysDamaged(self.path, f"its format is {whole['format']!r}, not {_FORMAT}")
            keys = tuple(_parsed(entry) for entry in whole["keys"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise KeysDamaged(self.path, type(error).__name__) from error
        return keys

    def _change(self, change: Callable[[tuple[Key, ...]], tuple[Key, ...]]) -> None:
        """Replace the file by what `change` makes of its keys; one process at a time."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.path}.lock", mode=0o600):
                keys = change(self.all())
                facts = {"format": _FORMAT, "keys": [asdict(k) for k in keys]}
                self._replace(json.dumps(facts, ensure_ascii=False, indent=1).encode())
        except OSError as error:
            raise HomeUnusable(self.path.parent, error.strerror or str(error)) from error

    def _replace(self, contents: bytes) -> None:
        temporary = self.path.with_name(f".{FILE}.{secrets.token_hex(4)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
                file.write(contents)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(self.path.parent)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _parsed(entry: dict[str, object]) -> Key:
    """A key from its JSON.

    Raises:
        TypeError: a field is missing, unknown or of another kind.
        ValueError: a scope is unknown, or a time is none.
    """
    key = Key(**entry)  # type: ignore[arg-type]  # what is of another kind is refused below
    texts = (key.id, key.name, key.digest, key.created, key.expires or "")
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a field is not text")
    if key.expires is not None and datetime.fromisoformat(key.expires).tzinfo is None:
        raise ValueError("a time without its zone")
    return replace(key, scopes=tuple(Scope(s).value for s in key.scopes))

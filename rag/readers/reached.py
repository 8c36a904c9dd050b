"""How far a file of records has been read, so that a reading that broke off goes on there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO


@dataclass(slots=True)
class Reached:
    """A place in a file of records; its reader moves it before it gives each document.

    Attributes:
        byte: where the next record begins. Reading starts there, so 0 is the whole file. It stays
            0 in a file that can only be read from its start: packed, or in UTF-16.
        number: of the last record (line, in JSON Lines and lists of news) before it, from 1.
    """

    byte: int = 0
    number: int = 0

    def move(self, number: int, size: int) -> None:
        """Past some bytes, behind which record `number` ends."""
        self.byte += size
        self.number = number

    def seek(self, stream: BinaryIO) -> bool:
        """Put a stream to the place; whether that is not the start."""
        if self.byte:
            stream.seek(self.byte)
        return self.byte > 0

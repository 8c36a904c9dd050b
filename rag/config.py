"""What the pipeline needs to know. `api.settings` makes it; nothing here reads the environment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Config:
    """How one archive is kept and asked.

    Attributes:
        home: the folder of the archive: corpus, index and vectors.
        cache: the folder of the bundled model, shared by all archives.
        model: None for the bundled model, else a hub id or folder for sentence-transformers.
        dictionary: jieba user dictionary, or None.
        threads: threads of the encoder, 1 and up.
        top_k: passages returned where the caller does not say, 1 to 50.
        max_question: characters of a question, 1 and up.
    """

    home: Path
    cache: Path
    model: str | None = None
    dictionary: Path | None = None
    threads: int = 2
    top_k: int = 8
    max_question: int = 512

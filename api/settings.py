"""Settings: environment variables that begin with WENJU_, and the command line's options over them.

They are read once, by the command line or by whoever builds the application, never at import.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from rag.config import Config
from rag.errors import BadInput

PREFIX = "WENJU_"


class SettingsError(BadInput):
    """A setting is unknown or out of its bounds."""


class Settings(BaseSettings):
    """Every setting, its bounds and its default; the field's description is what a person reads."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    home: Path = Field(Path("wenju-data"), description="folder of the archive")
    cache: Path = Field(
        default_factory=lambda: Path(platformdirs.user_cache_dir("wenju")),
        description="folder of the bundled model, shared by all archives",
    )
    model: str | None = Field(
        None, description="hub id or folder of another sentence-transformers model"
    )
    dictionary: Path | None = Field(None, description="jieba user dictionary, a word a line")
    threads: int = Field(2, ge=1, le=256, description="threads of the encoder")
    top_k: int = Field(8, ge=1, le=50, description="passages shown with an answer")
    max_question: int = Field(512, ge=16, le=4096, description="characters of a question")
    max_upload_mb: int = Field(32, ge=1, le=1024, description="megabytes of one upload")
    host: str = Field("127.0.0.1", description="address to serve on")
    port: int = Field(8000, ge=0, le=65535, description="port to serve on; 0 picks a free one")
    concurrency: int = Field(8, ge=1, le=256, description="questions worked on at one time")
    queue: int = Field(64, ge=0, le=10000, description="questions that may wait for their turn")

    @field_validator("dictionary")
    @classmethod
    def _exists(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"there is no file {value}")
        return value

    @field_validator("model")
    @classmethod
    def _empty_is_none(cls, value: str | None) -> str | None:
        return value or None

    def config(self) -> Config:
        """What the pipeline needs of this."""
        return Config(
            home=self.home,
            cache=self.cache,
            model=self.model,
            dictionary=self.dictionary,
            threads=self.threads,
            top_k=self.top_k,
            max_question=self.max_question,
        )


def load(**options: Any) -> Settings:  # noqa: ANN401 each option has its field's type
    """Settings from the environment, with options that are not None over them.

    Raises:
        SettingsError: an unknown WENJU_ variable, or a value out of its bounds.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    unknown = sorted(k for k in os.environ if k.startswith(PREFIX) and k not in known)
    if unknown:
        raise SettingsError(
            f"Unknown setting {', '.join(unknown)}; the settings are {', '.join(sorted(known))}."
        )
    try:
        return Settings(**{k: v for k, v in options.items() if v is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + str(first["loc"][0]).upper() if first["loc"] else "a setting"
        raise SettingsError(f"{name} cannot be {first['input']!r}: {first['msg']}.") from error

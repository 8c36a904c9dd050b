"""Settings: environment variables that begin with WENJU_, and the command line's options over them.

They are read once, by the command line or by whoever builds the application, never at import.
"""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

import platformdirs
from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api import addresses
from rag.config import Config, ModelServer
from rag.errors import BadInput

PREFIX = "WENJU_"

_WITH_MODEL = 8  # questions that wait for a language model side by side
_PATIENCE, _PATIENCE_WITH_MODEL = 2.0, 10.0  # seconds
_RATE_ELSEWHERE = 1200  # requests a minute of an address; a page is some thirty


def _split(value: object) -> object:
    """Several names in one variable, parted by commas or blanks."""
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Names in a variable's text, parted by commas or blanks."""


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
    store: SecretStr | None = Field(
        None, description="PostgreSQL database of corpus and index, in place of the home"
    )
    store_reads: SecretStr | None = Field(
        None, description="its replicas, which answer questions; else WENJU_STORE does"
    )
    index: SecretStr | None = Field(
        None, description="Milvus database of the index, in place of the home or WENJU_STORE"
    )
    index_token: SecretStr = Field(SecretStr(""), description="what that server asks for")
    model: str | None = Field(
        None, description="hub id or folder of another sentence-transformers model"
    )
    reranker: str | None = Field(
        None, description="hub id or folder of a CrossEncoder that orders what was found"
    )
    dictionary: Path | None = Field(None, description="jieba user dictionary, a word a line")
    threads: int = Field(2, ge=1, le=256, description="threads of the encoder")
    top_k: int = Field(8, ge=1, le=50, description="passages shown with an answer")
    max_question: int = Field(512, ge=16, le=4096, description="characters of a question")
    max_upload_mb: int = Field(32, ge=1, le=1024, description="megabytes of one upload")
    host: str = Field("127.0.0.1", description="address to serve on")
    require_keys: bool = Field(
        False,
        description="ask for an API key on a loopback address too; elsewhere one is asked for",
    )
    rate_key: int = Field(
        600, ge=0, le=1_000_000, description="requests a minute of one API key; 0: any number"
    )
    rate_address: int | None = Field(
        None,
        ge=0,
        le=1_000_000,
        description="requests a minute of one address without a key; 0: any number",
    )
    allowed_hosts: Names = Field(
        (), description="names that the server answers to, beside localhost; others are refused"
    )
    trusted_proxies: Names = Field(
        (), description="addresses or networks whose X-Forwarded-For and -Proto are believed"
    )
    cors_origins: Names = Field(
        (), description="sites whose pages may use the API, as https://desk.example.org"
    )
    log_questions: bool = Field(False, description="write what is asked into the log")
    port: int = Field(8000, ge=0, le=65535, description="port to serve on; 0 picks a free one")
    concurrency: int | None = Field(
        None,
        ge=1,
        le=256,
        description="questions worked on at one time; as many as there are processors, "
        "or 8 where a language model is waited for",
    )
    workers: int = Field(
        1, ge=1, le=64, description="server processes over the home, which share the threads"
    )
    queue: int = Field(64, ge=0, le=10000, description="questions that may wait for their turn")
    deadline: float | None = Field(
        None,
        ge=0.1,
        le=600,
        description="seconds a question may wait; one that would wait longer is refused at once; "
        "2, or 10 with a language model",
    )
    drain: float = Field(
        0.0, ge=0, le=300, description="seconds of not being ready before a graceful end"
    )

    llm_base_url: str | None = Field(
        None, description="OpenAI-compatible server of a language model, with its /v1"
    )
    llm_model: str | None = Field(None, description="the language model's name on that server")
    llm_api_key: SecretStr = Field(SecretStr(""), description="key of that server")
    llm_timeout: float = Field(
        30.0, ge=0.5, le=600, description="seconds of the language model for one question"
    )
    llm_context: int = Field(
        8192, ge=1024, le=1_000_000, description="tokens of its prompt and reply together"
    )
    llm_reply: int = Field(512, ge=32, le=8192, description="tokens of its reply")

    @field_validator("dictionary")
    @classmethod
    def _exists(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"there is no file {value}")
        return value

    @field_validator("model", "reranker", "llm_base_url", "llm_model")
    @classmethod
    def _empty_is_none(cls, value: str | None) -> str | None:
        return value or None

    @field_validator("llm_base_url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        return value if value is None else addresses.model_server(value)

    @field_validator("store", "store_reads")
    @classmethod
    def _is_a_database(cls, value: SecretStr | None) -> SecretStr | None:
        return value if value and addresses.database(value.get_secret_value()) else None

    @field_validator("index")
    @classmethod
    def _is_an_index(cls, value: SecretStr | None) -> SecretStr | None:
        return value if value and addresses.index(value.get_secret_value()) else None

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network)  # its error says what is wrong
        return value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            addresses.origin(origin)
        return value

    @model_validator(mode="after")
    def _whole_server(self) -> Self:
        if (self.llm_base_url is None) != (self.llm_model is None):
            raise ValueError("WENJU_LLM_BASE_URL and WENJU_LLM_MODEL go together")
        if self.store_reads and not self.store:
            raise ValueError("WENJU_STORE_READS goes with WENJU_STORE")
        if self.index_token.get_secret_value() and not self.index:
            raise ValueError("WENJU_INDEX_TOKEN goes with WENJU_INDEX")
        if self.llm_reply * 2 > self.llm_context:
            raise ValueError("WENJU_LLM_REPLY may be half of WENJU_LLM_CONTEXT at most")
        return self

    @property
    def keys_asked(self) -> bool:
        """Whether requests need an API key."""
        return self.require_keys or not addresses.is_loopback(self.host)

    @property
    def rate_of_address(self) -> int:
        """Requests a minute of one address without a key; 0: any number.

        Where nothing is said there is no limit for programs on the same machine.
        """
        if self.rate_address is not None:
            return self.rate_address
        return _RATE_ELSEWHERE if self.keys_asked else 0

    @property
    def at_work(self) -> int:
        """Questions worked on at one time.

        More than there are processors only take the interpreter from each other and from the event
        loop; a language model is waited for and takes no processor.
        """
        if self.concurrency is not None:
            return self.concurrency
        return _WITH_MODEL if self.llm_base_url else len(os.sched_getaffinity(0))

    @property
    def patience(self) -> float:
        """Seconds that a question may wait for its turn."""
        if self.deadline is not None:
            return self.deadline
        return _PATIENCE_WITH_MODEL if self.llm_base_url else _PATIENCE

    @property
    def secrets(self) -> list[str]:
        """Texts that may be written nowhere: servers' keys and tokens, databases' passwords."""
        urls = (value.get_secret_value() for value in (self.store, self.store_reads) if value)
        keys = (key.get_secret_value() for key in (self.llm_api_key, self.index_token))
        found = [*keys, *(urlsplit(url).password for url in urls)]
        return [text for text in found if text]

    def config(self) -> Config:
        """What the pipeline needs of this."""
        return Config(
            home=self.home,
            cache=self.cache,
            model=self.model,
            reranker=self.reranker,
            dictionary=self.dictionary,
            threads=self.threads,
            top_k=self.top_k,
            max_question=self.max_question,
            generator=self._generator(),
            store=self.store.get_secret_value() if self.store else None,
            store_reads=self.store_reads.get_secret_value() if self.store_reads else None,
            index=self.index.get_secret_value() if self.index else None,
            index_token=self.index_token.get_secret_value(),
        )

    def _generator(self) -> ModelServer | None:
        if self.llm_base_url is None or self.llm_model is None:
            return None
        return ModelServer(
            base_url=self.llm_base_url,
            model=self.llm_model,
            api_key=self.llm_api_key.get_secret_value(),
            timeout=self.llm_timeout,
            context=self.llm_context,
            reply=self.llm_reply,
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
        if not first["loc"]:  # of several settings together: their values may hold a key
            raise SettingsError(f"{first['msg'].removeprefix('Value error, ')}.") from error
        name = PREFIX + str(first["loc"][0]).upper()
        secret = any(part in name for part in ("LLM", "STORE", "INDEX"))  # it may hold a key
        what = " this" if secret else f" {first['input']!r}"
        raise SettingsError(f"{name} cannot be{what}: {first['msg']}.") from error

"""What the pipeline needs to know. `api.settings` makes it; nothing here reads the environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ModelServer:
    """A language model on a server that speaks OpenAI's protocol.

    Attributes:
        base_url: where it is, with its version path ("http://127.0.0.1:11434/v1").
        model: its name there.
        api_key: never shown; "" where the server needs none.
        timeout: seconds for all that a question asks of it, above 0.
        context: tokens of prompt and reply together.
        reply: tokens of a reply, fewer than `context`.
    """

    base_url: str
    model: str
    api_key: str = field(default="", repr=False)
    timeout: float = 30.0
    context: int = 8192
    reply: int = 512


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
        reranker: hub id or folder of a CrossEncoder that orders what was found; None for none.
        generator: the language model that words the answers; None: they are quoted.
        store: address of a PostgreSQL database that holds corpus and index in place of the home;
            never shown, as it may hold a password. None: they are in the home.
        store_reads: address of its replicas, which answer questions; None: `store` does.
        index: address of a Milvus database that holds the index ("milvus:http://HOST:PORT/NAME"),
            wherever the corpus is; None: it stands beside the corpus.
        index_token: what that server asks for; never shown. "" where it asks for none.
    """

    home: Path
    cache: Path
    model: str | None = None
    dictionary: Path | None = None
    threads: int = 2
    top_k: int = 8
    max_question: int = 512
    reranker: str | None = None
    generator: ModelServer | None = None
    store: str | None = field(default=None, repr=False)
    store_reads: str | None = field(default=None, repr=False)
    index: str | None = None
    index_token: str = field(default="", repr=False)

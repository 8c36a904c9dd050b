"""What one archive is kept in: its corpus, its index and what goes with them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from index.changes import held
from index.files import sync_folder
from index.lock import WriterLock
from index.store import Store
from index.tokens import Tokenizer
from index.vectors import VectorCache
from rag.config import Config
from rag.corpus import Corpus
from rag.errors import HomeUnusable
from rag.reprints import Reprints
from rag.scope import Scopes
from rag.seams import Behind, Index, Vectors
from rag.seams import Reprints as AnyReprints
from rag.seams import Scopes as AnyScopes

FILE = "corpus.sqlite"
"""The corpus, in the home."""

LOCK = "writer.lock"
"""The file in the home that one writer at a time holds locked."""

CHANGING = "changing"
"""The file in the home that is there while the index may not hold what the corpus holds."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stores:
    """The engines of one archive.

    Attributes:
        corpus: the articles.
        index: their passages.
        vectors: every vector made so far.
        reprints: which articles are the same.
        scopes: what filters let through.
        writing: be the only one who writes; takes the seconds to wait for it, and raises
            ArchiveBusy where somebody else writes longer.
        changing: what changes corpus and index is done inside, by the only one who writes. Gives
            whether all that was begun before is done: then it is enough to compare what is changed
            inside. Else, and where a server compares all quickly, everything is to be compared.
        behind: the articles that only the index holds, and those that it lacks, in order.
        joined: what is written to corpus and index inside is one transaction, where one database
            holds both; else each is written at once, by itself.
        close: close what they have open.
    """

    corpus: Corpus
    index: Index
    vectors: Vectors
    reprints: AnyReprints
    scopes: AnyScopes
    writing: Callable[[float], AbstractContextManager[None]]
    changing: Callable[[], AbstractContextManager[bool]]
    behind: Behind
    joined: Callable[[], AbstractContextManager[None]]
    close: Callable[[], None]


def opened(config: Config, tokenizer: Tokenizer) -> Stores:
    """The engines that are configured.

    Raises:
        HomeUnusable: the home folder cannot be made or written.
        EngineUnusable: what its address needs is not installed, or it cannot be read.
    """
    try:
        config.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HomeUnusable(config.home, error.strerror or str(error)) from error
    if config.index:
        from rag import milvus  # it is made of what stands here

        if config.store:
            return milvus.beside_postgres(
                config.store, config.store_reads, config.index, config.index_token, tokenizer
            )
        return milvus.beside_files(config.home, config.index, config.index_token, tokenizer)
    if config.store:
        from rag import pg

        return pg.stores(config.store, config.store_reads, tokenizer)
    return embedded(config.home, tokenizer)


def embedded(home: Path, tokenizer: Tokenizer) -> Stores:
    """Files in a folder, which is there."""
    corpus = Corpus(home / FILE)
    index = Store(home / "index", tokenizer)

    def behind(only: Collection[str] | None = None) -> tuple[frozenset[str], list[str]]:
        snapshot = index.open()
        if only is None or snapshot.fell_back or not snapshot.generation:
            indexed, wanted = snapshot.groups(), corpus.ids()
        else:
            indexed, wanted = held(snapshot.views, only), corpus.existing(only)
        return indexed - wanted, sorted(wanted - indexed)

    return Stores(
        corpus=corpus,
        index=index,
        vectors=VectorCache(home / "vectors.sqlite"),
        reprints=Reprints(home / "reprints.sqlite"),
        scopes=Scopes(corpus),
        writing=partial(_locked, home),
        changing=partial(_changing, home),
        behind=behind,
        joined=nullcontext,
        close=corpus.close,
    )


@contextmanager
def _locked(home: Path, wait: float) -> Iterator[None]:
    """Be the only one who writes to a home; `wait`: seconds to wait for it."""
    lock = WriterLock(home / LOCK, wait)
    try:
        lock.__enter__()
    except OSError as error:
        raise HomeUnusable(home, error.strerror or str(error)) from error
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


@contextmanager
def _changing(home: Path) -> Iterator[bool]:
    """`Stores.changing` of a home: a file stays there when a change fails or its process ends."""
    mark = home / CHANGING
    try:
        done = not mark.exists()
        mark.touch()
        sync_folder(home)  # before the corpus changes, also where power fails
    except OSError as error:
        raise HomeUnusable(home, error.strerror or str(error)) from error
    yield done
    try:
        mark.unlink(missing_ok=True)
    except OSError as why:  # the next change compares everything, which is all that it says
        logger.warning("mark_left", extra={"path": str(mark), "reason": str(why)})

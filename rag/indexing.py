"""Makes the index hold just what the corpus holds: chunk → encode → a new generation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from index.encode import Encoder
from index.snapshot import Snapshot
from index.store import Store
from index.types import Entry
from index.vectors import VectorCache
from rag import chunk
from rag.clauses import clauses
from rag.corpus import Corpus
from rag.errors import ModelMismatch
from rag.sentences import sentences
from rag.types import Article

Progress = Callable[[str, int, int], None]
"""Called with a step's name, how much of it is done and how much there is."""

_ARTICLES_A_TIME = 500  # bounds what is held in memory while an archive is cut into passages


def sync(
    corpus: Corpus,
    store: Store,
    encoder: Callable[[], Encoder],
    vectors: VectorCache,
    progress: Progress | None = None,
) -> int:
    """Add to the index what only the corpus holds, and take out what it holds no more.

    The caller has the writer lock. Nothing is encoded whose text was encoded before.

    Args:
        corpus: the truth.
        store: the index.
        encoder: gives the model; called only when there is something to add.
        vectors: the vectors made so far.
        progress: called as encoding goes on.

    Returns:
        How many passages were added.

    Raises:
        ModelMismatch: the index was made with another model.
    """
    snapshot = store.open()
    indexed, wanted = snapshot.groups(), corpus.ids()
    gone, new = indexed - wanted, sorted(wanted - indexed)
    if not gone and not new:
        return 0
    if not new:
        none = np.empty((0, snapshot.dim), np.float32)
        store.commit(add=(), vectors=none, remove_groups=gone, model=snapshot.model)
        return 0
    model = encoder()
    check_model(snapshot, model)
    entries, rows = encode_articles(new, corpus, model, vectors, progress)
    store.commit(add=entries, vectors=rows, remove_groups=gone, model=model.fingerprint)
    return len(entries)


def check_model(snapshot: Snapshot, encoder: Encoder) -> None:
    """Refuse to mix vectors of two models.

    Raises:
        ModelMismatch: the index was made with another model.
    """
    if snapshot.generation and snapshot.model != encoder.fingerprint:
        raise ModelMismatch(snapshot.model, encoder.fingerprint)


def encode_articles(
    ids: Sequence[str],
    corpus: Corpus,
    encoder: Encoder,
    vectors: VectorCache,
    progress: Progress | None = None,
) -> tuple[list[Entry], NDArray[np.float32]]:
    """Cut articles into passages and encode these, and their sentences and clauses for later.

    Answers are chosen by the vectors of sentences and clauses; made here, they cost a question
    nothing.

    Returns:
        The passages as index entries, and their vectors: float32, (n, dim), rows of length 1.
    """
    entries: list[Entry] = []
    texts: list[str] = []
    parts: list[str] = []
    for start in range(0, len(ids), _ARTICLES_A_TIME):
        batch = ids[start : start + _ARTICLES_A_TIME]
        for article in corpus.get_many(batch).values():
            passages = chunk.passages(article, encoder.count_tokens, encoder.max_tokens)
            corpus.put_passages(passages)
            for passage in passages:
                entries.append(Entry(passage.id, article.id, passage.text, context_of(article)))
                texts.append(chunk.encoder_text(article, passage))
                for sentence in sentences(passage.text):
                    parts += [sentence, *clauses(sentence)]
    parts = list(dict.fromkeys(parts))
    done, total = 0, len(texts) + len(parts)

    def count(number: int) -> None:
        nonlocal done
        done += number
        if progress:
            progress("encode", done, total)

    rows = vectors.encode(encoder, texts, progress=count)
    vectors.encode(encoder, parts, progress=count)
    return entries, rows


def context_of(article: Article) -> str:
    """What keyword search should find a passage by besides its own words."""
    return " ".join(
        part
        for part in (article.title, article.section, *article.authors, *article.affiliations)
        if part
    )

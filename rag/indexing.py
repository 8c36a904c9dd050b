"""Makes the index hold just what the corpus holds: chunk → encode → a new generation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import nullcontext
from functools import partial

from index.encode import Encoder
from index.parts import Parts
from index.spread import at_once
from index.types import Batch, Entry
from rag import chunk
from rag.corpus import Corpus
from rag.errors import ModelMismatch
from rag.seams import Snapshot, Vectors
from rag.sentences import sentences
from rag.stores import Stores
from rag.types import Article, Passage

Progress = Callable[[str, int, int], None]
"""Called with a step's name, how much of it is done and how much there is."""

ARTICLES_A_TIME = 1_000
"""Articles that become searchable together: bounds what is held in memory while they are encoded,
and what an interruption leaves to be done again."""


def sync(
    stores: Stores,
    encoder: Callable[[], Encoder],
    progress: Progress | None = None,
    only: Collection[str] | None = None,
) -> int:
    """Add to the index what only the corpus holds, and take out what it holds no more.

    The caller has the writer lock. Nothing is encoded whose text was encoded before.

    Args:
        stores: the corpus, which is the truth; the index; the vectors made so far.
        encoder: gives the model; called only when there is something to add.
        progress: called as encoding goes on.
        only: ids; all other articles are indexed as the corpus has them. None: compare all.

    Returns:
        How many passages were added.

    Raises:
        ModelMismatch: the index was made with another model.
    """
    store = stores.index
    snapshot = store.open()
    gone, new = stores.behind(only)
    if gone and not new:
        store.commit(remove_groups=gone, model=snapshot.model)
    if not new:
        return 0
    model = encoder()
    check_model(snapshot, model)
    added = 0
    for passages, batch in batches(new, stores.corpus, model, stores.vectors, progress):
        if added:  # many commits in a row: keep the segments few, we hold the lock already
            store.merge(nullcontext)
        with stores.joined():
            stores.corpus.put_passages(passages)
            store.commit(batch, remove_groups=gone, model=model.fingerprint)
        gone = frozenset()
        added += len(batch.entries)
    return added


def check_model(snapshot: Snapshot, encoder: Encoder) -> None:
    """Refuse to mix vectors of two models.

    Raises:
        ModelMismatch: the index was made with another model.
    """
    if snapshot.generation and snapshot.model != encoder.fingerprint:
        raise ModelMismatch(snapshot.model, encoder.fingerprint)


def batches(
    ids: Sequence[str],
    corpus: Corpus,
    encoder: Encoder,
    vectors: Vectors,
    progress: Progress | None = None,
) -> Iterator[tuple[list[Passage], Batch]]:
    """Cut articles into passages and encode these and their sentences.

    A passage's sentences become its parts in the index. Answers are chosen by the vectors of
    sentences; made here, they cost a question nothing.

    Args:
        ids: of articles; those that the corpus does not hold are passed over.
        corpus: holds them; the caller gives it the passages.
        encoder: for what `vectors` lacks.
        vectors: the vectors made so far.
        progress: told how many articles are done.

    Yields:
        The passages of ARTICLES_A_TIME articles, and what the index holds of them.
    """
    for start in range(0, len(ids), ARTICLES_A_TIME):
        some = ids[start : start + ARTICLES_A_TIME]
        passages: list[Passage] = []
        entries: list[Entry] = []
        texts: list[str] = []
        parts: list[list[str]] = []
        for article in corpus.get_many(some).values():
            context, title = context_of(article), article.title or ""
            for passage in chunk.passages(article, encoder.count_tokens, encoder.max_tokens):
                passages.append(passage)
                entries.append(Entry(passage.id, article.id, passage.text, context, title))
                texts.append(chunk.encoder_text(article, passage))
                parts.append(sentences(passage.text))
        told = partial(_tell, progress, start, len(some), len(ids))
        yield passages, _encoded(entries, texts, parts, encoder, vectors, told)


def _encoded(
    entries: Sequence[Entry],
    texts: Sequence[str],
    parts: Sequence[Sequence[str]],
    encoder: Encoder,
    vectors: Vectors,
    tell: Callable[[float], None],
) -> Batch:
    """A batch with its vectors."""
    flat = [sentence for own in parts for sentence in own]
    total = max(len(texts) + len(flat), 1)
    done = 0

    def count(number: int) -> None:
        nonlocal done
        done += number
        tell(done / total)

    size = at_once(encoder)
    rows = vectors.encode(encoder, texts, progress=count, batch=size)
    sentences_ = vectors.encode(encoder, flat, progress=count, batch=size)
    codes = Parts.of(sentences_, [len(own) for own in parts])
    return Batch(entries, rows, codes)


def _tell(progress: Progress | None, before: int, now: int, total: int, share: float) -> None:
    """Say how many articles are done, when so large a share of the present ones is."""
    if progress:
        progress("encode", before + int(share * now), total)


def context_of(article: Article) -> str:
    """What keyword search should find a passage by besides its own words and its title."""
    return " ".join(
        part for part in (article.section, *article.authors, *article.affiliations) if part
    )

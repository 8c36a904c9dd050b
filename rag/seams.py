"""What `rag` asks of the engines below it: an index, a corpus's database, and what goes with them.

The embedded ones (`index.store`, `rag.sqlite`), PostgreSQL (`index.pg`, `rag.pg`) and an index in
Milvus (`index.milvus`, `rag.milvus`) answer alike: tests/test_engines.py asks all the same.
`rag.stores` puts together those of one archive.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from index.encode import Encoder
from index.types import Batch, Hit
from rag.types import Filters, Vocabulary

if TYPE_CHECKING:  # they are made of what stands here
    from rag.corpus import Corpus
    from rag.scope import Scope

Groups = Any
"""Which articles are searched: ids, or what the same engine's `Scopes` made; never looked into."""

Vector = NDArray[np.float32]


class Snapshot(Vocabulary, Protocol):
    """An index as it was opened; see `index.snapshot.Snapshot` for what each call gives.

    One of a server shows what others write meanwhile: what they deleted is not found any more.
    """

    @property
    def generation(self) -> int:
        """Rises with everything that changes what is found; 0 where nothing was ever written."""
        ...

    @property
    def model(self) -> str:
        """The fingerprint of the encoder whose vectors it holds; "" before the first."""
        ...

    @property
    def size(self) -> int:
        """The passages."""
        ...

    def groups(self) -> frozenset[str]:
        """The articles that have a passage in it."""
        ...

    def dense(self, query: Vector, k: int, groups: Groups | None = None) -> list[Hit]:
        """The k passages nearest to a vector by cosine, best first, equal ones by id."""
        ...

    def terms(
        self, terms: Sequence[Mapping[str, float]], k: int, groups: Groups | None = None
    ) -> list[Hit]:
        """The k passages that hold the tokens of some terms, by BM25, best first, equal by id."""
        ...

    def lexical(self, text: str, k: int, groups: Groups | None = None) -> list[Hit]:
        """As `terms`, for the words of a text."""
        ...

    def vectors_and_parts(self, ids: Sequence[str]) -> tuple[Vector, Vector, NDArray[np.int64]]:
        """The vectors of passages and of their sentences, and where each passage's begin.

        Raises:
            KeyError: there is no such passage. A server gives zeros for one deleted since.
        """
        ...

    def stats(self) -> dict[str, object]:
        """Figures for a person who looks after it."""
        ...


class Index(Protocol):
    """An index that can be written; see `index.store.Store` for arguments and errors."""

    def open(self) -> Snapshot:
        """What is searched now."""
        ...

    def commit(
        self, add: Batch | None = None, *, remove_groups: Collection[str] = (), model: str
    ) -> Snapshot:
        """Take some articles out and put some passages in, as one act."""
        ...

    def rebuild(self, batches: Iterable[Batch], *, model: str) -> Snapshot:
        """Put these passages in the place of all others."""
        ...

    def merge(self, locked: Callable[[], AbstractContextManager[object]]) -> bool:
        """Do what keeps searches quick, beside readers and writers; whether there was any."""
        ...

    def verify(self) -> list[str]:
        """What is not as it should be; empty is good."""
        ...


class Vectors(Protocol):
    """Vectors by the hash of their text; see `index.vectors.VectorCache`."""

    def encode(
        self,
        encoder: Encoder,
        texts: Sequence[str],
        progress: Callable[[int], None] | None = None,
        batch: int = 256,
    ) -> Vector:
        """The texts' vectors, looked up or newly made and kept."""
        ...

    def check(self) -> list[str]:
        """What is not as it was written; empty is good."""
        ...

    def mend(self) -> None:
        """Forget what is damaged."""
        ...


class Reprints(Protocol):
    """Which articles are the same; see `rag.reprints.Reprints`."""

    def sync(self, corpus: Corpus, only: Collection[str] | None = None) -> int:
        """Hold just the corpus's articles; how many were added.

        Args:
            corpus: the articles.
            only: ids; all others are held as the corpus has them, and need not be compared.
        """
        ...

    def families(self, ids: Sequence[str]) -> dict[str, str]:
        """The family of each article that has a near-identical one."""
        ...

    def check(self, corpus: Corpus) -> list[str]:
        """What is not as it was written; empty is good."""
        ...

    def forget(self) -> None:
        """The next `sync` makes it anew."""
        ...


class Behind(Protocol):
    """Compares an index with its corpus."""

    def __call__(self, only: Collection[str] | None = None) -> tuple[frozenset[str], list[str]]:
        """The articles that only the index holds, and those that it lacks, in order.

        Args:
            only: ids; all others are indexed as the corpus has them, and need not be compared.
        """
        ...


class Scopes(Protocol):
    """Works out what filters let through."""

    def of(self, snapshot: Snapshot, filters: Filters | None) -> Scope:
        """What some filters let through."""
        ...


class Cursor(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int:
        """Rows that it changed."""
        ...

    def fetchone(self) -> Any:  # noqa: ANN401  as in Python's own protocol for databases
        """The next row, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """All rows."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """A connection of this thread, with "?" for each value of a statement."""

    def execute(self, sql: str, values: Sequence[Any] = ..., /) -> Cursor:
        """Run a statement."""
        ...

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> object:
        """Run a statement once for each row of values."""
        ...


class Database(Protocol):
    """What `rag.corpus.Corpus` stands on: its tables, in one SQL for all.

    Attributes:
        filtered: how a statement names the articles of which it reads only what filters ask about.
    """

    filtered: str

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection to read with; in a transaction of this thread, that one's."""
        ...

    def transaction(self) -> AbstractContextManager[Connection]:
        """One transaction, or a part of the one that this thread is in: all or nothing."""
        ...

    def insertion(self, table: str, conflict: str = "") -> str:
        """The statement that holds a row of a table (`rag.checksums.TABLES`), columns in order."""
        ...

    def count(self, table: str) -> int:
        """The rows of a table; of a large one it may be about as many."""
        ...

    def check(self) -> list[str]:
        """What is not as it was written; empty is good."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...

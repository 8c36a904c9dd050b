"""Which articles a question may be answered from, worked out once for a generation of the index."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from index.types import AllBut
from rag.corpus import Corpus
from rag.seams import Groups, Snapshot
from rag.types import Coverage, Evidence, Filters

KEPT = 64
"""Sets of filters whose scopes are kept: a reader asks several questions with the same ones."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is searched. Equal filters on one generation give the same object.

    Attributes:
        articles: which; None: every article there is.
        places: the articles to search by language; None: every article there is.
        written_in: the language of each of some articles that is known, by id.
        passages: how many there are in it.
        earliest: the articles' first date, ISO 8601, None where none is dated.
        latest: their last.
    """

    articles: Groups | None
    places: Mapping[str, Groups | None]
    written_in: Callable[[Sequence[str]], Mapping[str, str]]
    passages: int
    earliest: str | None
    latest: str | None

    def languages_of(self, article_ids: Sequence[str], otherwise: str) -> list[str]:
        """The language of each article; `otherwise` where it is not known."""
        known = self.written_in(article_ids)
        return [known.get(key, otherwise) for key in article_ids]

    def coverage(self, evidence: tuple[Evidence, ...]) -> Coverage:
        """What was searched, and the passages that came nearest."""
        nearest = tuple(e.passage.id for e in evidence[:3])
        return Coverage(self.passages, self.earliest, self.latest, nearest)


class Held(ABC):
    """Keeps the scopes of the newest generation asked about. Threads may share it."""

    def __init__(self) -> None:
        """Nothing is asked yet."""
        self._lock = threading.Lock()
        self._generation = -1
        self._held: OrderedDict[Filters, Scope] = OrderedDict()

    def of(self, snapshot: Snapshot, filters: Filters | None) -> Scope:
        """What some filters let through.

        An article deleted since the generation was written may be in it still; its passages are
        not in the corpus any more, so nothing of it is found.
        """
        chosen = filters or Filters()
        with self._lock:
            if self._generation != snapshot.generation:
                self._generation = snapshot.generation
                self._held.clear()
            scope = self._held.pop(chosen, None)
        # Nobody waits for what others' filters take.
        scope = scope or self._made(snapshot, chosen)
        with self._lock:
            if self._generation == snapshot.generation:
                scope = self._held.pop(chosen, scope)
                self._held[chosen] = scope
                if len(self._held) > KEPT:
                    self._held.popitem(last=False)
        return scope

    @abstractmethod
    def _made(self, snapshot: Snapshot, filters: Filters) -> Scope:
        """Work a scope out."""


class Scopes(Held):
    """The scopes of an archive in files."""

    def __init__(self, corpus: Corpus) -> None:
        """Nothing is read yet."""
        super().__init__()
        self._corpus = corpus
        self._languages: tuple[int, Mapping[str, frozenset[str] | None]] = (-1, {})

    def _spoken(self, snapshot: Snapshot) -> Mapping[str, frozenset[str] | None]:
        """`Corpus.languages`, read once a generation."""
        generation, languages = self._languages
        if generation != snapshot.generation:
            languages = self._corpus.languages()
            self._languages = snapshot.generation, languages
        return languages

    def _made(self, snapshot: Snapshot, filters: Filters) -> Scope:
        languages = self._spoken(snapshot)
        written_in = partial(_written_in, languages)
        others = frozenset().union(*filter(None, languages.values()))
        places: dict[str, frozenset[str] | AllBut | None]
        if filters == Filters():
            main = AllBut(others) if others else None
            places = {k: main if own is None else own for k, own in languages.items()}
            return Scope(None, places, written_in, snapshot.size, *self._corpus.dates())
        passing = self._corpus.passing(filters)
        ids = passing.ids
        chosen = AllBut(ids) if passing.all_but else ids
        places = {}
        left = passing.count  # of the commonest language, of which no ids are listed
        for name, own in languages.items():
            if own is not None and (found := own - ids if passing.all_but else own & ids):
                places[name] = found
                left -= len(found)
        for name, own in languages.items():
            if own is None and left > 0:
                places[name] = AllBut(ids | others) if passing.all_but else ids - others
        figures = (passing.passages, passing.earliest, passing.latest)
        return Scope(chosen, places, written_in, *figures)


def _written_in(
    languages: Mapping[str, frozenset[str] | None], article_ids: Sequence[str]
) -> dict[str, str]:
    listed = {name: ids for name, ids in languages.items() if ids is not None}
    main = {key: name for name in languages.keys() - listed.keys() for key in article_ids}
    return main | {key: name for key in article_ids for name, ids in listed.items() if key in ids}

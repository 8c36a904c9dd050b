"""Words of a question that stand nowhere in the archive, and what was meant by them.

A word may be written as another region writes it (計程車 for 出租车), as pinyin, or with a wrong
character or letter. Only words that the archive lacks are looked into, so that a question in its
own words costs no more than looking them up.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

import opencc

from rag import pinyin
from rag.terms import Term, Tokens
from rag.types import Vocabulary

MEANT = 0.6
"""A guess at a typing error counts less than a word that was typed."""

SHORTEST = 6
"""Letters of a word from which on one may be wrong: short words have too many neighbours."""

LONG = 10
"""Letters of a word from which on two may be."""

MOST_GUESSES = 3
"""Guesses kept at one word, and places looked at in one question."""

MOST_WORDS = 2_000
"""Words looked for in place of a single character."""

_HAN = re.compile("[\u3400-\u9fff]+")


def mended(
    question: str, terms: Sequence[Term], vocabulary: Vocabulary, tokens: Tokens
) -> list[Term]:
    """The terms of a question, with what may have been meant where the archive lacks a word.

    Args:
        question: as it was asked.
        terms: its words, see `rag.terms`; those with translations are left as they are.
        vocabulary: the archive's words.
        tokens: the index's tokeniser for questions.

    Returns:
        The same terms in their order, some with more words, and new ones behind them.
    """
    question = question.encode("utf-8", "replace").decode("utf-8")  # opencc takes no surrogates
    own = tokens(question)
    if len(own) == 1 == len(own[0]):  # one character: the words that it is in
        return [{**_whole(vocabulary.holding(own[0], MOST_WORDS)), **term} for term in terms]
    if sounds := _all_pinyin(own, vocabulary):
        return [*map(_whole, pinyin.words_of(sounds, vocabulary))] or [*terms]
    single = [token for term in terms if len(term) == 1 for token in term]
    known = vocabulary.known([*single, *own])
    absent = dict.fromkeys(single).keys() - known
    found = _latin(terms, absent, vocabulary) if absent else [*terms]
    lacked = frozenset(filter(_HAN.match, own)) - known
    if lacked:
        typed = _Typed(_converter("t2s").convert(question), frozenset(own), lacked)
        found += _regional(typed, vocabulary, tokens)
        found += _mistyped(typed, vocabulary, tokens)
    return found


@lru_cache(maxsize=8)
def _converter(way: str) -> opencc.OpenCC:
    return opencc.OpenCC(way)


@dataclass(frozen=True, slots=True)
class _Typed:
    """A question in simplified characters, its tokens, and those that the archive lacks."""

    text: str
    tokens: frozenset[str]
    absent: frozenset[str]

    def pairs(self, text: str, start: int, end: int) -> list[str]:
        """The tokens of two characters that have part in `text[start:end]`."""
        around = (text[i : i + 2] for i in range(max(start - 1, 0), end))
        return [pair for pair in around if len(pair) == 2 and pair in self.tokens]


def _regional(typed: _Typed, vocabulary: Vocabulary, tokens: Tokens) -> Iterator[Term]:
    """The words that other regions use in place of words that the archive lacks.

    Turning characters into simplified ones is not enough: 軟體 becomes 软体, and not 软件.
    """
    simplified = _converter("t2s").convert
    traditional = _converter("s2t").convert(typed.text)
    written = [simplified(_converter(way).convert(traditional)) for way in ("tw2sp", "hk2sp")]
    written.append(simplified(_converter("s2twp").convert(typed.text)))
    found: dict[str, None] = {}
    for other in dict.fromkeys(written):
        matched = SequenceMatcher(None, typed.text, other, autojunk=False)
        for kind, a, b, c, d in matched.get_opcodes():
            replaced = typed.pairs(typed.text, a, b) if kind == "replace" else []
            if replaced and typed.absent.issuperset(replaced):
                near = tokens(other[max(c - 2, 0) : d + 2])
                found |= dict.fromkeys(t for t in near if set(t) & set(other[c:d]))
    new = found.keys() - typed.tokens
    here = vocabulary.known(new)
    yield from ({token: 1.0} for token in found if token in here)


def _whole(words: Sequence[str]) -> Term:
    """A term of words that each count in full."""
    return dict.fromkeys(words, 1.0)


def _all_pinyin(words: Sequence[str], vocabulary: Vocabulary) -> list[str]:
    """The syllables of a question that is pinyin throughout, of which the archive knows no word."""
    cut = [pinyin.syllables(word) for word in words] if words and words[0] < "㐀" else []
    if not all(cut) or vocabulary.known(words):
        return []
    return [syllable for part in cut for syllable in part][: pinyin.MOST_SYLLABLES]


def _latin(terms: Sequence[Term], absent: set[str], vocabulary: Vocabulary) -> list[Term]:
    """Terms whose absent Latin words go with Chinese ones that sound so, or with similar ones."""
    words = [token for term in terms if len(term) == 1 for token in term]
    words = [w for w in words if w in absent and w.isalpha() and not _HAN.match(w)]
    cut = {word: pinyin.syllables(word) for word in words}
    sounds = [syllable for word in words for syllable in cut[word]]
    spoken = pinyin.words_of(sounds[: pinyin.MOST_SYLLABLES], vocabulary)
    similar = {w: _similar(w, vocabulary) for w in words if not (spoken and cut[w])}
    found: list[Term] = []
    for term in terms:
        guesses = similar.get(next(iter(term)), []) if len(term) == 1 else []
        found.append({**dict.fromkeys(guesses, MEANT), **term})
    return [*found, *map(_whole, spoken)]


def _similar(word: str, vocabulary: Vocabulary) -> list[str]:
    """The archive's Latin words nearest to one, with the same first letter."""
    from rapidfuzz.distance import OSA
    from rapidfuzz.process import extract

    plain = pinyin.plain_letters(word)
    if len(plain) < SHORTEST or not plain.isalpha():
        return []
    wrong = 1 if len(plain) < LONG else 2
    others = vocabulary.beginning(plain[0], len(plain) - wrong, len(plain) + wrong)
    near = extract(plain, others, scorer=OSA.distance, score_cutoff=wrong, limit=20)
    nearest = min((distance for _, distance, _ in near), default=0)
    return [other for other, distance, _ in near if distance == nearest][:MOST_GUESSES]


def _mistyped(typed: _Typed, vocabulary: Vocabulary, tokens: Tokens) -> Iterator[Term]:
    """For each Chinese character that makes strange pairs with its neighbours, better pairs.

    One that sounds alike and fits both neighbours is what was meant, as characters are typed by
    sound. One that does not, or that has a single neighbour, must make a word of the dictionary,
    and be the only one that does; and the wrong one must stand alone between words.
    """
    looked = 0
    for run in _HAN.findall(typed.text):
        for at, wrong in enumerate(run):
            strange = typed.pairs(run, at, at + 1)
            if not strange or looked == MOST_GUESSES or not typed.absent.issuperset(strange):
                continue
            looked += 1
            before = run[at - 1] if at and run[at - 1] + wrong in strange else ""
            after = run[at + 1] if wrong + run[at + 1 : at + 2] in strange else ""
            alike = _known_among(pinyin.alike(wrong), before, after, vocabulary)
            if not alike or not (before and after):
                alone = wrong in typed.tokens
                words = _in_words(before, wrong, after, alike, vocabulary, tokens) if alone else []
                alike = words if len(words) == 1 else []
            if 0 < len(alike) <= MOST_GUESSES:
                yield dict.fromkeys((p for c in alike for p in _pairs(before, c, after)), MEANT)


def _in_words(
    before: str,
    wrong: str,
    after: str,
    alike: Sequence[str],
    vocabulary: Vocabulary,
    tokens: Tokens,
) -> list[str]:
    """Better characters that make a word of the dictionary with a neighbour.

    They are those of `alike`, or any others where there are none and it has two neighbours.
    """
    fitting = alike
    if not fitting and before and after:
        size = len((before + wrong).encode())
        others = {pair[1:] for pair in vocabulary.beginning(before, size, size)} - {""}
        fitting = _known_among(others, before, after, vocabulary)
    return [c for c in fitting if any(tokens(p) == [p] for p in _pairs(before, c, after))]


def _known_among(
    characters: Collection[str], before: str, after: str, vocabulary: Vocabulary
) -> list[str]:
    """The characters that make words of the archive with both their neighbours."""
    known = vocabulary.known(p for c in characters for p in _pairs(before, c, after))
    return sorted(c for c in characters if known.issuperset(_pairs(before, c, after)))


def _pairs(before: str, character: str, after: str) -> list[str]:
    """A character with each of its neighbours, where it has them."""
    return [pair for pair in (before + character, character + after) if len(pair) == 2]

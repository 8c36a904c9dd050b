"""Whether a sentence in one language is supported by a quote in the other.

What can be looked up is: numbers by their value (39.3 billion is 393亿), months, and words by the
dictionary of `rag.bilingual`. Of 200 sentences of XQuAD's parallel paragraphs, .72 (English over
Chinese) and .75 (Chinese over English) are supported by their own translation, and .05 and .04 by
that of the next sentence.
"""

from __future__ import annotations

import re

from index.tokens import fold
from rag.bilingual import to_chinese
from rag.numerals import numbers
from rag.overlap import stands_in

ENGLISH, CHINESE = 0.35, 0.25
"""The share of an English sentence's words, and of a Chinese sentence's characters, that must have
a translation in the proof."""

_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]+")
_LATIN = re.compile(r"[a-z]{3,}")
_NAME = re.compile(r"(?<!^)\b[A-Z][a-z]+\b")
_SCALES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_MONTHS = (
    "january february march april may june july august september october november december".split()
)


def differ(said: str, quote: str) -> bool:
    """Whether one of two texts is in Chinese characters and the other has none."""
    return bool(_HAN.search(said)) != bool(_HAN.search(quote))


def supported(said: str, quote: str) -> bool:
    """Whether a quote in the other language says what a sentence says, as far as can be looked up.

    Args:
        said: the sentence, folded or not.
        quote: its proof, folded, with what else may name what the sentence is about.

    Returns:
        True where every number written in digits, every name that the dictionary knows and every
        Latin word of a Chinese sentence stands in the quote, and enough of the other words.
    """
    told = _values(quote)
    asserted = [n for n in numbers(said) if n.written == "digits"]
    if any(not _scaled(n.value, n.unit) & told for n in asserted):
        return False
    if _HAN.search(said):
        foreign = all(word in quote for word in _LATIN.findall(fold(said)))
        return foreign and share(said, quote) >= CHINESE
    known = {word: found for word, found in to_chinese(said) if found}
    names = {m[0].lower() for m in _NAME.finditer(said)}
    if any(n in known and not _held(n, known[n], quote) for n in names):
        return False
    return share(said, quote) >= ENGLISH


def share(said: str, quote: str) -> float:
    """How much of a sentence has a translation in a folded quote of the other language, 0 to 1.

    An English sentence counts by its words, a Chinese one by its characters.
    """
    if _HAN.search(said):
        return _covered(said, quote)
    words = [(word, found) for word, found in to_chinese(said) if word not in _SCALES]
    return sum(_held(word, found, quote) for word, found in words) / max(1, len(words))


def _held(word: str, translations: tuple[str, ...], quote: str) -> float:
    """1 where a word, its translation or its month stands in a Chinese text; see `stands_in`."""
    if word in _MONTHS and f"{_MONTHS.index(word) + 1}月" in quote:
        return 1.0
    return stands_in((*translations, word), quote)


def _covered(said: str, quote: str) -> float:
    """The share of a Chinese sentence's characters that translate words of an English quote."""
    runs = _HAN.findall(said)
    covered = [[False] * len(run) for run in runs]
    for _, translations in to_chinese(quote):
        for text in translations:
            if len(text) < 2:
                continue
            for run, flags in zip(runs, covered, strict=True):
                for match in re.finditer(re.escape(text), run):
                    flags[match.start() : match.end()] = [True] * len(text)
    total = sum(map(len, runs))
    return sum(map(sum, covered)) / total if total else 0.0


def _values(text: str) -> set[float]:
    return {value for n in numbers(text) for value in _scaled(n.value, n.unit)}


def _scaled(value: float, unit: str) -> set[float]:
    """A number's value, and that with million and billion multiplied in where they follow."""
    return {value} if unit not in _SCALES else {round(value * _SCALES[unit], 4)}

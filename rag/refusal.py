"""When to say that the archive does not tell.

One probability that the question is answered by the evidence, from a logistic regression over a
few signals (`eval/fit_refusal.py` finds its numbers in `refusal_weights.json`), and hard checks: a
year, number, quoted name or Latin name in the question that no passage holds, a number or a date
asked for where none stands.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np

from rag.fitness import asked_numbers, fit, list_fit, series
from rag.numerals import values
from rag.question import Analysis, Wanted
from rag.relevance import Ranking
from rag.types import Evidence

_HAN = re.compile(r"[\u3400-\u9fff]")

SIGNALS = (
    "cosine", "dense", "words_sentence", "words_passage", "words_all", "pairs", "margin",
    "no_fit", "no_count", "missing_number", "missing_quote", "missing_latin", "rarest_missing",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the evidence answers a question.

    Attributes:
        probability: 0 to 1, that it does; higher is better.
        refuse: whether to refuse.
        missing: what the question asks about and no passage holds, as written in the question.
        lacking: the kind of answer that stands nowhere: "number", "time", "list", or "".
        signals: what the probability was made from, by name.
    """

    probability: float
    refuse: bool
    missing: tuple[str, ...]
    lacking: str
    signals: dict[str, float]


def judge(
    analysis: Analysis, ranking: Ranking, evidence: Sequence[Evidence], chosen: Sequence[int]
) -> Verdict:
    """Whether the chosen sentences answer the question.

    Args:
        analysis: the question.
        ranking: all candidates.
        evidence: what they were cut from.
        chosen: the sentences that would be the answer, most important first.
    """
    signals, missing, lacking = _signals(analysis, ranking, evidence, chosen)
    cross = evidence[ranking.candidates[chosen[0]].evidence].article.language != analysis.language
    table = _weights()["cross" if cross else "same"]
    total = table["bias"] + sum(table[name] * signals[name] for name in SIGNALS)
    probability = 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, total))))
    return Verdict(probability, probability < table["threshold"], missing, lacking, signals)


def _signals(
    analysis: Analysis, ranking: Ranking, evidence: Sequence[Evidence], chosen: Sequence[int]
) -> tuple[dict[str, float], tuple[str, ...], str]:
    candidates, words = ranking.candidates, ranking.words
    answer = " ".join(candidates[i].folded for i in chosen)
    best = candidates[chosen[0]]
    passage = " ".join(c.folded for c in candidates if c.evidence == best.evidence)
    titled = f"{passage} {(evidence[best.evidence].article.title or '').lower()}"
    everything = " ".join(c.folded for c in candidates)
    ordered = np.sort(ranking.scores)[::-1]
    unseen = {t: w for t, w in words.items() if t not in titled}
    numbers_missing = _missing_numbers(analysis, titled)
    # A quotation in another script than the passages' cannot be looked up in them.
    han = bool(_HAN.search(everything))
    quotes = [q for q in analysis.quoted if q not in everything and (not han or _HAN.search(q))]
    latin = [name for name in analysis.latin if name not in everything]
    lacking = _lacking(analysis, answer)
    signals = {
        "cosine": float(ranking.cosines.max()),
        "dense": max((e.signals.get("dense", 0.0) for e in evidence), default=0.0),
        "words_sentence": sum(w for t, w in words.items() if t in answer),
        "words_passage": sum(w for t, w in words.items() if t in titled),
        "words_all": sum(w for t, w in words.items() if t in everything),
        "pairs": float(ranking.features[chosen[0]][2]),
        "margin": float(ordered[0] - ordered[1]) if len(ordered) > 1 else 0.0,
        "no_fit": float(bool(lacking)),
        "no_count": float(_no_count(analysis, answer, chosen)),
        "missing_number": float(bool(numbers_missing)),
        "missing_quote": float(len(quotes)),
        "missing_latin": float(len(latin)),
        "rarest_missing": max(unseen.values(), default=0.0),
    }
    return signals, tuple([*quotes, *latin, *numbers_missing]), lacking


def _missing_numbers(analysis: Analysis, passage: str) -> list[str]:
    """Numbers that the question states and the passage does not, as they read."""
    held = values(passage)
    return [
        f"{value:g}{'年' if unit == '年' else ''}"
        for value, unit in analysis.asserted
        if value not in held and f"{value:g}" not in passage
    ]


def _lacking(analysis: Analysis, answer: str) -> str:
    """The kind of answer that is asked for and that the answer has nothing of."""
    if analysis.wanted is Wanted.NUMBER:
        asked = asked_numbers(analysis, answer)
        return "" if asked or (not analysis.unit and fit(analysis, answer) > 0) else "number"
    if analysis.wanted is Wanted.TIME:
        return "" if fit(analysis, answer) > 0 else "time"
    if analysis.wanted is Wanted.LIST and analysis.count is not None:
        return "" if list_fit(analysis, answer) > 0 else "list"
    return ""


def _no_count(analysis: Analysis, answer: str, chosen: Sequence[int]) -> bool:
    """Whether a counted list is asked for and the answer has none of that length."""
    if analysis.count is None or len(chosen) >= analysis.count:
        return False
    return analysis.count not in series(answer)


@lru_cache(maxsize=1)
def _weights() -> dict[str, dict[str, float]]:
    text = resources.files("rag").joinpath("refusal_weights.json").read_text(encoding="utf-8")
    table: dict[str, dict[str, float]] = json.loads(text)
    return table


def reason(verdict: Verdict | None, analysis: Analysis, language: str) -> str:
    """One sentence that says that the archive does not tell, and what is missing.

    Args:
        verdict: why; None where nothing was found at all.
        analysis: the question.
        language: "zh" or "en".
    """
    missing = "、".join(f"“{m}”" for m in (verdict.missing if verdict else ()))
    lacking = verdict.lacking if verdict else ""
    if language == "zh":
        if missing:
            return f"档案中没有找到答案：最相关的段落没有提到{missing}。"
        kinds = {"number": "所问的数字", "time": "所问的时间", "list": "所问的各项内容"}
        if lacking:
            return f"档案中没有找到答案：最相关的段落没有给出{kinds[lacking]}。"
        return "档案中没有找到能回答这个问题的内容。"
    if missing:
        return (
            "The archive does not tell: the closest passages do not mention "
            f"{missing.replace('、', ', ')}."
        )
    kinds = {
        "number": "the number asked for",
        "time": "the date asked for",
        "list": "the items asked for",
    }
    if lacking:
        return f"The archive does not tell: the closest passages do not give {kinds[lacking]}."
    return "The archive does not tell: no passage answers this question."

"""When to say that the archive does not tell.

One probability that the question is answered by the evidence, from a logistic regression
(`eval/fit_refusal.py` finds its numbers in `refusal_weights.json`) over what is known of the chosen
sentences: how they score, how far they lead, what of the question stands in them and their article,
how near the asked kind of answer stands to it (`rag.nearness`), and what of the question stands
nowhere: a year, a number, a quoted name, a Latin name.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np

from index.tokens import fold
from rag.bilingual import to_chinese
from rag.dates import Date, holds_date, names_a_year
from rag.fitness import list_fit, series
from rag.nearness import nearness
from rag.numerals import values
from rag.question import Analysis, Wanted
from rag.relevance import Ranking
from rag.types import Evidence

_HAN = re.compile(r"[\u3400-\u9fff]")

SIGNALS = (
    "score", "margin", "mass",
    "sentence", "clause", "article", "lacking", "lacking_number", "no_count",
    "missing_number", "lost_number", "missing_name",
    "number", "time", "person", "place", "list", "thing", "cross",
)  # fmt: skip
"""What the probability is made of; no cosine is among them, because its scale is the model's:

- score, margin, mass: of the best sentence; how far it leads those of other passages; the chosen
  sentences' share of the softmax over all;
- sentence, clause, article: see `rag.nearness.Nearness`;
- lacking: nothing of the asked kind stands in the chosen sentences; lacking_number: no number;
  no_count: no list of the asked length;
- missing_number: a number of the question stands not in the passage; lost_number: nor in the whole
  article; missing_name: a name of it stands in no passage;
- the kind of question; cross: question and passage are of two languages.
"""

KINDS = ("number", "time", "person", "place", "list", "thing")

LONG_QUOTE = 5
"""A quotation in the question with fewer characters is often the asker's own word."""

_BODY = re.compile(
    r"[\u4e00-\u9fff]{2}(?:省委|市委|县委|区委|大学|学院|医院|研究院|研究所|委员会|法院|检察院)"
)
_NO_NAME = re.compile("[这那哪一两几些所个家各某的在和与是有为被让该本我他她它]")
_CAPITAL = re.compile(r"(?<=[\w,] )[A-Z][a-z]{3,}(?![\w–—-])(?<![–—-])")


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

    @property
    def hard(self) -> bool:
        """Whether something asked about or asked for stands nowhere, whatever the likeness."""
        return bool(self.missing or self.lacking or self.signals["no_count"])


Judge = Callable[[Analysis, Ranking, Sequence[Evidence], Sequence[int]], Verdict]
"""What `judge` is."""


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
    signals, missing, lacking = _signals(analysis, ranking, evidence, list(chosen))
    table = _weights()
    total = table["bias"] + sum(table[name] * signals[name] for name in SIGNALS)
    probability = 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, total))))
    refuse = (
        probability < table["threshold"]
        or bool(signals["lost_number"])
        # Numbers need not be told in figures (half, 一半, 很多次), so they are weighed above.
        or lacking == "time"
        or (signals["article"] == 0.0 and _translated(ranking, chosen[0]))
    )
    return Verdict(probability, refuse, missing, lacking, signals)


def _translated(ranking: Ranking, best: int) -> bool:
    """Whether every word of the question can be looked up in a sentence's language."""
    words = ranking.words
    used = [a for a, w in zip(words.terms, words.weights[:, best], strict=True) if w]
    han = bool(_HAN.search(ranking.candidates[best].folded))
    return bool(used) and all(any(bool(_HAN.search(t)) == han for t in a) for _, a in used)


def _signals(
    analysis: Analysis, ranking: Ranking, evidence: Sequence[Evidence], chosen: list[int]
) -> tuple[dict[str, float], tuple[str, ...], str]:
    candidates = ranking.candidates
    best = candidates[chosen[0]]
    answer = " ".join(candidates[i].folded for i in chosen)
    own = [i for i, c in enumerate(candidates) if c.evidence == best.evidence]
    article = evidence[best.evidence].article
    title, whole = fold(article.title or ""), fold(f"{article.text} {article.published or ''}")
    passage = " ".join([title, *(candidates[i].folded for i in own)])
    # A paragraph that names no year is of its article's.
    dated = passage if names_a_year(passage) else f"{passage} {whole}"
    numbers_missing = _missing_numbers(analysis, passage, dated, article.published)
    names_missing = _missing_names(analysis, ranking, evidence)
    near = nearness(analysis, ranking, chosen, title, whole)
    lacking = analysis.wanted.value if near.none else _no_list(analysis, answer)
    signals = {
        **_scores(ranking, chosen),
        "sentence": near.sentence,
        "clause": near.clause,
        "article": near.article,
        "lacking": float(bool(lacking)),
        "lacking_number": float(lacking == "number"),
        "no_count": float(_no_count(analysis, answer, chosen)),
        "missing_number": float(bool(numbers_missing)),
        "lost_number": float(
            bool(numbers_missing and _missing_numbers(analysis, whole, whole, article.published))
        ),
        "missing_name": float(bool(names_missing)),
        **{kind: float(analysis.wanted.value == kind) for kind in KINDS},
        "cross": float(article.language != analysis.language),
    }
    return signals, (*names_missing, *numbers_missing), lacking


def _scores(ranking: Ranking, chosen: Sequence[int]) -> dict[str, float]:
    """How the chosen sentences stand among all."""
    best = ranking.candidates[chosen[0]].evidence
    pairs = zip(ranking.candidates, ranking.scores, strict=True)
    others = [float(score) for c, score in pairs if c.evidence != best]
    score = float(ranking.scores[chosen[0]])
    likely = np.exp(ranking.scores - ranking.scores.max())
    return {
        "score": score,
        "margin": score - max(others) if others else 0.0,
        "mass": float(likely[list(chosen)].sum() / likely.sum()),
    }


def _missing_names(
    analysis: Analysis, ranking: Ranking, evidence: Sequence[Evidence]
) -> tuple[str, ...]:
    """Names in the question that stand nowhere in the evidence.

    They are titles and long quotations, Latin names, public bodies, and English names of countries
    by their translations.
    """
    heads = {e.article.id: e.article for e in evidence}.values()
    named = " ".join(
        " ".join([a.title or "", a.source or "", *a.authors, *a.affiliations]) for a in heads
    )
    everything = " ".join([fold(named), *(c.folded for c in ranking.candidates)])
    # A quotation in another script than the passages' cannot be looked up in them.
    han = bool(_HAN.search(everything))
    names = [q for q in analysis.quoted if len(q) >= LONG_QUOTE and (not han or _HAN.search(q))]
    names += analysis.latin
    names += [b for b in _BODY.findall(analysis.folded) if not _NO_NAME.search(b[:2])]
    missing = [name for name in names if name not in everything]
    for name in _CAPITAL.findall(analysis.text) if han and analysis.language == "en" else ():
        known = [t for t in dict(to_chinese(name)).get(name.lower(), ()) if len(t) > 1]
        places = [t[:2] for t in known if t[-1] in "国语文洲"]
        if places and not any(t in everything for t in (*known, *places, name.lower())):
            missing.append(name)
    return tuple(dict.fromkeys(missing))


def _missing_numbers(analysis: Analysis, text: str, dated: str, published: str | None) -> list[str]:
    """Numbers that the question states and the text does not, as they read.

    Args:
        analysis: the question.
        text: where they may stand.
        dated: where years may stand; 去年 states one, too, in what was printed the year after.
        published: when that was.
    """
    held = values(text)
    return [
        f"{value:g}{'年' if unit == '年' else ''}"
        for value, unit in analysis.asserted
        if value not in held
        and f"{value:g}" not in text
        and not (unit == "年" and holds_date(Date(int(value), None), dated, published))
    ]


def _no_list(analysis: Analysis, answer: str) -> str:
    """The word "list" where a list of some length is asked for and the answer has none at all."""
    counted = analysis.wanted is Wanted.LIST and analysis.count is not None
    return "list" if counted and list_fit(analysis, answer) == 0 else ""


def _no_count(analysis: Analysis, answer: str, chosen: Sequence[int]) -> bool:
    """Whether a counted list is asked for and the answer has none of that length."""
    if analysis.count is None or len(chosen) >= analysis.count:
        return False
    return analysis.count not in series(answer)


@lru_cache(maxsize=1)
def _weights() -> dict[str, float]:
    text = resources.files("rag").joinpath("refusal_weights.json").read_text(encoding="utf-8")
    table: dict[str, float] = json.loads(text)
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

"""One question's outcome: what is right about a reply, measure by measure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from eval.cases import Case, Proof
from eval.gold import GoldArticle
from eval.target import Cited, Reply
from eval.text import (
    best,
    cmrc_exact,
    cmrc_f1,
    contains,
    holds,
    plain,
    rouge_l,
    squad_exact,
    squad_f1,
    squeeze,
)

Scores = dict[str, float | None]
"""By measure, 0 to 1, higher is better; None where a measure says nothing about the question."""

_MARKER = re.compile(r"\[\d+\]")
_SHINGLE = 8  # characters; so long a run hardly ever stands in two articles by chance
_MOSTLY = 0.5  # an archived article is a gold one when at least this share of it stands there

ANSWER_MEASURES = ("contained", "in_quotes", "rouge_l", "short_exact", "short_f1")
"""For questions with accepted answers."""

ARTICLE_MEASURES = ("article", "articles_all", "article_precision")
"""For questions whose gold articles are known and can be told."""

CITATION_MEASURES = ("evidence_cited", "cite_precision", "cite_recall")
"""For questions with evidence."""

HEAD_MEASURES = {"byline": "author", "affiliation": "affiliation", "title": "title"}
"""The measure for each field of an article's head that gold articles hold."""


class Matcher:
    """Tells which gold article an archived article is, by its text, never by its id.

    With gold articles, it is the one that holds the most of its runs of eight characters, if that
    is half of them or more; so an archive that mixes two articles up gets no credit for the lesser
    one. Without, it is any whose evidence quote it holds.

    Args:
        gold: gold articles by label, or nothing.
    """

    def __init__(self, gold: Mapping[str, GoldArticle]) -> None:
        self.gold = gold
        self._shingles = {
            label: _shingles("".join((a.title or "", *a.paragraphs))) for label, a in gold.items()
        }
        self._labels: dict[str, str | None] = {}

    def is_gold(self, case: Case, article_text: str, label: str) -> bool:
        """Whether an archived article is the one that the question set calls `label`."""
        if self.gold:
            return self._label(article_text) == label
        quotes = [e.quote for e in case.evidence if e.article == label]
        return any(squeeze(q) in squeeze(article_text) for q in quotes)

    def _label(self, article_text: str) -> str | None:
        if article_text not in self._labels:
            own = _shingles(article_text)
            shares = {label: len(own & held) for label, held in self._shingles.items()}
            first = max(sorted(shares), key=lambda label: shares[label])
            mostly = bool(own) and shares[first] >= _MOSTLY * len(own)
            self._labels[article_text] = first if mostly else None
        return self._labels[article_text]


def _shingles(text: str) -> set[str]:
    squeezed = squeeze(text)
    return {squeezed[i : i + _SHINGLE] for i in range(len(squeezed) - _SHINGLE + 1)}


def unit(proof: Proof) -> str:
    """The name of a gold paragraph."""
    return f"{proof.article}#{proof.paragraph}"


@dataclass(frozen=True, slots=True)
class Ranking:
    """A ranked list and its gold, as trec_eval takes them.

    Attributes:
        gold: names of what should be found.
        found: names in rank order; names that are not gold are "-1", "-2" …
        grades: how relevant a gold one is, from 1, where it is more than 1.
    """

    gold: frozenset[str]
    found: tuple[str, ...]
    grades: Mapping[str, int] = field(default_factory=dict)

    def places(self) -> list[int]:
        """The ranks, from 1, at which gold ones were found."""
        return [place for place, name in enumerate(self.found, start=1) if name in self.gold]


def rank(case: Case, passages: Sequence[str]) -> Ranking | None:
    """Which gold paragraphs the passages are.

    A gold paragraph counts once, at the first passage that holds one of its quotes. Where one
    passage holds several, the archive has them in one piece, and they count as one.

    Returns:
        None for a question without evidence.
    """
    if not case.evidence:
        return None
    gold = {unit(e) for e in case.evidence}
    open_ = set(gold)
    found: list[str] = []
    for number, passage in enumerate(passages, start=1):
        hit = sorted({unit(e) for e in case.evidence if holds(passage, e.quote)} & open_)
        found.append(hit[0] if hit else f"-{number}")
        open_.difference_update(hit)
        gold.difference_update(hit[1:])
    grades = {unit(e): e.grade for e in case.evidence if e.grade != 1}
    return Ranking(frozenset(gold), tuple(found), grades)


def answer_scores(case: Case, reply: Reply | None, matcher: Matcher) -> Scores:
    """Every measure of the answer, its citations and the refusal.

    Args:
        case: the question.
        reply: None when the system failed: everything that applies is then 0.
        matcher: tells which gold article a cited one is.

    Returns:
        Scores; "refused" applies to unanswerable questions; `ANSWER_MEASURES` and "false_refusal"
        (lower is better) to answerable ones, `ARTICLE_MEASURES` and `CITATION_MEASURES` to those
        that have gold articles and evidence, "correct" to all: an accepted answer is contained, or
        an unanswerable question is refused. "items" applies to lists; "author", "affiliation" and
        "title" to questions that rest on an article's head. A question that is only searched has
        none.
    """
    if case.searched:
        return {}
    if not case.answerable:
        refused = float(reply is not None and reply.refused)
        return {"refused": refused, "correct": refused}
    fields = [f for f in HEAD_MEASURES if any(h.field == f for h in case.heads)]
    names = [HEAD_MEASURES[f] for f in fields]
    cited = [*(ARTICLE_MEASURES if case.articles else ())]
    cited += CITATION_MEASURES if case.evidence else ()
    applicable = [*ANSWER_MEASURES, *cited, *names, *(["items"] if case.items else [])]
    if reply is None or reply.refused:
        missed: Scores = dict.fromkeys([*applicable, "correct"], 0.0)
        return {**missed, "false_refusal": float(reply is not None)}
    text = _MARKER.sub("", reply.text)
    proved = [c for c in reply.citations if c.support != "unsupported"]
    contained = float(accepted(case, text))
    scores: Scores = {
        "contained": contained,
        "correct": contained,
        "false_refusal": 0.0,
        "in_quotes": float(
            any(accepted(case, c.quote) for c in proved)
            or accepted(case, "\n".join(c.quote for c in proved))
        ),
        "rouge_l": best(rouge_l, text, _whole_answers(case)),
        **(_article_scores(case, reply.citations, matcher) if case.articles else {}),
        **(_citation_scores(case, reply.citations, matcher) if case.evidence else {}),
        **_short_scores(case, reply.short_answer or ""),
    }
    if case.items:
        held = [any(contains(text, word) for word in words) for words in case.items]
        scores["items"] = sum(held) / len(held)
    for part, name in zip(fields, names, strict=True):
        scores[name] = float(_named(case, part, text, proved, matcher))
    return scores


def accepted(case: Case, text: str) -> bool:
    """Whether a text contains an accepted answer, or every item of an asked list."""
    if any(contains(text, answer) for answer in case.answers):
        return True
    return bool(case.items) and all(
        any(contains(text, word) for word in words) for words in case.items
    )


def _whole_answers(case: Case) -> Sequence[str]:
    """The accepted answers, or an asked list's items in a row where only these are given."""
    return case.answers or ("、".join(words[0] for words in case.items),)


def _article_scores(case: Case, citations: Sequence[Cited], matcher: Matcher) -> Scores:
    """Whether the right articles are cited, by any citation, whatever of them it quotes."""
    cited = [
        {label for label in case.articles if matcher.is_gold(case, c.article_text, label)}
        for c in citations
    ]
    found = set().union(*cited)
    return {
        "article": float(bool(found)),
        "articles_all": float(len(found) == len(set(case.articles))),
        "article_precision": sum(map(bool, cited)) / len(cited) if cited else 0.0,
    }


def _citation_scores(case: Case, citations: Sequence[Cited], matcher: Matcher) -> Scores:
    """Precision and recall of citations by gold paragraphs and heads.

    A citation is right when its paragraph holds a gold quote, or when it cites the head of an
    article whose head the question rests on; an unsupported one never is. "evidence_cited" is
    stricter: a cited quote itself must hold a gold quote, or stand in one.
    """
    wanted = {unit(e) for e in case.evidence} | {f"{h.article}#head" for h in case.heads}
    proved = [c for c in citations if c.support != "unsupported"]
    proofs = [_proves(case, c, matcher) for c in proved]
    return {
        "evidence_cited": float(
            any(
                c.paragraph is not None and (holds(c.quote, e.quote) or holds(e.quote, c.quote))
                for c in proved
                for e in case.evidence
            )
        ),
        "cite_precision": sum(map(bool, proofs)) / len(citations) if citations else 0.0,
        "cite_recall": len(set().union(*proofs)) / len(wanted) if wanted else None,
    }


def _proves(case: Case, citation: Cited, matcher: Matcher) -> set[str]:
    """The gold paragraphs and heads that a citation cites."""
    if citation.paragraph is None:
        return {
            f"{h.article}#head"
            for h in case.heads
            if matcher.is_gold(case, citation.article_text, h.article)
        }
    return {unit(e) for e in case.evidence if holds(citation.paragraph, e.quote)}


def _named(case: Case, field: str, text: str, citations: Sequence[Cited], matcher: Matcher) -> bool:
    """Whether the answer or its citations name what the gold articles' heads say.

    Without gold articles, whether they name an accepted answer.
    """
    said = [text, *(c.quote for c in citations)]
    for cited in citations:
        values = {"byline": cited.authors, "affiliation": cited.affiliations}
        said += values.get(field, (cited.title or "",))
    if not matcher.gold:
        return any(accepted(case, part) for part in (*said, "、".join(said)))
    wanted: list[str] = []
    for head in case.heads:
        if head.field == field:
            article = matcher.gold[head.article]
            of = {"byline": article.authors, "affiliation": article.affiliations}
            wanted += of.get(field, (article.title,) if article.title else ())
    whole = " ".join(plain(part) for part in said)
    return bool(wanted) and all(plain(name) in whole for name in wanted)


def _short_scores(case: Case, short: str) -> Scores:
    """Exact match and F1 of the short answer, folded, by CMRC's rules, in English also SQuAD's."""
    folded = plain(short)
    if not folded:
        return {"short_exact": 0.0, "short_f1": 0.0}
    answers = [plain(a) for a in _whole_answers(case)]
    exact, f1 = best(cmrc_exact, folded, answers), best(cmrc_f1, folded, answers)
    if case.language == "en":
        exact = max(exact, best(squad_exact, short, _whole_answers(case)))
        f1 = max(f1, best(squad_f1, short, _whole_answers(case)))
    return {"short_exact": exact, "short_f1": f1}

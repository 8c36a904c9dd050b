"""A question and its evidence become a draft: the sentences that answer, or a refusal.

No language model: every claim is a slice of an article, but for sentences about an article's head
(who wrote it, where the author works), whose names stand in the block they cite.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rag import attribution, conflict, refusal, select
from rag.asked_heads import Head, about, asks_who_said
from rag.fitness import series
from rag.question import Analysis, Wanted, analyse
from rag.reader import Reader
from rag.relevance import Candidate, Ranking, candidates_of, rank
from rag.short_answer import short_answer
from rag.types import Article, Claim, Draft, Evidence, Question, Vectors

DEPTH = 10
"""Passages whose sentences are looked at."""

NEAR_BEST = 1.5
"""Articles whose best sentence scores so much less than the best one may be meant too, where a
question is about several articles."""


QUOTED = 4.0
"""What it adds to a sentence's score to hold a quotation whose author is asked for."""

_SPEECH = re.compile(
    r"[“「『\"][^”」』\"]*$|(?:[说称]|表示|指出|认为|介绍|坦言|强调|告诉)[^。！？]{0,40}$"
    r"|\b(?:said|says|told|argued?|according to)\b[^.]{0,60}$"
)
"""What stands before the words of somebody whom the author quotes."""

SILENT = 1.0
"""What it costs to stand in an article whose head does not tell what is asked."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What drafting needs from the index.

    Attributes:
        sentence_vectors: sentences to unit rows; cheap for sentences of indexed passages.
        tokens: a question's words, folded, without stop words.
        question_vectors: other questions to unit rows; a model call each.
        fold: width, case and script folding.
        words: a text cut into words and marks.
        reader: reads a sentence for the answer; None where the model cannot.
    """

    sentence_vectors: Vectors
    tokens: Callable[[str], list[str]]
    question_vectors: Vectors
    fold: Callable[[str], str]
    words: Callable[[str], list[str]]
    reader: Reader | None = None


def draft(
    question: Question,
    evidence: Sequence[Evidence],
    tools: Tools,
    *,
    language: str,
    judge: refusal.Judge = refusal.judge,
) -> Draft:
    """Draft an answer from evidence.

    Args:
        question: text and vector.
        evidence: best first.
        tools: vectors, words and folding.
        language: "zh" or "en", of the question; refusals and the frames of sentences about
            articles are in it, quotes stay in the language they were printed in.
        judge: whether to refuse; `eval/fit_refusal.py` gives one that keeps what it sees.

    Returns:
        Claims in reading order with status "answered", "partial" or "conflicting"; or no claims,
        status "no_evidence" and the reason.
    """
    evidence = evidence[:DEPTH]
    analysis = analyse(question.text, tools.fold, language)
    candidates = candidates_of(evidence, tools.fold)
    if not candidates:
        return Draft((), reason=refusal.reason(None, analysis, language), status="no_evidence")
    said = _said(analysis, candidates)
    if said and analysis.head is None and not _SPEECH.search(said.string[: said.start()]):
        analysis = replace(analysis, head=Head(authors=True))  # then they are the author's own
    if analysis.head is not None:
        drafted = _about_articles(
            question, analysis, candidates, evidence, tools, judge, sure=said is not None
        )
        if drafted is not None:
            return drafted
    articles = list({e.article.id: e.article for e in evidence}.values())
    named = attribution.named_in(analysis.folded, articles, tools.fold)
    core = analysis.core
    for words in named.values():
        core = core.replace(words, " ")
    analysis = replace(analysis, core=core if core.strip() else analysis.core)
    ranking = rank(
        analysis,
        question.vector,
        tools.tokens(analysis.core),
        candidates,
        evidence,
        tools.sentence_vectors,
    )
    chosen = _chosen(analysis, ranking, evidence, list(named))
    verdict = judge(analysis, ranking, evidence, chosen)
    # Articles that the question names are there, and words that it quotes: what they say answers
    # it, however worded.
    if verdict.refuse and not said and (verdict.hard or not named):
        return Draft((), reason=refusal.reason(verdict, analysis, language), status="no_evidence")
    read = tools.reader.asked(analysis.text) if tools.reader else None
    if read is not None:
        ordered = select.read_across(analysis, ranking, evidence, read)
        if ordered is not ranking:
            chosen = _chosen(analysis, ordered, evidence, list(named))
    other = conflict.find(analysis, ranking, evidence, chosen)
    if other is not None:
        chosen = [chosen[0], other]
    sentences = [candidates[i].text for i in chosen]
    short = (
        short_answer(analysis, sentences, tools.fold, tools.words, read) if other is None else None
    )
    return Draft(
        _claims(ranking, evidence, chosen, verdict.probability),
        short_answer=short.text if short else None,
        short_sure=short is not None and short.sure,
        status="conflicting" if other is not None else _status(analysis, ranking, chosen),
    )


def _said(analysis: Analysis, candidates: Sequence[Candidate]) -> re.Match[str] | None:
    """The words of which it is asked who said them, where an article holds them; folded."""
    if not asks_who_said(analysis.folded):
        return None
    quotes = [re.compile(re.escape(q)) for q in analysis.quoted if len(q) >= refusal.LONG_QUOTE]
    found = (quote.search(c.folded) for quote in quotes for c in candidates)
    return next(filter(None, found), None)


def _chosen(
    analysis: Analysis, ranking: Ranking, evidence: Sequence[Evidence], named: Sequence[str]
) -> list[int]:
    """The sentences of the answer; from each article named, where the question names some."""
    if not named:
        return select.choose(analysis, ranking)
    chosen: list[int] = []
    for key in named:
        own = [i for i, c in enumerate(ranking.candidates) if _article(c, evidence).id == key]
        found = select.choose(analysis, ranking, own)
        chosen += found if len(named) == 1 else found[:2]
    return chosen


def _status(analysis: Analysis, ranking: Ranking, chosen: Sequence[int]) -> str:
    """Give "partial" where a counted list was asked for and fewer items stand in the answer."""
    if analysis.wanted is not Wanted.LIST or analysis.count is None:
        return "answered"
    if len(chosen) >= analysis.count:
        return "answered"
    sizes = [n for i in chosen for n in series(ranking.candidates[i].folded)]
    return "answered" if max(sizes, default=0) >= analysis.count else "partial"


def _claims(
    ranking: Ranking, evidence: Sequence[Evidence], chosen: Sequence[int], probability: float
) -> tuple[Claim, ...]:
    """Chosen sentences as claims: articles by importance, sentences of each as they stand there."""
    likely = select.probabilities(ranking)
    articles: dict[str, list[int]] = {}
    for index in chosen:
        articles.setdefault(_article(ranking.candidates[index], evidence).id, []).append(index)
    claims: list[Claim] = []
    for key, own in articles.items():
        for index in sorted(set(own), key=lambda i: ranking.candidates[i].span):
            candidate = ranking.candidates[index]
            score = probability * float(likely[index] / likely.max()) ** 0.5
            claims.append(Claim(candidate.text, key, candidate.span, candidate.evidence, score))
    return tuple(claims)


def _article(candidate: Candidate, evidence: Sequence[Evidence]) -> Article:
    return evidence[candidate.evidence].article


def _about_articles(
    question: Question,
    analysis: Analysis,
    candidates: Sequence[Candidate],
    evidence: Sequence[Evidence],
    tools: Tools,
    judge: refusal.Judge,
    *,
    sure: bool,
) -> Draft | None:
    """An answer from the heads of the articles that a question is about.

    Args:
        question: text and vector.
        analysis: the question, which asks about heads.
        candidates: all sentences.
        evidence: what they were cut from.
        tools: as for `draft`.
        judge: as for `draft`.
        sure: not to refuse: words that the question quotes are there.

    Returns:
        None where no head tells what is asked, so that the articles' own words may.
    """
    head, core, language = analysis.head, about(analysis.core), analysis.language
    if head is None:
        return None
    stripped = replace(analysis, core=core, wanted=Wanted.THING, count=None, head=None)
    vector = tools.question_vectors([core])[0] if core != analysis.core else question.vector
    ranking = rank(
        stripped, vector, tools.tokens(core), candidates, evidence, tools.sentence_vectors
    )
    titled = _titled(analysis.folded, ranking, evidence, tools.fold)
    meant = titled or _meant(stripped, head, ranking, evidence)
    articles = [_article(candidates[i], evidence) for i in meant]
    if not any(attribution.tells(a, head) for a in articles):
        return None
    verdict = judge(stripped, ranking, evidence, meant[:1])
    if verdict.refuse and not sure and not titled:  # an article named by its title is there
        return Draft((), reason=refusal.reason(verdict, stripped, language), status="no_evidence")
    claims: list[Claim] = []
    for index, article in zip(meant, articles, strict=True):
        candidate, score = candidates[index], verdict.probability
        claims += attribution.claims(article, head, language, score)
        claims.append(Claim(candidate.text, article.id, candidate.span, candidate.evidence, score))
    whole = all(attribution.tells_all(a, head) for a in articles) or head.several
    return Draft(
        tuple(claims), attribution.short(articles, head), status="answered" if whole else "partial"
    )


def _titled(
    folded: str, ranking: Ranking, evidence: Sequence[Evidence], fold: Callable[[str], str]
) -> list[int]:
    """The best sentence of each article whose whole title stands in the question, in its order."""
    best: dict[str, int] = {}
    for i, candidate in enumerate(ranking.candidates):
        article = _article(candidate, evidence)
        if article.title and fold(article.title) in folded:
            held = best.setdefault(article.id, i)
            if ranking.scores[i] > ranking.scores[held]:
                best[article.id] = i
    titles = {i: fold(_article(ranking.candidates[i], evidence).title or "") for i in best.values()}
    return sorted(titles, key=lambda i: folded.find(titles[i]))


def _meant(
    stripped: Analysis, head: Head, ranking: Ranking, evidence: Sequence[Evidence]
) -> list[int]:
    """The best sentence of each article that the question is about, best article first."""
    scores = ranking.scores.copy()
    for i, candidate in enumerate(ranking.candidates):
        scores[i] += QUOTED * sum(q in candidate.folded for q in stripped.quoted)
        if not attribution.tells(_article(candidate, evidence), head):
            scores[i] -= SILENT
    best: dict[str, int] = {}
    for i in sorted(range(len(scores)), key=lambda i: -scores[i]):
        best.setdefault(_article(ranking.candidates[i], evidence).id, i)
    order = list(best.values())
    if not head.several:
        return order[:1]
    if head.count is not None:
        return order[: head.count]
    if stripped.quoted:
        holding = [
            i for i in order if any(q in ranking.candidates[i].folded for q in stripped.quoted)
        ]
        return holding[:5] or order[:1]
    return [i for i in order if scores[i] >= scores[order[0]] - NEAR_BEST][:3]

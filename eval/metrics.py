"""Measures over many questions: ranking (through ir-measures), means, refusals, latency."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from eval.score import Ranking, Scores

RANK_MEASURES = (
    "hit@1",
    "hit@5",
    "hit@10",
    "recall@1",
    "recall@5",
    "recall@10",
    "mrr@10",
    "map@10",
    "ndcg@10",
)
"""hit@k: a gold paragraph is within k; recall@k: the share of the gold paragraphs within k; map@k:
the precision at each gold paragraph within k, over all gold ones; ndcg@k: by their grades."""


def rank_scores(rankings: Mapping[str, Ranking]) -> dict[str, Scores]:
    """Every ranking measure of every question, by trec_eval's definitions.

    Args:
        rankings: by question id; one that found nothing scores 0 throughout.
    """
    import ir_measures
    from ir_measures import AP, RR, R, Success, nDCG

    measures = {
        Success @ 1: "hit@1",
        Success @ 5: "hit@5",
        Success @ 10: "hit@10",
        R @ 1: "recall@1",
        R @ 5: "recall@5",
        R @ 10: "recall@10",
        RR @ 10: "mrr@10",
        AP @ 10: "map@10",
        nDCG @ 10: "ndcg@10",
    }
    scores: dict[str, Scores] = {key: dict.fromkeys(RANK_MEASURES, 0.0) for key in rankings}
    if not rankings:
        return scores
    gold = [
        ir_measures.Qrel(q, doc, r.grades.get(doc, 1))
        for q, r in rankings.items()
        for doc in sorted(r.gold)
    ]
    found = [
        ir_measures.ScoredDoc(q, doc, float(-place))
        for q, r in rankings.items()
        for place, doc in enumerate(r.found)
    ]
    for metric in ir_measures.iter_calc(list(measures), gold, found):
        scores[metric.query_id][measures[metric.measure]] = float(metric.value)
    return scores


def means(scores: Iterable[Scores]) -> dict[str, dict[str, float]]:
    """The mean of each measure over the questions that it applies to, and how many these are."""
    values: dict[str, list[float]] = {}
    for one in scores:
        for name, value in one.items():
            if value is not None:
                values.setdefault(name, []).append(value)
    return {
        name: {"mean": math.fsum(found) / len(found), "n": len(found)}
        for name, found in values.items()
    }


def refusal(answerable: Sequence[bool], refused: Sequence[bool]) -> dict[str, float | None]:
    """How well the system knows what it cannot answer; refusing is the positive class.

    Args:
        answerable: for each question, whether the archive holds an answer.
        refused: whether the system said that it does not; False where it failed.

    Returns:
        precision: share of the refused that are unanswerable; recall: share of the unanswerable
        that are refused; f1; false_refusals: share of the answerable that are refused (lower is
        better). None where there is nothing to take a share of.
    """
    pairs = list(zip(answerable, refused, strict=True))
    right = sum(not a and r for a, r in pairs)
    wrong = sum(a and r for a, r in pairs)
    can = sum(a for a, _ in pairs)
    cannot = len(pairs) - can
    precision = right / (right + wrong) if right + wrong else None
    recall = right / cannot if cannot else None
    f1 = 2 * right / (right + wrong + cannot) if right + wrong + cannot else None
    return {
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "false_refusals": wrong / can if can else None,
    }


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share of the values do not exceed (nearest rank).

    Args:
        values: in any order; None comes back for none.
        share: above 0, at most 1.
    """
    if not values:
        return None
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1]

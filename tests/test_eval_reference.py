"""The measures against other implementations, run once on the same predictions and noted here.

CMRC 2018 and DRCD: the published script cmrc2018_evaluate.py (put to Python 3, NLTK 3.10);
SQuAD: evaluate-v2.0.py; ROUGE-L: rouge-score 0.1.2 with a tokenizer of characters; ranking: ranx
0.3.21. scikit-learn is asked anew each time.
"""

from __future__ import annotations

import random

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, cohen_kappa_score, ndcg_score

from eval.datasets import load_squad
from eval.judge import kappa
from eval.metrics import means, rank_scores
from eval.score import Ranking
from eval.text import best, cmrc_exact, cmrc_f1, rouge_l, squad_exact, squad_f1


def prediction(number, answer, paragraph):
    """Right, cut short, too long, wrong, or wrapped, in turns."""
    after = paragraph.find(answer) + len(answer)
    return (
        answer,
        answer[: max(1, len(answer) // 2)],
        answer + paragraph[after : after + 6],
        paragraph[:30],
        f"《The {answer}》。",
    )[number % 5]


def mean_score(path, measure):
    questions = load_squad(path).questions
    scores = [
        best(measure, prediction(i, q.answers[0], q.paragraph), q.answers)
        for i, q in enumerate(questions)
    ]
    return sum(scores) / len(scores)


@pytest.mark.parametrize(
    ("name", "measure", "published", "tolerance"),
    [
        ("cmrc2018_trial", cmrc_exact, 0.2125748502994012, 1e-12),
        # Latin words are not cut by NLTK here: 17 of 1,002 predictions score a little otherwise.
        ("cmrc2018_trial", cmrc_f1, 0.6951310379021963, 1e-3),
        ("DRCD_dev", cmrc_exact, 0.20601589103291715, 1e-12),
        ("DRCD_dev", cmrc_f1, 0.6182678262044004, 1e-4),
        ("xquad.en", squad_exact, 0.2151260504201681, 1e-12),
        ("xquad.en", squad_f1, 0.4927838639892302, 1e-12),
        ("cmrc2018_trial", rouge_l, 0.7014607509742949, 1e-4),
    ],
)
def test_the_same_predictions_score_as_the_published_scripts_say(
    shared_data, name, measure, published, tolerance
):
    found = mean_score(shared_data / "qa" / f"{name}.json", measure)
    assert found == pytest.approx(published, abs=tolerance)


def graded_rankings():
    rng = random.Random(7)  # noqa: S311 no secret
    rankings = {}
    for number in range(50):
        docs = [f"d{i}" for i in range(30)]
        rng.shuffle(docs)
        grades = {d: rng.choice([1, 1, 2, 3]) for d in docs[: rng.randint(1, 5)]}
        rng.shuffle(docs)
        found = tuple(docs[: rng.randint(1, 15)])
        rankings[f"q{number}"] = Ranking(frozenset(grades), found, grades)
    return rankings


def test_ranking_measures_are_those_of_ranx():
    found = means(rank_scores(graded_rankings()).values())
    assert {name: value["mean"] for name, value in found.items()} == pytest.approx(
        {
            "hit@1": 0.08,
            "hit@5": 0.36,
            "hit@10": 0.42,
            "recall@1": 0.024,
            "recall@5": 0.12266666666666666,
            "recall@10": 0.17133333333333334,
            "mrr@10": 0.18466666666666667,
            "map@10": 0.07237222222222223,
            "ndcg@10": 0.12843828715289246,
        }
    )


def test_map_and_ndcg_are_those_of_scikit_learn():
    """Where all gold ones are within the ten found, the cut does not count."""
    rng = random.Random(1)  # noqa: S311 no secret
    for _ in range(20):
        found = [f"d{i}" for i in range(10)]
        gold = {d: rng.randint(1, 3) for d in rng.sample(found, rng.randint(1, 4))}
        scores = rank_scores({"q": Ranking(frozenset(gold), tuple(found), gold)})["q"]
        truth = np.array([[gold.get(d, 0) for d in found]])
        order = np.array([[-float(i) for i in range(10)]])
        assert scores["ndcg@10"] == pytest.approx(ndcg_score(truth, order))
        expected = average_precision_score((truth > 0).ravel(), order.ravel())
        assert scores["map@10"] == pytest.approx(expected)


def test_kappa_is_that_of_scikit_learn():
    rng = random.Random(2)  # noqa: S311 no secret
    pairs = [(rng.random() < 0.6, rng.random() < 0.5) for _ in range(40)]
    one, two = zip(*pairs, strict=True)
    assert kappa(pairs) == pytest.approx(cohen_kappa_score(one, two))
    assert kappa([]) is None
    assert kappa([(True, True)]) is None

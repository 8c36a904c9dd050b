"""Questions, replies and a system that answers them, for tests of whole runs."""

from __future__ import annotations

import threading

from eval.cases import Case, CaseSet, Proof
from eval.result import report
from eval.target import Cited, QuestionFailed, Reply
from rag.errors import WenjuError

TEXT = "全市建成17个市级技术创新中心。"


def case(number, **changes):
    base = {
        "id": f"q{number}",
        "question": f"问题{number}",
        "language": "zh",
        "type": "factoid",
        "answers": ("17个",),
        "articles": ("A",),
        "evidence": (Proof("A", 0, TEXT),),
    }
    return Case(**(base | changes))


def reply(score=0.8, **changes):
    cited = Cited("a", "题", ("张三",), (), TEXT, TEXT, TEXT, "verbatim", score)
    base = {"status": "answered", "text": TEXT + "[1]", "short_answer": "17个", "ms": 2.0}
    return Reply(**({"citations": (cited,), "passages": (TEXT,), "receipt": {}} | base | changes))


class Counting:
    """Answers every question but those named; counts who was asked."""

    name = "counting"

    def __init__(self, failing=(), broken_at=None):
        self.asked = []
        self.failing = failing
        self.broken_at = broken_at
        self.guard = threading.Lock()

    def ask(self, question, history=()):
        with self.guard:
            self.asked.append(question)
            if self.broken_at == len(self.asked):
                raise WenjuError("the disk is gone")
        if question in self.failing:
            raise QuestionFailed("busy")
        return reply(score=int(question[2:]) / 100)

    def search(self, question):
        return reply(status="searched", text="", short_answer=None, citations=())

    def fingerprint(self):
        return {"model": "m", "index": "x"}

    def texts(self):
        return None

    def notices(self):
        return []


def result(cases, outcomes, **changes):
    kept = CaseSet("s.jsonl", "d", tuple(cases), {}, ("note",), ("a notice",))
    return report(
        kept, cases, outcomes, Counting(), settings={"language_model": None}, save=True, **changes
    )

"""Scoring of replies by hand, and whole runs over a small archive and over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from eval.cases import Case, Head, Proof
from eval.errors import TargetUnusable
from eval.gold import GoldArticle
from eval.result import lost_evidence, summary
from eval.run import evaluate, write
from eval.score import Matcher, answer_scores, rank
from eval.server import Server
from eval.target import Archive, Cited, QuestionFailed, Reply, config_of, open_archive

A_TEXT = "全市布局建设金凤、明月湖、广阳湾、嘉陵江四大重庆实验室，建成17个市级技术创新中心。"
B_TEXT = "推进现代农业科技创新，支持种业全产业链发展，加大农业专项资金的支持力度。"
GOLD = {
    "A": GoldArticle("A", "实验室", ("邹霞", "吴希"), ("重庆理工大学",), (A_TEXT,)),
    "B": GoldArticle("B", None, ("王文文",), ("重庆中医药学院",), (B_TEXT,)),
}


def case(**changes):
    base = {
        "id": "q",
        "question": "建成多少个市级技术创新中心？",
        "language": "zh",
        "type": "factoid",
        "answers": ("17个", "seventeen"),
        "articles": ("A",),
        "evidence": (Proof("A", 0, "建成17个市级技术创新中心"),),
    }
    return Case(**(base | changes))


NO = case(id="no", type="unanswerable", answers=(), articles=(), evidence=())


def cited(text=A_TEXT, quote="建成17个市级技术创新中心。", **changes):
    base = {
        "article_id": "x",
        "title": "实验室",
        "authors": ("邹霞", "吴希"),
        "affiliations": (),
        "article_text": text,
        "quote": quote,
        "paragraph": text,
        "support": "verbatim",
    }
    return Cited(**(base | changes))


RIGHT = cited()


def reply(text="建成17个市级技术创新中心。[1]", citations=(RIGHT,), passages=(), **changes):
    base = {"status": "answered", "short_answer": "17个", "ms": 5.0, "receipt": {}}
    return Reply(text=text, citations=tuple(citations), passages=passages, **(base | changes))


REFUSAL = reply("库中没有讲到17个。", (), status="no_evidence", short_answer=None)


def test_a_right_answer():
    assert answer_scores(case(), reply(), Matcher(GOLD)) == {
        "contained": 1.0,
        "correct": 1.0,
        "false_refusal": 0.0,
        "in_quotes": 1.0,
        "article": 1.0,
        "articles_all": 1.0,
        "article_precision": 1.0,
        "evidence_cited": 1.0,
        "cite_precision": 1.0,
        "cite_recall": 1.0,
        "rouge_l": pytest.approx(2 * 2 / (2 + 12)),  # "17" and "个" of the answer's 12 tokens
        "short_exact": 1.0,
        "short_f1": 1.0,
    }


def test_a_refusal_earns_nothing_even_when_it_names_the_answer():
    scores = answer_scores(case(), REFUSAL, Matcher(GOLD))
    assert scores.pop("false_refusal") == 1.0
    assert set(scores.values()) == {0.0}
    assert answer_scores(NO, REFUSAL, Matcher(GOLD)) == {"refused": 1.0, "correct": 1.0}
    assert answer_scores(NO, reply(), Matcher(GOLD)) == {"refused": 0.0, "correct": 0.0}


def test_a_failure_scores_0_in_all_that_applies():
    scores = answer_scores(case(items=(("甲",),)), None, Matcher(GOLD))
    assert set(scores.values()) == {0.0}
    assert {"contained", "items", "cite_precision", "correct"} <= scores.keys()
    assert answer_scores(NO, None, Matcher(GOLD)) == {"refused": 0.0, "correct": 0.0}


def test_a_marker_is_no_answer():
    wrong = reply("没有这样的数字[17]。", ())
    assert answer_scores(case(answers=("17",)), wrong, Matcher(GOLD))["contained"] == 0.0


def test_lists_need_every_item():
    asked = case(answers=("金凤、明月湖",), items=(("金凤", "Jinfeng"), ("明月湖",)))
    both = answer_scores(asked, reply("Jinfeng，还有明月湖。"), Matcher(GOLD))
    assert (both["contained"], both["items"]) == (1.0, 1.0)
    one = answer_scores(asked, reply("只有金鳳。"), Matcher(GOLD))
    assert (one["contained"], one["items"]) == (0.0, 0.5)


def test_citations_of_the_wrong_article():
    scores = answer_scores(case(), reply(citations=[cited(B_TEXT, B_TEXT)]), Matcher(GOLD))
    assert (scores["article"], scores["evidence_cited"], scores["in_quotes"]) == (0.0, 0.0, 0.0)
    assert (scores["cite_precision"], scores["cite_recall"]) == (0.0, 0.0)
    assert scores["contained"] == 1.0


def test_citation_precision_and_recall():
    asked = case(
        articles=("A", "B"),
        evidence=(
            Proof("A", 0, "建成17个市级技术创新中心"),
            Proof("A", 0, "金凤、明月湖、广阳湾"),
            Proof("B", 0, "支持种业全产业链发展"),
        ),
    )
    wrong = cited("无关文章的全文。" * 3, "无关文章的全文。")
    scores = answer_scores(asked, reply(citations=[cited(), wrong]), Matcher(GOLD))
    assert scores["cite_precision"] == 0.5
    assert scores["cite_recall"] == 0.5  # of the paragraphs A#0 and B#0
    assert (scores["article_precision"], scores["article"]) == (0.5, 1.0)
    assert scores["articles_all"] == 0.0
    both = reply(citations=[cited(), cited(B_TEXT, "加大农业专项资金的支持力度。")])
    scores = answer_scores(asked, both, Matcher(GOLD))
    assert (scores["cite_precision"], scores["cite_recall"], scores["articles_all"]) == (1, 1, 1)
    other_sentence = cited(quote="金凤、明月湖实验室之外的另一句")
    scores = answer_scores(case(), reply(citations=[other_sentence]), Matcher(GOLD))
    assert (scores["cite_precision"], scores["evidence_cited"]) == (1.0, 0.0)
    unsupported = reply(citations=[cited(support="unsupported")])
    scores = answer_scores(case(), unsupported, Matcher(GOLD))
    assert (scores["cite_precision"], scores["in_quotes"], scores["evidence_cited"]) == (0, 0, 0)


def test_attribution_by_names_and_head():
    asked = case(
        type="attribution",
        answers=("邹霞、吴希",),
        heads=(Head("A", "byline"), Head("A", "affiliation")),
    )
    head = cited(quote="邹霞 吴希", paragraph=None, affiliations=("重庆理工大学",))
    good = answer_scores(asked, reply("作者是邹霞、吴希。[1]", [head, cited()]), Matcher(GOLD))
    assert (good["author"], good["affiliation"]) == (1.0, 1.0)
    assert (good["cite_precision"], good["cite_recall"]) == (1.0, 1.0)
    half = answer_scores(asked, reply("作者是邹霞。", [cited(authors=("邹霞",))]), Matcher(GOLD))
    assert (half["author"], half["affiliation"], half["contained"]) == (0.0, 0.0, 0.0)
    assert half["cite_recall"] == 0.5


def test_an_archived_article_is_told_by_its_text():
    gold = Matcher(GOLD)
    assert gold.is_gold(case(), "实验室\n\n" + A_TEXT, "A")
    assert not gold.is_gold(case(), A_TEXT + B_TEXT[:10], "B")
    assert not gold.is_gold(case(), "与两篇都无关的另一篇文章，讲的是别的事情。", "A")
    by_quote = Matcher({})
    assert by_quote.is_gold(case(), "前文 建成17个市级\n技术创新中心 后文", "A")
    assert not by_quote.is_gold(case(), B_TEXT, "A")


def test_ranking_counts_a_gold_paragraph_once():
    asked = case(
        articles=("A", "B"),
        evidence=(
            Proof("A", 0, "建成17个市级技术创新中心"),
            Proof("B", 0, "支持种业全产业链发展"),
        ),
    )
    found = rank(asked, ["无关的一段。", A_TEXT, A_TEXT, B_TEXT])
    assert found.found == ("-1", "A#0", "-3", "B#0")
    assert found.gold == {"A#0", "B#0"}
    merged = rank(asked, [A_TEXT + B_TEXT])  # the archive has both in one piece
    assert (merged.found, merged.gold) == (("A#0",), {"A#0"})
    assert rank(NO, [A_TEXT]) is None


class Scripted:
    """A target that replies as it is told."""

    name = "scripted"

    def __init__(self, replies):
        self.replies = replies

    def ask(self, question, history=()):
        value = self.replies[question]
        if isinstance(value, Exception):
            raise value
        return value

    def fingerprint(self):
        return {"model": "m"}

    def texts(self):
        return [A_TEXT]

    def notices(self):
        return []


def test_a_whole_run_by_hand():
    cases = [
        case(id="right", question="a"),
        case(id="refused", question="b", language="en", joint=True),
        case(id="failed", question="c"),
        case(id="broken", question="d"),
        NO,
    ]
    replies = {
        "a": reply(passages=(B_TEXT, A_TEXT), ms=10.0),
        "b": REFUSAL,
        "c": QuestionFailed("too long"),
        "d": ZeroDivisionError("oops"),
        NO.question: REFUSAL,
    }
    seen = []
    outcomes = evaluate(cases, Scripted(replies), Matcher(GOLD), lambda *at: seen.append(at))
    assert seen[-1] == (5, 5)
    assert [o.error for o in outcomes] == ["", "", "too long", "ZeroDivisionError: oops", ""]
    found = summary(outcomes)["all"]
    assert (found["questions"], found["failed"], found["answered"]) == (5, 2, 1)
    assert found["measures"]["contained"] == {"mean": 0.25, "n": 4}
    assert found["measures"]["correct"] == {"mean": 0.4, "n": 5}
    assert found["measures"]["mrr@10"] == {"mean": 0.125, "n": 4}
    assert found["refusal"] == {
        "precision": 0.5,
        "recall": 1.0,
        "f1": 2 / 3,
        "false_refusals": 0.25,
    }
    assert found["ms"] == {"p50": 5.0, "p95": 10.0, "n": 3}
    by = summary(outcomes)["by"]
    assert by["language"]["en"]["questions"] == 1
    assert by["joint"]["at a joint"]["measures"]["false_refusal"] == {"mean": 1.0, "n": 1}
    assert by["type"]["unanswerable"]["measures"] == {
        "refused": {"mean": 1.0, "n": 1},
        "correct": {"mean": 1.0, "n": 1},
    }


def test_evidence_that_the_archive_does_not_hold_is_told():
    lost = case(id="lost", evidence=(Proof("A", 0, "不在库中的一句话"),))
    found = lost_evidence([case(), lost], Scripted({}))
    assert found == [{"question": "lost", "paragraph": "A#0", "quote": "不在库中的一句话"}]


def test_a_result_file_is_written_whole(tmp_path):
    write(tmp_path / "r.json", {"a": "题"})
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8")) == {"a": "题"}
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]


def test_an_archive_that_is_not_there_or_empty(tmp_path, make_pipeline):
    with pytest.raises(TargetUnusable, match="There is no archive"):
        open_archive(config_of(tmp_path / "nowhere", tmp_path, None, None, 1))
    assert not (tmp_path / "nowhere").exists()
    make_pipeline(tmp_path / "empty")
    with pytest.raises(TargetUnusable, match="is empty"):
        open_archive(config_of(tmp_path / "empty", tmp_path, None, None, 1))


def test_an_archive_in_this_process(tmp_path, make_pipeline):
    page = tmp_path / "a.md"
    page.write_text(
        f"---\ntitle: 实验室\nauthors: [邹霞, 吴希]\n---\n\n{A_TEXT}\n\n{B_TEXT}\n",
        encoding="utf-8",
    )
    pipeline = make_pipeline()
    assert [r.outcome for r in pipeline.add([page])] == ["added"]
    target = Archive(pipeline)
    cases = [case(question="建成17个市级技术创新中心"), case(id="long", question="长" * 5000)]
    outcomes = evaluate(cases, target, Matcher({}))
    first = outcomes[0]
    assert first.scores["hit@1"] == 1.0
    assert first.reply.passages[0] == A_TEXT
    assert first.reply.receipt["model"] == pipeline.snapshot().model
    assert first.reply.ms > 0
    assert "5,000 characters" in outcomes[1].error
    assert outcomes[1].scores["hit@1"] == 0.0
    assert lost_evidence(cases, target) == []


ANSWER = {
    "status": "answered",
    "answer": "建成17个市级技术创新中心。[1]",
    "short_answer": "17个",
    "citations": [
        {
            "article": {"id": "x/1", "title": "实验室", "authors": ["邹霞"], "affiliations": []},
            "paragraph": 0,
            "quote": "建成17个市级技术创新中心。",
            "support": "verbatim",
        }
    ],
    "passages": [{"text": A_TEXT}],
    "receipt": {"model": "m", "generation": 3, "passages": {}},
}


class Handler(BaseHTTPRequestHandler):
    """A server as another team might write it."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert self.headers["authorization"] == "Bearer secret"
        if body["question"] == "broken":
            self.reply(200, {"status": "answered"})
        elif body["question"] == "refused":
            self.reply(503, {"error": {"code": "busy", "message": "come back later"}})
        else:
            assert body["top_k"] == 10
            self.reply(200, ANSWER)

    def do_GET(self):
        known = self.path == "/v1/articles/x%2F1"
        block = {"kind": "body", "paragraph": 0, "start": 0, "end": len(A_TEXT)}
        self.reply(200, {"text": A_TEXT + "尾", "blocks": [block]}) if known else self.reply(
            404, {}
        )

    def reply(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture
def address():
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server(address):
    target = Server(address + "/", "secret")
    cases = [case(), case(id="2", question="broken"), case(id="3", question="refused")]
    outcomes = evaluate(cases, target, Matcher(GOLD))
    assert outcomes[0].scores["article"] == 1.0
    assert outcomes[0].scores["hit@1"] == 1.0
    assert outcomes[0].reply.citations[0].article_text == A_TEXT + "尾"
    assert outcomes[0].reply.citations[0].paragraph == A_TEXT
    assert target.notices() == []
    assert outcomes[0].reply.receipt == {"model": "m", "generation": 3}
    assert "not as /v1/ask gives it (KeyError: 'answer')" in outcomes[1].error
    assert outcomes[2].error == "status 503: come back later"


def test_no_server(address):
    with pytest.raises(TargetUnusable, match="is no address"):
        Server("ftp://x")
    with pytest.raises(TargetUnusable, match="Nothing answers"):
        Server("http://127.0.0.1:9").ask("x")


def run_eval(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "eval", *map(str, arguments)], capture_output=True, text=True
    )


def test_the_command_line_tells_errors_in_one_line(tmp_path):
    done = run_eval("run", tmp_path / "no.jsonl", "--home", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("eval: ")
    assert done.stderr.count("\n") == 1
    bad = tmp_path / "bad.json"
    bad.write_text("{}", encoding="utf-8")
    done = run_eval("compare", bad, bad)
    assert done.returncode == 2
    assert "it is no result file" in done.stderr
    done = run_eval("run", bad, "--out", tmp_path / "no" / "r.json")
    assert done.returncode == 2


def test_help_needs_nothing_slow():
    code = (
        "import sys, eval.__main__; "
        "print(sorted(set(sys.modules) & {'numpy', 'torch', 'jieba', 'faiss', 'rich.progress'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

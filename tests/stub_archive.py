"""A scripted archive for the chat page: articles of our own, and an answer for each test.

The shapes are those of the API's contract; offsets count code points, as Python's strings do.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

HOSTILE = (
    '<img src=x onerror="document.title=1"> <script>document.title=2</script> '
    "javascript:alert(1) \u202egnp.exe\u202c " + "长" * 5000 + "w" * 5000
)


def _article(
    article_id: str, facts: Json, blocks: list[tuple[str, str]], joints: Json | None = None
) -> Json:
    text, shown, paragraph = "", [], 0
    for kind, block in blocks:
        text += "\n\n" if text else ""
        start = len(text)
        text += block
        body = kind == "body"
        mine = (joints or {}).get(paragraph, []) if body else []
        shown.append(
            {
                "kind": kind,
                "start": start,
                "end": len(text),
                "paragraph": paragraph if body else None,
                "joints": [{**j, "at": start + block.index(j["before"])} for j in mine],
            }
        )
        paragraph += body
    title = next((t for k, t in blocks if k == "title"), None)
    head = {
        "id": article_id,
        "title": title,
        "authors": [],
        "affiliations": [],
        "published": None,
        "source": None,
        "page": None,
        "section": None,
        "language": "zh",
        "url": f"/articles/{article_id}",
        "original_url": None,
        "paragraphs": paragraph,
    }
    return {**head, **facts, "text": text, "blocks": shown}


def _joint(before: str, confidence: float, dropped: str = "") -> Json:
    reasons = ["上一段停在词语中间", "字号与栏宽相同"]
    return {"before": before, "confidence": confidence, "dropped": dropped, "reasons": reasons}


PAPER = {"source": "文据样报", "published": "2024-05-20", "page": "3"}

ARTICLES: list[Json] = [
    _article(
        "a1",
        {**PAPER, "authors": ["周砚秋", "罗一鸣"], "affiliations": ["江岸城市研究院"]},
        [
            ("title", "𠮷祥里的老楼装上了电梯🛗"),
            ("byline", "□周砚秋 罗一鸣"),
            (
                "body",
                "𠮷祥里社区😀建于一九八六年，共有二十四栋住宅，住着一千一百多户人家。"
                "多年来，上下楼一直是老人们的心病。",
            ),
            (
                "body",
                "去年春天，社区决定先加装六部电梯🛗，由街道、居民和专营单位三方分担费用。"
                "方案公示了三十天，收到意见四十七条，其中三十九条被采纳。",
            ),
            ("heading", "钱从哪里来"),
            (
                "body",
                "一是市级补助，每部电梯补助十五万元；二是居民按楼层分摊，一楼不出钱；"
                "三是专营单位以广告收益抵扣养护费。社区主任说，账目每季度张榜一次。",
            ),
            ("body", "到今年四月，六部电梯全部投入使用，第二批九部正在勘察。"),
            ("affiliation", "（作者单位：江岸城市研究院）"),
        ],
        {1: [_joint("三方分担", 0.93), _joint("收到意见", 0.58, "三")]},
    ),
    _article(
        "a2",
        {**PAPER, "published": "2024-04-02", "authors": ["程雨"], "source": "江岸晚报"},
        [
            ("title", "加装电梯首批定为八部"),
            ("byline", "本报记者 程雨"),
            ("body", "𠮷祥里社区首批计划加装八部电梯，预计今年四月完工。"),
        ],
    ),
    _article(
        "e1",
        {
            "source": "Wenju Sample News",
            "published": "2023-11",
            "language": "en",
            "authors": ["Hannah Whitfield"],
        },
        [
            (
                "title",
                "How one old neighbourhood paid for its lifts, and what the others can learn",
            ),
            ("byline", "By Hannah Whitfield"),
            (
                "body",
                "Residents of Jixiangli agreed to share the cost of six lifts by floor: "
                "those on the ground floor pay nothing.",
            ),
            ("body", "The scheme took thirty days of consultation and forty-seven comments."),
        ],
    ),
    _article(
        "h1",
        {"authors": ["<b>某人</b>"], "source": "<i>报</i>", "original_url": "javascript:alert(1)"},
        [("title", f"标题{HOSTILE}"), ("body", HOSTILE), ("unplaced", "<svg onload=alert(1)>")],
    ),
]


def head(article: Json) -> Json:
    """An article without its text."""
    return {k: v for k, v in article.items() if k not in ("text", "blocks")}


def facets(articles: list[Json]) -> Json:
    """GET /v1/facets."""
    values = {
        "authors": [name for a in articles for name in a["authors"]],
        "sources": [a["source"] for a in articles if a["source"]],
        "sections": [a["section"] for a in articles if a["section"]],
        "languages": [a["language"] for a in articles],
    }
    counted = {
        field: [{"value": v, "count": found.count(v)} for v in dict.fromkeys(found)]
        for field, found in values.items()
    }
    return {**counted, "from": "2023-11", "to": "2024-05-20"}


def preview(article: Json) -> Json:
    """An article in the answer to a dry run."""
    text, bodies = article["text"], [b for b in article["blocks"] if b["kind"] == "body"]
    joints = [
        {
            "paragraph": b["paragraph"],
            "before": text[max(b["start"], j["at"] - 16) : j["at"]],
            "after": text[j["at"] : min(b["end"], j["at"] + 16)],
            **{k: j[k] for k in ("confidence", "dropped", "reasons")},
        }
        for b in bodies
        for j in b["joints"]
    ]
    kept = {k: v for k, v in head(article).items() if k not in ("id", "url")}
    return {**kept, "paragraphs": len(bodies), "unplaced": 2, "joints": joints}


def _find(quote: str) -> tuple[Json, Json]:
    for article in ARTICLES:
        for block in article["blocks"]:
            if quote in article["text"][block["start"] : block["end"]]:
                return article, block
    raise KeyError(quote)


def _citation(number: int, start: int, text: str, quote: str, support: str) -> Json:
    article, block = _find(quote)
    at = article["text"].index(quote)
    anchor = "" if block["paragraph"] is None else f"#p{block['paragraph']}"
    return {
        "number": number,
        "start": start,
        "end": start + len(text),
        "text": text,
        "article": {**head(article), "url": article["url"] + anchor},
        "paragraph": block["paragraph"],
        "passage_id": f"{article['id']}-{block['paragraph']}.0",
        "quote": quote,
        "before": article["text"][max(block["start"], at - 60) : at],
        "after": article["text"][at + len(quote) : min(block["end"], at + len(quote) + 60)],
        "start_char": at,
        "end_char": at + len(quote),
        "source_spans": [[at, at + len(quote)]],
        "source_page": None,
        "scan": None,
        "support": support,
        "score": 0.83,
    }


def _passages(only: int = 9) -> list[Json]:
    found = []
    for article in ARTICLES[:3]:
        for block in article["blocks"]:
            if block["kind"] == "body" and len(found) < only:
                anchor = f"{article['url']}#p{block['paragraph']}"
                found.append(
                    {
                        "rank": len(found) + 1,
                        "passage_id": f"{article['id']}-{block['paragraph']}.0",
                        "article": {**head(article), "url": anchor},
                        "paragraph": block["paragraph"],
                        "text": article["text"][block["start"] : block["end"]],
                        "start_char": block["start"],
                        "end_char": block["end"],
                        "score": round(0.91 - 0.12 * len(found), 2),
                        "found_by": ["dense", "lexical"] if len(found) % 2 == 0 else ["dense"],
                        "reprints": [{"article_id": "x", "source": "江岸晚报"}]
                        if not found
                        else [],
                    }
                )
    return found


def answer(
    question: str,
    said: list[tuple[str, list[tuple[int, str]]]],
    *,
    status: str = "answered",
    short: str | None = None,
    support: str = "verbatim",
    language: str = "zh",
) -> Json:
    """An answer of sentences, each with the numbers and quotes that prove it."""
    text, citations = "", []
    for sentence, proofs in said:
        start = len(text)
        text += sentence
        for number, quote in proofs:
            citations.append(_citation(number, start, sentence, quote, support))
            text += f"[{number}]"
    passages = _passages()
    return {
        "id": "ans1",
        "question": question,
        "standalone_question": question,
        "status": status,
        "answer": text,
        "short_answer": short,
        "short_answer_sure": short is not None,
        "language": language,
        "citations": citations,
        "passages": passages,
        "coverage": {
            "searched_passages": 1234,
            "from": "2019-03",
            "to": "2024-05-20",
            "nearest": [p["passage_id"] for p in passages[1:3]],
        },
        "receipt": {"generation": 12, "model": "scripted", "passages": {}},
        "timings_ms": {"encode": 12.0, "retrieve": 30.5},
        "notices": [],
        "offset_unit": "codepoint",
    }


SIX = "去年春天，社区决定先加装六部电梯🛗，由街道、居民和专营单位三方分担费用。"
MONEY = "一是市级补助，每部电梯补助十五万元；二是居民按楼层分摊，一楼不出钱；"
EIGHT = "𠮷祥里社区首批计划加装八部电梯，预计今年四月完工。"
FLOOR = "those on the ground floor pay nothing."


def scripted(question: str, turns: int) -> Json:
    """The answer for a question; words in it choose the case."""
    if "refuse" in question or "哪一年" in question:
        text = "资料库里没有说明这一点。"
        return answer(question, [(text, [])], status="no_evidence")
    if "conflict" in question or "几部" in question:
        said = [(SIX, [(1, SIX)]), (EIGHT, [(2, EIGHT)])]
        return answer(question, said, status="conflicting")
    if "partial" in question:
        return answer(question, [(SIX, [(1, SIX)])], status="partial", support="supported")
    if "unproved" in question:
        return answer(question, [("电梯很快。", [(1, SIX)])], support="unsupported")
    if "twenty" in question:
        proofs = [SIX, MONEY, EIGHT, FLOOR, "□周砚秋 罗一鸣"]
        said = [(f"第{n}句，讲的是老楼装电梯的事。", [(n, proofs[n % 5])]) for n in range(1, 21)]
        return answer(question, said)
    if "hostile" in question:
        return answer(question, [(HOSTILE, [(1, HOSTILE)])], short=HOSTILE)
    if question.isascii():
        said = [("Six lifts were shared by floor: " + FLOOR, [(1, FLOOR)])]
        return answer(question, said, short="by floor", language="en")
    found = answer(
        question, [(SIX, [(1, SIX)]), (MONEY, [(2, MONEY)])], short="三方分担，一楼不出钱"
    )
    if turns:
        found["standalone_question"] = f"𠮷祥里加装电梯：{question}"
    return found

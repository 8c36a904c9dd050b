import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.cite import CONTEXT, source_spans, support_of, verify
from rag.types import (
    Article,
    Block,
    BlockKind,
    Claim,
    Draft,
    Evidence,
    Part,
    Passage,
    Span,
    Support,
)

FIRST = "重庆加快布局建设四大实验室。布局建设17个市级技术创新中心。"
SECOND = "企业是创新的主体。"


def make_article(key="a", title="加快建设实验室", paragraphs=(FIRST, SECOND), **fields):
    """An article whose file holds the same text ten characters further on."""
    blocks, text = [], ""
    pieces = [(BlockKind.TITLE, title), (BlockKind.BYLINE, "□邹霞 吴希")]
    pieces += [(BlockKind.BODY, p) for p in paragraphs]
    pieces += [(BlockKind.AFFILIATION, "（作者单位：重庆理工大学）")]
    for kind, piece in pieces:
        if not piece:
            continue
        text += "\n\n" if text else ""
        span = Span(len(text), len(text) + len(piece))
        text += piece
        blocks.append(Block(kind, span, (Part(span.start, Span(span.start + 10, span.end + 10)),)))
    return Article(key, text, tuple(blocks), title, ("邹霞", "吴希"), ("重庆理工大学",), **fields)


def evidence_of(article, paragraph=0):
    span = article.paragraphs[paragraph].span
    passage = Passage(
        f"{article.id}-{paragraph}.0", article.id, paragraph, span, span.of(article.text)
    )
    return Evidence(passage, article, 1, 1.0, {"dense": 0.9})


def claim_of(article, words, evidence=0, text=None, score=0.5):
    start = article.text.index(words)
    return Claim(text or words, article.id, Span(start, start + len(words)), evidence, score)


def cited(*claims, article=None):
    article = article or make_article()
    return verify(Draft(tuple(claims)), {article.id: article}, [evidence_of(article)])


def test_a_slice_is_verbatim_and_keeps_its_place():
    article = make_article()
    words = "布局建设17个市级技术创新中心。"
    text, (citation,) = cited(claim_of(article, words))
    assert text == words + "[1]"
    assert text[citation.start : citation.end] == citation.text == words
    assert article.text[citation.span.start : citation.span.end] == citation.quote == words
    assert citation.support is Support.VERBATIM
    assert (citation.paragraph, citation.passage_id) == (0, "a-0.0")
    assert citation.before == "重庆加快布局建设四大实验室。"
    assert citation.after == ""
    start = article.text.index(words) + 10
    assert citation.source_spans == (Span(start, start + len(words)),)


def test_equal_quotes_share_a_number_and_others_do_not():
    article = make_article()
    one = claim_of(article, "重庆加快布局建设四大实验室。")
    other = claim_of(article, "布局建设17个市级技术创新中心。")
    text, citations = cited(one, other, one)
    assert [c.number for c in citations] == [1, 2, 1]
    assert text.count("[1]") == 2
    assert [text[c.start : c.end] for c in citations] == [c.text for c in citations]


def test_english_sentences_are_parted_by_a_blank():
    article = make_article(paragraphs=("One thing. Another thing.",), title="Things")
    text, _ = cited(
        claim_of(article, "One thing."), claim_of(article, "Another thing."), article=article
    )
    assert text == "One thing.[1] Another thing.[2]"


def test_a_claim_on_the_head_has_no_paragraph():
    article = make_article()
    claim = claim_of(article, "□邹霞 吴希", None, "《加快建设实验室》的作者是邹霞、吴希。")
    _, (citation,) = cited(claim)
    assert citation.support is Support.SUPPORTED
    assert citation.paragraph is None
    assert citation.passage_id is None


@pytest.mark.parametrize(
    ("said", "support"),
    [
        ("重庆布局建设十七个市级技术创新中心。", Support.SUPPORTED),
        ("重庆布局建设18个市级技术创新中心。", Support.UNSUPPORTED),
        ("重庆布局建设17个“国家”技术创新中心。", Support.UNSUPPORTED),
        ("天气晴朗适合出门游玩。", Support.UNSUPPORTED),
        ("重庆布局建设17个市级技术创新中心，SpaceX参与。", Support.UNSUPPORTED),
        ("重庆和SpaceX布局建设17个市级技术创新中心。", Support.UNSUPPORTED),
        ("陈艳丽说布局建设市级技术创新中心。", Support.UNSUPPORTED),
    ],
)
def test_what_is_reworded_must_stand_in_the_quote(said, support):
    article = make_article()
    quote = "布局建设17个市级技术创新中心。"
    assert support_of(said, quote, article, ["邹霞", "陈艳丽"]) is support


def test_a_claim_without_proof_is_left_out(caplog):
    article = make_article()
    unknown = Claim("编出来的。", "nowhere", Span(0, 3), None, 1.0)
    beyond = Claim("编出来的。", "a", Span(5, 10_000), None, 1.0)
    good = claim_of(article, "重庆加快布局建设四大实验室。")
    text, citations = cited(unknown, beyond, good)
    assert text == "重庆加快布局建设四大实验室。[1]"
    assert len(citations) == 1
    assert len(caplog.records) == 2


def test_a_refusal_is_its_reason():
    assert verify(Draft((), reason="没有。", status="no_evidence"), {}, []) == ("没有。", ())


def test_evidence_of_another_passage_is_not_named():
    article = make_article()
    _, (citation,) = cited(claim_of(article, SECOND))
    assert citation.paragraph == 1
    assert citation.passage_id is None


def test_a_quote_across_a_closed_column_break_has_several_places():
    text = "高质量发展新动能"
    parts = (Part(0, Span(100, 103)), Part(3, Span(7, 12)))
    article = Article("b", text, (Block(BlockKind.BODY, Span(0, 8), parts),))
    assert source_spans(article, Span(1, 6)) == (Span(101, 103), Span(7, 10))
    assert source_spans(article, Span(3, 8)) == (Span(7, 12),)


def test_parts_that_touch_in_the_file_are_one_place():
    parts = (Part(0, Span(5, 9)), Part(4, Span(9, 12)))
    article = Article("c", "abcdefg", (Block(BlockKind.BODY, Span(0, 7), parts),))
    assert source_spans(article, Span(0, 7)) == (Span(5, 12),)


@given(st.data())
def test_every_citation_slices_back(data):
    body = data.draw(st.text(alphabet="甲乙丙丁。，\U0001f600ab", min_size=3, max_size=200))
    article = make_article(paragraphs=(body,))
    start = data.draw(st.integers(0, len(body) - 1))
    end = data.draw(st.integers(start + 1, len(body)))
    offset = article.paragraphs[0].span.start
    words = body[start:end]
    if not words.strip():
        return
    claim = Claim(words, article.id, Span(offset + start, offset + end), 0, 1.0)
    text, (citation,) = verify(Draft((claim,)), {article.id: article}, [evidence_of(article)])
    assert text[citation.start : citation.end] == citation.text == words.strip()
    assert article.text[citation.span.start : citation.span.end] == citation.quote
    assert citation.support is Support.VERBATIM
    assert body.endswith(citation.after) or len(citation.after) == CONTEXT
    assert citation.before + citation.quote + citation.after in article.text
    assert sum(len(s) for s in citation.source_spans) == len(citation.quote)
    assert np.isclose(citation.score, 1.0)

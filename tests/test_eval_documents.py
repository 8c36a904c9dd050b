"""Articles made for measuring."""

from __future__ import annotations

import lzma

from hypothesis import given
from hypothesis import strategies as st

from eval.documents import PARAGRAPH, document_of, news

TEXTS = st.lists(st.text("长江之畔。a ", min_size=1, max_size=20), min_size=1, max_size=5)


@given(TEXTS, st.none() | st.just("标题"))
def test_blocks_are_the_texts(texts, title):
    _, article = document_of("a", texts, title=title)
    assert [b.span.of(article.text) for b in article.paragraphs] == texts
    assert article.title == title
    assert [b.span.of(article.text) for b in article.blocks] == [title, *texts][title is None :]


def test_the_uri_parts_equal_texts():
    assert document_of("a", ["同"])[1].id != document_of("b", ["同"])[1].id


def test_news_texts_are_parted_at_sentence_ends(tmp_path):
    sentence = "长江上游" * 20 + "。"
    path = tmp_path / "news.txt.xz"
    lines = [f"2023-08-16 18:24:57，正文：{sentence * 5}", "", "没有日期的一行。", "又一行。"]
    path.write_bytes(lzma.compress("\n".join(lines).encode()))
    found = [article for _, article in news(path, 3)]
    assert [a.published for a in found] == ["2023-08-16", None]
    paragraphs = [b.span.of(found[0].text) for b in found[0].paragraphs]
    assert "".join(paragraphs) == sentence * 5
    assert all(len(p) % len(sentence) == 0 for p in paragraphs)
    assert all(len(p) >= PARAGRAPH for p in paragraphs[:-1])
    assert found[1].text == "没有日期的一行。"

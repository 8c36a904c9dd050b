"""Nothing is lost and nothing invented, whatever the file holds."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rag.pages import articles
from rag.pieces import split, without_turn_lines
from rag.types import Article, Document, Part, Piece, Span

_WORDS = st.text(
    alphabet=st.sampled_from(
        "发展质量新时代，。；：“”（）《》一二是要abc DEF.19 \U0002070e\U0001f600"
    ),
    min_size=1,
    max_size=60,
)
_HEADS = st.sampled_from(
    [
        "□张三 李四",
        "本报记者 王五",
        "By Jane Doe",
        "（作者单位：重庆大学）",
        "重庆日报 2024年5月20日 第5版",
        "责任编辑：张三",
        "（下转第三版）",
        "图为现场。张三 摄",
        "-----",
        "推进老旧小区改造",
        "2024年5月20日",
        "本报讯（记者 张三）昨天，会议召开。",
        "一、背景",
    ]
)
_PIECES = st.lists(st.one_of(_WORDS, _WORDS, _HEADS), min_size=1, max_size=14)
_KIND = st.sampled_from([None, "page", "article", "articles"])


def document(texts: list[str], wrapped: bool = False) -> Document:
    """A document of these pieces; wrapped: each is broken into two lines in the file."""
    text = ""
    pieces = []
    for piece in texts:
        bare = piece.strip()
        if not bare:
            continue
        half = len(bare) // 2 if wrapped else 0
        at = len(text)
        if half:
            text += bare[:half] + "\n　　" + bare[half:]
            parts = (
                Part(0, Span(at, at + half)),
                Part(half, Span(at + half + 3, at + len(bare) + 3)),
            )
        else:
            text += bare
            parts = (Part(0, Span(at, at + len(bare))),)
        pieces.append(Piece(bare, parts))
        text += "\n\n"
    return Document("memory", text, tuple(pieces), {}, "text", "utf-8", "0")


def accounted(found: tuple[Article, ...]) -> list[int]:
    """Places in the file of every character that the articles hold or record as dropped."""
    places: list[int] = []
    for article in found:
        for block in article.blocks:
            for part in block.parts:
                places.extend(range(part.source.start, part.source.end))
            places.extend(j.dropped_at.start for j in block.joints if j.dropped_at is not None)
    return sorted(places)


@settings(max_examples=150, deadline=None)
@given(_PIECES, _KIND, st.booleans())
def test_every_character_is_in_one_block_or_recorded(
    texts: list[str], kind: str | None, wrapped: bool
) -> None:
    source = document(texts, wrapped)
    expected = sorted(
        place
        for piece in source.pieces
        for part in piece.parts
        for place in range(part.source.start, part.source.end)
    )
    found = articles(source, kind=kind)
    assert accounted(found) == expected
    blank = {i for i, char in enumerate(source.text) if char.isspace()}
    assert set(range(len(source.text))) - set(expected) <= blank


@settings(max_examples=150, deadline=None)
@given(_PIECES, _KIND, st.booleans())
def test_blocks_tile_the_text_and_parts_say_where_it_came_from(
    texts: list[str], kind: str | None, wrapped: bool
) -> None:
    source = document(texts, wrapped)
    for article in articles(source, kind=kind):
        assert "\n\n".join(b.span.of(article.text) for b in article.blocks) == article.text
        for block in article.blocks:
            copied = 0
            for part in block.parts:
                end = part.start + len(part.source)
                assert article.text[part.start : end] == part.source.of(source.text)
                assert block.span.start <= part.start <= end <= block.span.end
                copied += len(part.source)
            put_in = len(block.span) - copied
            assert put_in <= len(block.joints)  # one blank at a joint of Latin text, at most
            for joint in block.joints:
                assert block.span.start < joint.at <= block.span.end
                assert 0 <= joint.confidence < 1
                if joint.dropped_at is not None:
                    assert joint.dropped_at.of(source.text) == joint.dropped


@settings(max_examples=60, deadline=None)
@given(_PIECES, _KIND)
def test_the_same_file_gives_the_same_articles(texts: list[str], kind: str | None) -> None:
    assert articles(document(texts), kind=kind) == articles(document(texts), kind=kind)


@given(_WORDS, st.data())
def test_a_split_piece_keeps_every_place(text: str, data: st.DataObject) -> None:
    source = document([f"字{text}字"], wrapped=True)
    piece = source.pieces[0]
    at = data.draw(st.integers(0, len(piece.text)))
    left, right = split(piece, at)
    assert left.text + right.text == piece.text
    for half in (left, right):
        for part in half.parts:
            copied = half.text[part.start : part.start + len(part.source)]
            assert copied == part.source.of(source.text)
    places = [p.source for half in (left, right) for p in half.parts]
    assert sum(map(len, places)) == sum(len(p.source) for p in piece.parts)


def test_turn_lines_are_cut_off_both_ends() -> None:
    source = document(["（上接第一版）重庆持续推进改革（下转第三版）"])
    assert [p.text for p in without_turn_lines(source.pieces)] == [
        "（上接第一版）",
        "重庆持续推进改革",
        "（下转第三版）",
    ]

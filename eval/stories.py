"""Whole articles to make pages of: from articles that Wenju reads, JSON lists, or news texts."""

from __future__ import annotations

import json
import lzma
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from rag.pages import articles
from rag.readers import SUFFIXES, read_path

_TITLED = re.compile(
    r"(?P<title>(?!.{0,8}\d日)[^。，]{4,18}[^。]{6,18}?)"
    r"(?=据|近日|日前|记者从|本报讯|新华社|中新[网社]|(?:\d{4}年)?\d{1,2}月\d{1,2}日|北京时间"
    r"|智通财经APP获悉|今年以来|今[天日]，)"
)
_LINES_FROM = 5_000_000  # bytes from which a text file is taken for one text a line
_LEAST = 120  # characters of a story
_CLAUSE_TITLES = 0.15  # share of texts without a title of their own that get a clause for one
SENTENCE_END = re.compile(r"[。！？]+[”’」』）)]*")


@dataclass(frozen=True, slots=True)
class Story:
    """A whole article to make pages of."""

    title: str | None
    paragraphs: tuple[str, ...]


def news_lines(path: Path) -> list[str]:
    """The texts of a file with one a line, without their dates, blanks and web page remains."""
    opener = lzma.open if path.suffix == ".xz" else Path.open
    with opener(path, "rt", encoding="utf-8") as lines:
        texts = {_clean(line) for line in lines}
    return sorted(t for t in texts if len(t) >= 200 and _han_share(t) > 0.5)


def _clean(line: str) -> str:
    found = line.find("正文：")
    line = line[found + 3 :] if 0 <= found < 120 else line
    line = re.sub(r"^(?:原标题：|标题：)", "", line.strip())
    line = re.sub(r"(?:返回搜狐|责任编辑|广告声明|更多精彩).*$", "", line)
    return re.sub(r"\s+", "", line)


def _han_share(text: str) -> float:
    return sum("一" <= c <= "鿿" for c in text) / max(1, len(text))


def story_of(text: str, rng: random.Random) -> Story | None:
    """A story from a text without paragraphs; None when it has too few sentences or no title.

    Paragraphs are made at sentence ends. The title is the one in front of the text if it can be
    told from it, else a clause of the text.
    """
    headed = _TITLED.match(text)
    title = headed["title"] if headed else None
    if headed:
        text = text[headed.end("title") :]
    ends = [0, *(m.end() for m in SENTENCE_END.finditer(text))]
    sentences = [text[a:b] for a, b in pairwise(ends)]
    if len(sentences) < 4:
        return None
    paragraphs: list[str] = []
    current = ""
    aim = rng.randint(60, 330)
    for sentence in sentences:
        current += sentence
        if len(current) >= aim:
            paragraphs.append(current)
            current, aim = "", rng.randint(60, 330)
    if current:
        paragraphs.append(current)
    clauses = [
        c
        for c in re.split(r"[，。！？；、“”（）()…]", text)
        if 10 <= len(c) <= 26 and not re.match(r"[的了和与在并将但而且因由对其该]", c)
    ]
    if title is None and (not clauses or rng.random() >= _CLAUSE_TITLES):
        return None
    title = title or rng.choice(clauses)
    return Story(title.strip("，。、：；"), tuple(paragraphs[:9]))


def read_stories(path: Path, rng: random.Random) -> Iterator[Story]:
    """Stories from a folder of articles, a JSON list of them, or a file with a text a line.

    Raises:
        UnreadableFile: a file cannot be read.
    """
    if path.is_dir():
        for child in sorted(path.iterdir()):
            if child.suffix == ".json" or child.suffix in SUFFIXES:
                yield from read_stories(child, rng)
    elif path.suffix == ".json":
        loaded = json.loads(path.read_text(encoding="utf-8"))
        for item in loaded if isinstance(loaded, list) else loaded["articles"]:
            yield Story(item.get("title"), tuple(item["paragraphs"]))
    elif path.suffix == ".xz" or path.stat().st_size > _LINES_FROM:
        texts = news_lines(path)
        rng.shuffle(texts)
        yield from filter(None, (story_of(text, rng) for text in texts))
    else:
        for article in articles(read_path(path)):
            body = tuple(b.span.of(article.text) for b in article.paragraphs)
            if body and sum(map(len, body)) >= _LEAST:
                yield Story(article.title, body)

"""Archives that the tests of engines make: articles of random words, vectors of their texts."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from typing import Any

import numpy as np

from eval.pg_server import PgServer, made
from index.parts import Parts
from index.tokens import Tokenizer
from index.types import Batch, Entry
from rag import pg
from rag.stores import Stores
from rag.types import Article, Block, BlockKind, Document, Joint, Part, Passage, Span

DIM = 16
TOKENIZER = Tokenizer()
NOW = "2026-11-22T00:00:00+00:00"
WORDS = "重庆 四川 成都 实验室 创新 中心 老旧 小区 改造 长江 生态 保护 工业 企业 经济 农村".split()


def database(server: PgServer) -> str:
    """The address of a new database with the tables in it, made from one that is kept for that."""
    if not server.databases:
        made(server, ["tables"])
        stores = pg.stores(server.url("tables"), None, TOKENIZER)
        stores.index.open()
        stores.close()
        server.databases.append("tables")
    name = f"t{secrets.token_hex(4)}"
    made(server, [name], template="tables")
    return server.url(name)


def article(number: int, paragraphs: Sequence[str], **facts: Any) -> Article:
    text, blocks = "", []
    for paragraph in paragraphs:
        text += "\n" if text else ""
        span = Span(len(text), len(text) + len(paragraph))
        joint = Joint(1, 0.9, "量", ("doubled",), Span(7, 8))
        blocks.append(Block(BlockKind.BODY, span, (Part(0, span),), (joint,)))
        text += paragraph
    return Article(id=f"a{number:04d}", text=text, blocks=tuple(blocks), **facts)


def document(uri: str, text: str) -> Document:
    return Document(uri, text, (), {}, "text", "utf_8", hashlib.sha256(text.encode()).hexdigest())


def vectors_of(texts: Sequence[str]) -> Any:
    rows = np.empty((len(texts), DIM), np.float32)
    for row, text in zip(rows, texts, strict=True):
        row[:] = np.random.default_rng(list(text.encode())).normal(size=DIM)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def cut(one: Article) -> list[Passage]:
    return [
        Passage(f"{one.id}-{n}", one.id, n, block.span, block.span.of(one.text))
        for n, block in enumerate(one.blocks)
    ]


def hold(stores: Stores, articles: Sequence[Article], gone: Sequence[str] = ()) -> None:
    """Put articles and index them, as `rag.indexing` does."""
    for one in articles:
        stores.corpus.put(document(f"/in/{one.id}.txt", one.text), [one], now=NOW)
    passages = [p for one in articles for p in cut(one)]
    titles = {one.id: one.title or "" for one in articles}
    entries = [Entry(p.id, p.article_id, p.text, "张三", titles[p.article_id]) for p in passages]
    texts = [p.text for p in passages]
    sentences = [[t + "甲", t + "乙"][: len(t) % 3] for t in texts]
    flat = [s for own in sentences for s in own]
    parts = Parts.of(vectors_of(flat).reshape(-1, DIM), [len(own) for own in sentences])
    with stores.writing(5.0), stores.joined():
        stores.corpus.put_passages(passages)
        batch = Batch(entries, vectors_of(texts), parts)
        stores.index.commit(batch, remove_groups=gone, model="m")


def some(count: int, seed: int = 0, first: int = 0) -> list[Article]:
    """Articles of a few paragraphs of random words; by turns in two languages, years, sources."""
    random = np.random.default_rng(seed)
    out = []
    for number in range(first, first + count):
        paragraphs = [
            "".join(random.choice(WORDS, size=random.integers(2, 12))) + f"第{number}之{n}"
            for n in range(random.integers(1, 4))
        ]
        facts = {
            "title": f"{random.choice(WORDS)}{number}",
            "authors": ("张三", "李四")[: 1 + number % 2],
            "published": f"20{20 + number % 3}-0{1 + number % 9}-11",
            "source": ("重庆日报", "四川日报")[number % 2],
            "language": ("zh", "en")[number % 4 == 0],
        }
        out.append(article(number, paragraphs, **facts))
    return out

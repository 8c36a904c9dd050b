"""What every engine must answer alike; each test is asked of all of them.

The vectors' and keywords' answers are compared with plain arithmetic over what is held.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import HashingEncoder
from in_engines import (
    DIM,
    NOW,
    TOKENIZER,
    article,
    cut,
    database,
    document,
    hold,
    some,
    vectors_of,
)

from eval import milvus_server
from eval.milvus_server import MilvusServer
from eval.pg_server import PgServer, running
from index.errors import ArchiveBusy, ModelMismatch, TokenizerMismatch
from index.tokens import Tokenizer
from index.types import Batch, Entry
from rag.config import Config
from rag.errors import NotFound
from rag.stores import Stores, opened
from rag.types import Article, Filters


@pytest.fixture(scope="module")
def server() -> Iterator[PgServer]:
    with running({"fsync": "off", "full_page_writes": "off"}) as server:
        yield server


@pytest.fixture(scope="module")
def milvus() -> Iterator[MilvusServer]:
    with milvus_server.running() as server:
        yield server


BOTH = (
    "nothing_is_found_where_nothing_is",
    "what_was_deleted_counts_nowhere",
    "an_article_put_again_is_the_new_one",
    "what_is_behind_is_told_of_some_articles_alone",
    "a_rebuild_takes_the_place_of_all",
    "another_process_sees_what_was_written",
    "filters_let_through_what_they_say",
)
"""Asked of an index in Milvus beside a corpus in PostgreSQL too: what concerns both at once."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        names = ["embedded", "postgres", "milvus"]
        if metafunc.function.__name__.removeprefix("test_") in BOTH:
            names.append("postgres+milvus")
        metafunc.parametrize("engine", names, indirect=True)


@pytest.fixture
def engine(request: pytest.FixtureRequest, tmp_path: Path, cache: Path) -> Iterator[Any]:
    """Opens one archive as often as it is called, each time as another process would."""
    store = index = None
    if "postgres" in request.param:
        server: PgServer = request.getfixturevalue("server")
        store = database(server)
    if "milvus" in request.param:
        lite: MilvusServer = request.getfixturevalue("milvus")
        index = lite.database()
    config = Config(home=tmp_path / "home", cache=cache, store=store, index=index)
    made: list[Stores] = []

    def again(tokenizer: Tokenizer = TOKENIZER) -> Stores:
        made.append(opened(config, tokenizer))
        return made[-1]

    yield again
    for stores in made:
        stores.close()


@pytest.fixture
def stores(engine: Any) -> Stores:
    return engine()


def test_nothing_is_found_where_nothing_is(stores: Stores) -> None:
    snapshot = stores.index.open()
    assert (snapshot.generation, snapshot.model, snapshot.size) == (0, "", 0)
    assert snapshot.groups() == frozenset()
    assert snapshot.lexical("重庆", 5) == []
    assert snapshot.dense(np.ones(DIM, np.float32), 5) == []
    assert stores.index.verify() == stores.corpus.check() == stores.vectors.check() == []
    assert stores.behind() == (frozenset(), [])
    assert stores.corpus.stats() == {"documents": 0, "articles": 0, "passages": 0, "deleted": 0}


def test_the_nearest_vectors_are_found(stores: Stores) -> None:
    held = some(60)
    hold(stores, held)
    passages = [p for one in held for p in cut(one)]
    snapshot = stores.index.open()
    assert snapshot.size == len(passages)
    assert snapshot.groups() == {one.id for one in held}
    rows = vectors_of([p.text for p in passages])
    for number in range(10):
        query = vectors_of([f"问题{number}"])[0]
        cosines = dict(zip([p.id for p in passages], (rows @ query).tolist(), strict=True))
        best = sorted(cosines, key=lambda key: (-cosines[key], key))[:12]
        hits = snapshot.dense(query, 12)
        assert [hit.id for hit in hits] == best
        assert [hit.score for hit in hits] == pytest.approx([cosines[k] for k in best], abs=1e-5)
        own = frozenset(one.id for one in held[5:20])
        within = [k for k in sorted(cosines, key=lambda k: (-cosines[k], k)) if k[:5] in own][:7]
        assert [hit.id for hit in snapshot.dense(query, 7, own)] == within
    assert len(snapshot.dense(query, 10_000)) == len(passages)
    assert snapshot.dense(query, 0) == snapshot.dense(query, 5, frozenset()) == []
    for wrong in (np.ones(DIM + 1, np.float32), np.full(DIM, np.nan, np.float32)):
        with pytest.raises(ValueError, match=f"{DIM}"):
            snapshot.dense(wrong, 3)


def scores_of(entries: dict[str, list[list[str]]], terms: Sequence[dict[str, float]]) -> Any:
    """BM25 by the formula of `index.lexical`, with K1 1, B .5 and every field counting once."""
    lengths = {key: sum(map(len, fields)) for key, fields in entries.items()}
    mean = sum(lengths.values()) / len(lengths)
    found = dict.fromkeys(entries, 0.0)
    for term in terms:
        tf = {
            key: sum(w * field.count(t) for t, w in term.items() for field in fields)
            for key, fields in entries.items()
        }
        df = sum(value > 0 for value in tf.values())
        idf = log(1 + (len(entries) - df + 0.5) / (df + 0.5))
        for key, value in tf.items():
            found[key] += idf * value / (value + 0.5 + 0.5 * lengths[key] / mean)
    return {key: score for key, score in found.items() if score > 0}


def fields_of(articles: Sequence[Article]) -> dict[str, list[list[str]]]:
    tokens = TOKENIZER.tokens
    return {
        p.id: [tokens(p.text), tokens(one.title or ""), tokens("张三")]
        for one in articles
        for p in cut(one)
    }


QUESTIONS: list[list[dict[str, float]]] = [
    [{"重庆": 1.0}, {"创新": 1.0}, {"小区": 1.0}],
    [{"重庆": 1.0}, {"重庆": 1.0}, {"长江": 1.0}],
    [{"农村": 1.0, "企业": 0.5, "没有": 0.9}, {"改造": 1.0}],
    [{"张三": 1.0}],
    [{"没有": 1.0}],
]


def alike(hits: Sequence[Any], expected: dict[str, float], k: int) -> None:
    best = sorted(expected.values(), reverse=True)[:k]
    assert [h.score for h in hits] == pytest.approx(best, rel=1e-4, abs=1e-6)
    found = {h.id: h.score for h in hits}
    assert found == pytest.approx({key: expected[key] for key in found}, rel=1e-4, abs=1e-6)
    assert len(found) == len(hits)
    assert [(-h.score, h.id) for h in hits] == sorted((-h.score, h.id) for h in hits)


def test_keywords_are_scored_by_the_formula(stores: Stores) -> None:
    held = some(50)
    hold(stores, held[:20])
    hold(stores, held[20:])
    snapshot = stores.index.open()
    own = frozenset(one.id for one in held[10:30])
    for terms in QUESTIONS:
        expected = scores_of(fields_of(held), terms)
        alike(snapshot.terms(terms, 1000), expected, 1000)
        alike(snapshot.terms(terms, 9), expected, 9)
        inside = {key: score for key, score in expected.items() if key[:5] in own}
        alike(snapshot.terms(terms, 1000, own), inside, 1000)
        assert snapshot.terms(terms, 0) == snapshot.terms([], 9) == []


def test_what_was_deleted_counts_nowhere(stores: Stores) -> None:
    held = some(40)
    hold(stores, held)
    before = stores.index.open().generation
    with stores.writing(5.0):
        for one in held[:10]:
            stores.corpus.delete(one.id, now=NOW)
        gone, new = stores.behind()
        if gone:
            stores.index.commit(remove_groups=gone, model="m")
        assert new == []
    snapshot = stores.index.open()
    assert snapshot.generation > before
    assert snapshot.groups() == {one.id for one in held[10:]}
    assert snapshot.size == sum(len(one.blocks) for one in held[10:])
    for terms in QUESTIONS:
        alike(snapshot.terms(terms, 1000), scores_of(fields_of(held[10:]), terms), 1000)
    query = vectors_of([held[0].blocks[0].span.of(held[0].text)])[0]
    assert not {h.id[:5] for h in snapshot.dense(query, 1000)} & {one.id for one in held[:10]}
    assert stores.corpus.stats()["deleted"] == 10
    assert stores.corpus.passages_of(held[0].id) == []
    assert stores.index.verify() == stores.corpus.check() == []
    with pytest.raises(NotFound):
        stores.corpus.delete(held[0].id, now=NOW)


def test_vectors_and_their_parts_come_back(stores: Stores) -> None:
    held = some(12)
    hold(stores, held)
    passages = [p for one in held for p in cut(one)][::-1]
    snapshot = stores.index.open()
    own, parts, starts = snapshot.vectors_and_parts([p.id for p in passages])
    np.testing.assert_allclose(own, vectors_of([p.text for p in passages]), atol=1e-6)
    for at, passage in enumerate(passages):
        end = starts[at + 1] if at + 1 < len(starts) else len(parts)
        sentences = [passage.text + "甲", passage.text + "乙"][: len(passage.text) % 3]
        expected = vectors_of(sentences or [passage.text])
        np.testing.assert_allclose(parts[starts[at] : end], expected, atol=0.01)


def test_words_of_the_archive_are_known(stores: Stores) -> None:
    hold(stores, [article(1, ["重庆的laboratory和实验室，labour"]), article(2, ["成都 office"])])
    snapshot = stores.index.open()
    assert snapshot.known(["重庆", "成都", "没有", "office"]) == {"重庆", "成都", "office"}
    assert snapshot.known([]) == frozenset()
    assert snapshot.beginning("lab", 1, 99) == ["laboratory", "labour"]
    assert snapshot.beginning("lab", 1, 8) == ["labour"]
    assert snapshot.holding("实验", 9) == ["实验", "实验室"]
    assert snapshot.holding("实验", 1) == ["实验"]


def test_an_article_put_again_is_the_new_one(stores: Stores) -> None:
    old, new = article(1, ["旧的重庆"]), article(1, ["新的成都"])
    hold(stores, [old, article(2, ["别的小区"])])
    stores.corpus.forget([f"/in/{old.id}.txt"])
    hold(stores, [new], gone=[old.id])
    snapshot = stores.index.open()
    assert snapshot.size == 2
    assert [h.id for h in snapshot.lexical("重庆 成都", 9)] == ["a0001-0"]
    assert stores.corpus.get("a0001") == new
    assert [p.text for p in stores.corpus.passages_of("a0001")] == ["新的成都"]


def test_what_is_behind_is_told_of_some_articles_alone(stores: Stores) -> None:
    hold(stores, some(6))
    assert stores.behind() == (frozenset(), [])
    assert stores.behind(["a0001", "unknown"]) == (frozenset(), [])
    for key in ("a0001", "a0002"):
        stores.corpus.delete(key, now=NOW)
    one = article(7, ["重庆"])
    stores.corpus.put(document("/in/a0007.txt", one.text), [one], now=NOW)
    assert stores.corpus.existing(["a0001", "a0003", "a0007"]) == {"a0003", "a0007"}
    gone, new = stores.behind(["a0001", "a0003", "a0007"])
    assert new == ["a0007"]
    assert gone <= {"a0001", "a0002"}  # those of PostgreSQL went with the articles
    stores.index.commit(remove_groups=gone, model="m")
    left = stores.index.open().groups()
    assert "a0001" not in left
    assert {"a0000", "a0003", "a0004", "a0005"} <= left
    assert stores.behind(["a0001", "a0003"])[0] == frozenset()
    stores.index.commit(remove_groups=stores.behind()[0], model="m")
    assert stores.behind() == (frozenset(), ["a0007"])
    with stores.changing() as done:
        assert isinstance(done, bool)


def test_one_id_is_not_put_in_twice(stores: Stores) -> None:
    hold(stores, [article(1, ["重庆"])])
    with pytest.raises(ValueError, match="a0001-0"):
        hold(stores, [article(1, ["重庆"])])
    assert stores.index.open().size == 1


def test_another_model_or_word_list_is_refused(engine: Any, stores: Stores, tmp_path: Path) -> None:
    hold(stores, [article(1, ["重庆"])])
    with pytest.raises(ModelMismatch):
        stores.index.commit(model="other")
    (tmp_path / "words.txt").write_text("渝北区 10\n", encoding="utf-8")
    other = engine(Tokenizer(tmp_path / "words.txt"))
    with pytest.raises(TokenizerMismatch):
        other.index.commit(model="m")
    assert other.index.open().stats()["tokenizer_matches"] is False
    assert stores.index.open().stats()["tokenizer_matches"] is True


def test_a_rebuild_takes_the_place_of_all(engine: Any, stores: Stores) -> None:
    held = some(20)
    hold(stores, held)
    before = stores.index.open().generation
    texts = [p.text for one in held[:5] for p in cut(one)]
    entries = [Entry(p.id, p.article_id, p.text) for one in held[:5] for p in cut(one)]
    with stores.writing(5.0):
        snapshot = stores.index.rebuild([Batch(entries, vectors_of(texts))], model="other")
    assert (snapshot.model, snapshot.size) == ("other", len(texts))
    assert snapshot.generation > before
    opened_again = engine().index.open()
    assert opened_again.groups() == {one.id for one in held[:5]}
    assert stores.behind() == (frozenset(), sorted(one.id for one in held[5:]))


def test_only_one_writes_at_a_time(engine: Any, stores: Stores) -> None:
    other = engine()
    with stores.writing(0.0), pytest.raises(ArchiveBusy), other.writing(0.1):
        pass
    with other.writing(0.1):
        pass


def test_another_process_sees_what_was_written(engine: Any, stores: Stores) -> None:
    reader = engine()
    assert reader.index.open().size == 0
    hold(stores, [article(1, ["重庆"], title="题")])
    assert [h.id for h in reader.index.open().lexical("重庆", 5)] == ["a0001-0"]
    assert reader.corpus.get("a0001").title == "题"
    before = reader.index.open().generation
    with stores.writing(1.0):
        stores.corpus.delete("a0001", now=NOW)
        gone, _ = stores.behind()
        if gone:
            stores.index.commit(remove_groups=gone, model="m")
    assert reader.index.open().lexical("重庆", 5) == []
    assert reader.index.open().generation > before


def test_an_article_comes_back_as_it_went_in(stores: Stores) -> None:
    facts = {"title": "题", "authors": ("张三",), "published": "2024-05", "source": "报"}
    facts |= {"page": "3", "section": "理论", "url": "https://example.org/%20?a=1"}
    one = article(7, ["重庆𠮷野家", "第二段"], **facts)
    put = stores.corpus.put(document("/in/它 50%?.txt", "x"), [one], now=NOW)
    assert (put.outcome, put.articles, put.kept_out) == ("added", (one.id,), 0)
    assert stores.corpus.get(one.id) == one
    assert stores.corpus.uris(one.id) == ["/in/它 50%?.txt"]
    again = stores.corpus.put(document("/in/它 50%?.txt", "x"), [one], now=NOW)
    assert again.outcome == "unchanged"
    assert stores.behind()[1] == [one.id]
    stores.corpus.delete(one.id, now=NOW)
    assert stores.behind()[1] == []
    kept_out = stores.corpus.put(document("/in/它 50%?.txt", "y"), [one], now=NOW)
    assert (kept_out.kept_out, stores.corpus.ids()) == (1, set())
    back = stores.corpus.put(document("/in/b.txt", "y"), [one], now=NOW, restore=True)
    assert (back.kept_out, stores.corpus.ids()) == (0, {one.id})


FILTERS = [
    Filters(languages=("en",)),
    Filters(sources=("重庆日报",)),
    Filters(authors=("李四", "无名")),
    Filters(date_from="2021"),
    Filters(date_to="2021", sources=("四川日报",)),
    Filters(as_of="2021-05-01"),
    Filters(article_ids=("a0003", "a0004", "nobody")),
    Filters(sources=("没有",)),
]


def passing(held: Sequence[Article], filters: Filters) -> set[str]:
    def good(a: Article) -> bool:
        day = a.published or ""
        return all((
            not filters.languages or a.language in filters.languages,
            not filters.sources or a.source in filters.sources,
            not filters.authors or set(a.authors) & set(filters.authors),
            not filters.article_ids or a.id in filters.article_ids,
            not filters.date_from or day >= filters.date_from,
            not filters.date_to or day <= filters.date_to + "~",
            not filters.as_of or day <= filters.as_of,
        ))  # fmt: skip

    return {a.id for a in held if good(a)}


def test_filters_let_through_what_they_say(stores: Stores) -> None:
    held = some(40)
    hold(stores, held)
    for filters in FILTERS:
        filtered(stores, held, filters)


def filtered(stores: Stores, held: Sequence[Article], filters: Filters) -> None:
    wanted = passing(held, filters)
    passages = {p.id for one in held if one.id in wanted for p in cut(one)}
    snapshot = stores.index.open()
    scope = stores.scopes.of(snapshot, filters)
    assert scope.passages == len(passages)
    query = vectors_of(["问"])[0]
    assert {h.id for h in snapshot.dense(query, 1000, scope.articles)} == passages
    by_place = [
        {h.id for h in snapshot.dense(query, 1000, groups)} for groups in scope.places.values()
    ]
    assert set().union(*by_place) == passages
    assert sum(map(len, by_place)) == len(passages)
    held_by = {one.id: one.language for one in held}
    two = ["a0000", "a0001"]
    assert scope.languages_of(two, "xx") == [held_by[key] for key in two]
    words = [{"重庆": 1.0}, {"小区": 1.0}]
    everywhere = {h.id: h.score for h in snapshot.terms(words, 1000)}
    inside = {h.id: h.score for h in snapshot.terms(words, 1000, scope.articles)}
    assert inside == pytest.approx({k: s for k, s in everywhere.items() if k in passages})
    found, count = stores.corpus.listing(limit=100, filters=filters)
    assert {a.id for a in found} == wanted
    assert count == len(wanted)
    days = sorted(a.published or "" for a in found)
    assert (scope.earliest, scope.latest) == ((days[0], days[-1]) if days else (None, None))


def test_a_scope_without_filters_is_everything(stores: Stores) -> None:
    held = some(20)
    hold(stores, held)
    snapshot = stores.index.open()
    scope = stores.scopes.of(snapshot, None)
    assert scope.articles is None
    assert scope.passages == snapshot.size
    assert set(scope.places) == {"zh", "en"}
    assert stores.scopes.of(snapshot, Filters()) is scope
    hold(stores, some(5, first=100))
    assert stores.scopes.of(stores.index.open(), None).passages > scope.passages


def test_lists_are_in_order(stores: Stores) -> None:
    hold(stores, some(30))
    found, total = stores.corpus.listing(limit=7, offset=3, query="重庆日报 张三")
    assert total == 15
    days = [(a.published or "", a.title) for a in found]
    assert [d for d, _ in days] == sorted((d for d, _ in days), reverse=True)
    facets = stores.corpus.facets()
    assert facets["authors"] == [("张三", 30), ("李四", 15)]
    assert facets["sources"] == [("四川日报", 15), ("重庆日报", 15)]
    assert facets["languages"] == [("zh", 22), ("en", 8)]
    assert facets["sections"] == []
    assert list(stores.corpus.below("/in")) == [f"/in/a{n:04d}.txt" for n in range(30)]
    assert stores.corpus.count_passages(["a0000", "a0001"]) == sum(
        len(a.blocks) for a in some(30)[:2]
    )
    passages, articles = stores.corpus.passages_and_articles(["a0003-0", "a0009-0", "no-1"])
    assert [p.text for p in passages.values()] == [
        articles[key].blocks[0].span.of(articles[key].text) for key in ("a0003", "a0009")
    ]


def test_what_fails_in_the_middle_leaves_nothing(stores: Stores) -> None:
    class Interrupted(Exception):
        pass

    def interrupted() -> None:
        with stores.corpus.together():
            stores.corpus.put(document("/in/x.txt", "x"), [article(1, ["重庆"])], now=NOW)
            raise Interrupted

    with pytest.raises(Interrupted):
        interrupted()
    assert stores.corpus.ids() == set()
    assert stores.behind() == (frozenset(), [])


def test_no_text_is_encoded_twice(engine: Any, stores: Stores) -> None:
    encoder = HashingEncoder()
    rows = stores.vectors.encode(encoder, ["重庆", "成都", "重庆"])
    np.testing.assert_array_equal(rows[0], rows[2])
    assert sorted(encoder.encoded) == ["成都", "重庆"]
    told: list[int] = []
    other = HashingEncoder()
    again = engine().vectors.encode(other, ["成都", "长江", "重庆"], progress=told.append, batch=1)
    assert other.encoded == ["长江"]
    assert sum(told) == 3
    np.testing.assert_array_equal(again[[0, 2]], rows[[1, 0]])
    assert stores.vectors.encode(encoder, []).shape == (0, encoder.dim)


def test_reprints_are_known(stores: Stores) -> None:
    body = (
        "重庆加快布局建设金凤、明月湖、广阳湾、嘉陵江四大实验室，两江新区新增市级技术创新中心十七个。"
        * 3
    )
    other = "老旧小区改造先改水电气管网，再改楼道和外墙，居民议事会决定先加装电梯。" * 3
    held = [article(1, [body]), article(2, [body + "完"]), article(3, [other])]
    hold(stores, held)
    assert stores.reprints.sync(stores.corpus) == 3
    assert stores.reprints.sync(stores.corpus) == 0
    families = stores.reprints.families([one.id for one in held])
    assert families == {"a0001": "a0001", "a0002": "a0001"}
    assert stores.reprints.check(stores.corpus) == []
    stores.corpus.delete("a0002", now=NOW)
    stores.reprints.sync(stores.corpus)
    assert stores.reprints.families([one.id for one in held]) == {}
    stores.reprints.forget()
    assert stores.reprints.sync(stores.corpus) == 2

import contextlib
import hashlib
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.corpus import Corpus
from rag.errors import CorpusDamaged, HomeUnusable, NotFound
from rag.types import (
    Article,
    Block,
    BlockKind,
    Document,
    Filters,
    Joint,
    Part,
    Passage,
    Span,
)

NOW = "2026-11-22T00:00:00+00:00"


def article(text: str, **facts) -> Article:
    key = hashlib.sha256(repr((text, sorted(facts.items()))).encode()).hexdigest()[:16]
    span = Span(0, len(text))
    joint = Joint(1, 0.9, "量", ("doubled",), Span(7, 8))
    block = Block(BlockKind.BODY, span, (Part(0, Span(5, 5 + len(text))),), (joint,))
    return Article(id=key, text=text, blocks=(block,), **facts)


def document(uri: str, text: str) -> Document:
    return Document(uri, text, (), {}, "text", "utf_8", hashlib.sha256(text.encode()).hexdigest())


@pytest.fixture
def corpus(tmp_path):
    made = Corpus(tmp_path / "corpus.sqlite")
    yield made
    made.close()


A = article("甲文", title="甲", authors=("张三", "李四"), published="2024-05-20", source="重庆日报")
B = article("乙文", title="乙", published="2024-06", source="四川日报", section="理论")
C = article("Third", title="C", authors=("Ann Lee",), language="en")


def test_an_article_comes_back_as_it_went_in(corpus):
    corpus.put(document("a.txt", "x"), [A], now=NOW)
    assert corpus.get(A.id) == A


def test_the_same_file_again_changes_nothing(corpus):
    doc = document("a.txt", "x")
    assert corpus.put(doc, [A, B], now=NOW).outcome == "added"
    assert corpus.unchanged(doc.uri, doc.content_hash) == (A.id, B.id)
    assert corpus.put(doc, [A, B], now=NOW).outcome == "unchanged"
    assert corpus.ids() == {A.id, B.id}


def test_a_changed_file_replaces_its_articles(corpus):
    corpus.put(document("a.txt", "x"), [A, B], now=NOW)
    put = corpus.put(document("a.txt", "y"), [B, C], now=NOW)
    assert (put.outcome, put.articles) == ("replaced", (B.id, C.id))
    assert corpus.ids() == {B.id, C.id}
    assert corpus.unchanged("a.txt", document("a.txt", "x").content_hash) is None


def test_an_article_of_two_files_stays_until_the_last_is_gone(corpus):
    corpus.put(document("a.txt", "x"), [A], now=NOW)
    corpus.put(document("b.txt", "z"), [A, B], now=NOW)
    assert corpus.uris(A.id) == ["a.txt", "b.txt"]
    corpus.put(document("a.txt", "y"), [C], now=NOW)
    assert corpus.ids() == {A.id, B.id, C.id}
    corpus.put(document("b.txt", "w"), [B], now=NOW)
    assert corpus.ids() == {B.id, C.id}


def test_a_deleted_article_stays_deleted_until_it_is_restored(corpus):
    doc = document("a.txt", "x")
    corpus.put(doc, [A, B], now=NOW)
    corpus.put_passages([Passage(f"{A.id}-0.0", A.id, 0, Span(0, 2), A.text)])
    corpus.delete(A.id, now=NOW)
    assert corpus.passages([f"{A.id}-0.0"]) == {}
    assert corpus.unchanged(doc.uri, doc.content_hash) == (B.id,)
    assert corpus.put(document("other.txt", "z"), [A], now=NOW).kept_out == 1
    assert corpus.ids() == {B.id}
    corpus.put(doc, [A, B], now=NOW, restore=True)
    assert corpus.ids() == {A.id, B.id}
    with pytest.raises(NotFound):
        corpus.delete("no such id", now=NOW)


def test_passages_are_slices_of_their_article(corpus):
    corpus.put(document("a.txt", "x"), [A, C], now=NOW)
    first = Passage(f"{C.id}-0.0", C.id, 0, Span(0, 2), "Th")
    second = Passage(f"{C.id}-0.1", C.id, 0, Span(2, 5), "ird")
    corpus.put_passages([second, first])
    assert corpus.passages([second.id, "unknown"]) == {second.id: second}
    assert corpus.passages_of(C.id) == [first, second]
    assert corpus.count_passages([C.id, A.id]) == 2


def test_filters_and_listing(corpus):
    corpus.put(document("a.txt", "x"), [A, B, C], now=NOW)
    for filters, wanted in [
        (Filters(authors=("李四",)), {A.id}),
        (Filters(sources=("重庆日报", "四川日报")), {A.id, B.id}),
        (Filters(sections=("理论",)), {B.id}),
        (Filters(languages=("en",)), {C.id}),
        (Filters(article_ids=(A.id, "x")), {A.id}),
        (Filters(date_from="2024-06"), {B.id}),
        (Filters(date_to="2024-05-31"), {A.id}),
        (Filters(authors=("李四",), languages=("en",)), set()),
        (Filters(date_from="2024"), {A.id, B.id}),
        (Filters(languages=("zh", "en")), {A.id, B.id, C.id}),
    ]:
        passing = corpus.passing(filters)
        ids = {A.id, B.id, C.id} - passing.ids if passing.all_but else passing.ids
        assert ids == wanted, filters
        assert passing.count == len(wanted)
        assert passing.all_but == (len(wanted) > 1)
        days = sorted(a.published for a in (A, B, C) if a.id in wanted and a.published)
        assert (passing.earliest, passing.latest) == ((days[0], days[-1]) if days else (None, None))
    found, total = corpus.listing()
    assert ([a.id for a in found], total) == ([B.id, A.id, C.id], 3)
    assert [a.id for a in corpus.listing(query="李四 重庆")[0]] == [A.id]
    assert [a.id for a in corpus.listing(limit=1, offset=1)[0]] == [A.id]
    assert corpus.dates() == ("2024-05-20", "2024-06")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sets(st.sampled_from([A, B, C]))), max_size=8))
def test_the_archive_is_the_union_of_its_files(tmp_path_factory, puts):
    corpus = Corpus(tmp_path_factory.mktemp("corpus") / "corpus.sqlite")
    files = {}
    for number, (uri, articles) in enumerate(puts):
        corpus.put(document(uri, str(number)), sorted(articles, key=lambda a: a.id), now=NOW)
        files[uri] = articles
    assert corpus.ids() == {a.id for articles in files.values() for a in articles}
    corpus.close()


def test_what_is_no_corpus_is_refused(tmp_path):
    path = tmp_path / "corpus.sqlite"
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(CorpusDamaged, match="put back a backup"):
        Corpus(path)
    with pytest.raises(HomeUnusable):
        Corpus(Path(tmp_path / "missing" / "corpus.sqlite"))


def test_threads_that_have_ended_leave_no_file_open(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path / "corpus.sqlite")
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("which files are open is told by Linux only")

    def opened() -> int:
        names = []
        for entry in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                names.append(str(entry.readlink()))
        return sum(name.startswith(str(tmp_path)) for name in names)

    corpus.ids()
    before = opened()
    for _ in range(20):
        thread = threading.Thread(target=corpus.ids)
        thread.start()
        thread.join()
    assert opened() <= before + 5  # the last one's stay until the next
    assert corpus.ids() == frozenset()
    corpus.close()
    assert opened() == 0

"""What only an index in Milvus has: generations, changes broken off, a server that is lost.

The server is a stand-in, milvus-lite.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent import futures
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import grpc
import httpx2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_engines import DIM, NOW, TOKENIZER, article, cut, hold, some, vectors_of
from losing import lost
from pymilvus.grpc_gen import common_pb2, milvus_pb2, milvus_pb2_grpc
from serving import serving

from eval import milvus_server
from eval.hashed import Hashed
from eval.milvus_server import MilvusServer
from eval.torture_archive import change, numbers
from index.errors import EngineLost, EngineUnusable
from index.lexical import counted
from index.milvus import Milvus, read
from index.milvus_collections import ALIAS
from index.milvus_file import LedgerFile
from index.milvus_ledger import Ledger
from index.milvus_schema import FACT_BYTES, frequencies, quoted, rows_of, vector_and_parts
from index.milvus_store import MilvusStore
from index.parts import Parts, restored
from index.types import Batch, Entry
from rag import milvus
from rag.config import Config
from rag.pipeline import Pipeline
from rag.stores import Stores
from rag.types import Filters


@pytest.fixture(scope="module")
def server() -> Iterator[MilvusServer]:
    with milvus_server.running() as server:
        yield server


@pytest.fixture
def stores(server: MilvusServer, tmp_path: Path) -> Iterator[Stores]:
    stores = milvus.beside_files(tmp_path, server.database(), "", TOKENIZER)
    yield stores
    stores.close()


class Breaking(Milvus):
    """A connection that is lost at the next call of a name."""

    broken = ""

    def call(self, name: str, *others: Any, **more: Any) -> Any:
        if name == self.broken:
            self.broken = ""
            raise EngineLost(self.place, "lost by the test")
        return super().call(name, *others, **more)


def plain(server: Milvus, home: Path, grace: float = 600.0) -> tuple[MilvusStore, Ledger]:
    ledger = Ledger(LedgerFile(home / "milvus.sqlite"))
    return MilvusStore(server, ledger, TOKENIZER, lambda _: {}, {}, grace), ledger


def batch_of(names: range) -> Batch:
    entries = [Entry(f"e{n}", f"g{n}", f"重庆第{n}条") for n in names]
    return Batch(entries, vectors_of([e.text for e in entries]))


def found(store: MilvusStore) -> set[str]:
    return {hit.id for hit in store.open().dense(vectors_of(["问"])[0], 100)}


@pytest.mark.parametrize("call", ["delete", "upsert"])
def test_what_is_broken_off_is_finished_by_the_next(
    server: MilvusServer, tmp_path: Path, call: str
) -> None:
    with closing(Breaking(server.database())) as lost:
        store, ledger = plain(lost, tmp_path)
        store.commit(batch_of(range(6)), model="m")
        lost.broken = call
        with pytest.raises(EngineLost, match="lost by the test"):
            store.commit(batch_of(range(6, 9)), remove_groups=["g0", "g1"], model="m")
        assert ledger.touched() == {"g0", "g1", "g6", "g7", "g8"}
        assert store.open().size == 4  # what was touched is not counted
        assert any("broken off" in problem for problem in store.verify())
        store.commit(batch_of(range(8, 10)), model="m")
        assert found(store) == {"e2", "e3", "e4", "e5", "e8", "e9"}
        assert (store.verify(), ledger.touched()) == ([], frozenset())
        assert {h.id for h in store.open().lexical("重庆", 9)} == found(store)


def test_a_rebuild_is_all_or_nothing_and_disturbs_nobody(
    server: MilvusServer, tmp_path: Path
) -> None:
    with closing(Breaking(server.database())) as lost:
        store, ledger = plain(lost, tmp_path)
        before = store.commit(batch_of(range(4)), model="m")
        collection = ledger.state().collection
        lost.broken = "name"
        with pytest.raises(EngineLost, match="lost by the test"):
            store.rebuild([batch_of(range(9))], model="other")
        assert (store.open().model, store.verify()) == ("m", [])
        after = store.rebuild([batch_of(range(5)), batch_of(range(5, 7))], model="other")
        assert found(store) == {f"e{n}" for n in range(7)}
        # Who had it open before goes on with what it was.
        assert {h.id for h in before.lexical("重庆", 9)} == {"e0", "e1", "e2", "e3"}
        assert (after.model, after.size, store.verify()) == ("other", 7, [])
        names = lost.call("list", "", lambda client, wait: client.list_collections(timeout=wait))
        assert sorted(names) == sorted((collection, ledger.state().collection))
        assert not store.merge(nullcontext)
        store, _ = plain(lost, tmp_path, grace=0.0)
        assert store.merge(nullcontext)
        assert not store.merge(nullcontext)
        names = lost.call("list", "", lambda client, wait: client.list_collections(timeout=wait))
        assert list(names) == [ledger.state().collection]
        named = lost.call("alias", "", lambda c, wait: c.describe_alias(ALIAS, timeout=wait))
        assert named["collection_name"] == ledger.state().collection


def test_what_changed_behind_its_back_is_told(server: MilvusServer, tmp_path: Path) -> None:
    with closing(Milvus(server.database())) as other:
        store, ledger = plain(other, tmp_path)
        store.commit(batch_of(range(3)), model="m")
        collection = ledger.state().collection
        other.call("delete", "", lambda c, wait: c.delete(collection, ids=["e1"], timeout=wait))
        problems = store.verify()
        assert len(problems) == 2
        assert "2 rows" in problems[0]
        assert "words are counted wrongly" in problems[1]


def test_filters_take_any_name(stores: Stores) -> None:
    odd = ['A "B" \\', "a'] or grp != ['", "𠮷\t%_", "长" * FACT_BYTES]
    held = [article(n, [f"重庆{n}"], authors=(name,)) for n, name in enumerate(odd)]
    hold(stores, held)
    snapshot = stores.index.open()
    for name, one in zip(odd, held, strict=True):
        scope = stores.scopes.of(snapshot, Filters(authors=(name,)))
        hits = snapshot.terms([{"重庆": 1.0}], 9, scope.articles)
        assert [hit.id for hit in hits] == [cut(one)[0].id], name


@settings(max_examples=50)
@given(st.text())
def test_a_quoted_text_is_one_string(text: str) -> None:
    shown = quoted(text)
    body = shown[1:-1].replace("\\\\", "").replace('\\"', "")
    assert shown[0] == shown[-1] == '"'
    assert '"' not in body
    assert "\n" not in body


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from("重庆 成都 长江 office".split()), st.integers(1, 300)),
        min_size=1, max_size=4,
    ),
    st.integers(0, 3), st.floats(1, 500),
)  # fmt: skip
def test_a_row_gives_back_what_went_in(
    counts: list[dict[str, float]], parts: int, mean: float
) -> None:
    numbers_ = {"重庆": 1, "成都": 2, "长江": 3, "office": 9}
    entries = [Entry(f"e{n}", "g", "") for n in range(len(counts))]
    vectors = vectors_of([f"{n}" for n in range(len(counts))])
    of_parts = vectors_of([f"甲{n}" for n in range(parts * len(counts))]).reshape(-1, DIM)
    batch = Batch(entries, vectors, Parts.of(of_parts, [parts] * len(counts)))
    rows = rows_of(batch, counts, numbers_, mean, {"g": {"who": "长" * FACT_BYTES}}, {"who": False})
    for place, (row, own) in enumerate(zip(rows, counts, strict=True)):
        as_read = row | {"words": {t: float(np.float32(w)) for t, w in row["words"].items()}}
        given_back = {token: own[name] for name, token in numbers_.items() if name in own}
        assert frequencies(as_read) == pytest.approx(given_back, rel=1e-3)
        vector, codes = vector_and_parts(row, DIM)
        np.testing.assert_array_equal(vector, vectors[place])
        expected = of_parts[place * parts : (place + 1) * parts]
        np.testing.assert_allclose(restored(codes), expected, atol=0.01)
        assert len(row["who"].encode()) <= FACT_BYTES


def test_fields_count_by_their_weights() -> None:
    entry = Entry("e", "g", "重庆小区", context="重庆", title="重庆")
    assert counted(entry, TOKENIZER)["重庆"] == 3.0


def test_addresses_are_read() -> None:
    assert read("milvus:http://m1:19530/news") == ("http://m1:19530", "news")
    assert read("milvus:https://m1") == ("https://m1", "")
    assert Milvus("milvus:http://m1:1").place == "Milvus m1:1/default"
    for wrong in ("milvus:m1", "http://m1", "milvus:http://u:p@m1", "milvus:http://m1/a?b=c"):
        with pytest.raises(EngineUnusable, match="WENJU_INDEX"):
            read(wrong)


def test_a_missing_client_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(EngineUnusable, match=r"pip install 'wenju\[milvus\]'"):
        Milvus("milvus:http://127.0.0.1:1").call("x", "", lambda client, wait: None)


def test_nobody_there_is_told_without_the_token() -> None:
    lost = Milvus("milvus:http://127.0.0.1:1/news", token="root:hidden-token")  # noqa: S106 no secret
    with pytest.raises(EngineLost, match=r"127\.0\.0\.1:1/news") as raised:
        lost.call("list", "", lambda client, wait: client.list_collections(timeout=wait))
    assert "hidden-token" not in str(raised.value)
    assert raised.value.retryable


class Unwilling(milvus_pb2_grpc.MilvusServiceServicer):
    """A server that takes its time, and does not know us."""

    def Connect(self, request: Any, context: Any) -> Any:
        return milvus_pb2.ConnectResponse(status=common_pb2.Status(), identifier=1)

    def ShowCollections(self, request: Any, context: Any) -> Any:
        time.sleep(2)
        return milvus_pb2.ShowCollectionsResponse()

    def ListAliases(self, request: Any, context: Any) -> Any:
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "hidden-token is not known")


def test_a_server_that_hangs_or_refuses_is_told() -> None:
    with futures.ThreadPoolExecutor(4) as pool:
        slow = grpc.server(pool)
        milvus_pb2_grpc.add_MilvusServiceServicer_to_server(Unwilling(), slow)
        port = slow.add_insecure_port("127.0.0.1:0")
        slow.start()
        try:
            address = f"milvus:http://127.0.0.1:{port}/news"
            with closing(Milvus(address, token="hidden-token")) as client:  # noqa: S106 no secret
                with pytest.raises(EngineLost, match="list: Deadline"):
                    client.call("list", "", lambda c, wait: c.list_collections(timeout=wait), 0.5)
                with pytest.raises(EngineUnusable, match="WENJU_INDEX_TOKEN") as raised:
                    client.call("alias", "", lambda c, wait: c.list_aliases(timeout=wait))
                assert "hidden-token" not in str(raised.value)
        finally:
            slow.stop(None).wait()


def test_deleted_articles_are_found_by_no_process(server: MilvusServer, tmp_path: Path) -> None:
    address = server.database()
    one = milvus.beside_files(tmp_path, address, "", TOKENIZER)
    two = milvus.beside_files(tmp_path, address, "", TOKENIZER)
    try:
        hold(one, some(6))
        query = vectors_of(["问"])[0]
        assert "a0002" in {hit.id[:5] for hit in two.index.open().dense(query, 99)}
        with one.writing(1.0):
            one.corpus.delete("a0002", now=NOW)
            gone, _ = one.behind()
            one.index.commit(remove_groups=gone, model="m")
        assert "a0002" not in {hit.id[:5] for hit in two.index.open().dense(query, 99)}
        assert two.index.verify() == []
    finally:
        one.close()
        two.close()


def test_a_lost_server_is_a_clear_503_and_comes_back(
    tmp_path: Path, cache: Path, server: MilvusServer
) -> None:
    home, address = tmp_path / "home", server.database()
    config = Config(home=home, cache=cache, threads=1, index=address)
    with closing(Pipeline(config, Hashed())) as pipeline:
        for number in (1, 2):
            change(pipeline, "add", number)
    with (
        serving(home, cache, FAKE_SLOW="1", WENJU_INDEX=address, WENJU_QUEUE="9") as (url, _),
        httpx2.Client(base_url=url, timeout=60) as client,
        lost(client, server.kill, server.start),
    ):
        assert client.get("/healthz").status_code == 200
    with closing(Pipeline(config, Hashed())) as pipeline:
        assert set(numbers(pipeline)) == {1, 2}
        assert pipeline.store.verify() == []

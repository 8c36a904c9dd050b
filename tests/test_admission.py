"""The queue: its bound, its order, its deadline, and who is not worked for."""

import threading
import time
from collections.abc import Callable

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from api.admission import ClientGone, Gate, Overloaded, TooLate
from api.work import turn_of
from rag.errors import NotFound


def test_one_more_than_may_wait_is_refused_at_once() -> None:
    gate, go = Gate(1, 2), threading.Event()
    done: list[int] = []

    async def main() -> None:
        async def job(number: int) -> None:
            await gate.run(lambda: (go.wait(20), done.append(number)))

        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(job, number)
                await anyio.sleep(0.01)
            assert gate.inside == 3
            with pytest.raises(Overloaded) as refused:
                await gate.run(lambda: None)
            assert 1 <= refused.value.seconds <= 4
            go.set()
        assert gate.inside == 0

    anyio.run(main)
    assert done == [0, 1, 2]


def test_the_oldest_goes_first_also_between_its_steps() -> None:
    gate = Gate(1, 9)
    done: list[str] = []

    async def main() -> None:
        async def job(name: str) -> None:
            async with gate.place() as place:
                for step in range(3):
                    await place.run(lambda: (time.sleep(0.01), done.append(f"{name}{step}")))  # noqa: B023

        async with anyio.create_task_group() as tasks:
            for name in "abc":
                tasks.start_soon(job, name)
                await anyio.lowlevel.checkpoint()

    anyio.run(main)
    first = [one for one in done if one.endswith("0")]
    assert sorted(done) == [f"{n}{s}" for n in "abc" for s in "012"]
    assert first == ["a0", "b0", "c0"]
    assert done.index("a2") < done.index("c0")


def test_who_waits_too_long_is_told_and_never_worked_for() -> None:
    gate, go = Gate(1, 5, deadline=0.08), threading.Event()
    done: list[int] = []

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gate.run, lambda: go.wait(20))
            await anyio.sleep(0.01)
            with pytest.raises(TooLate):
                await gate.run(lambda: done.append(1))
            assert gate.inside == 1
            go.set()
        await gate.run(lambda: done.append(2))

    anyio.run(main)
    assert done == [2]


def test_for_a_client_that_has_gone_nothing_is_begun() -> None:
    gate = Gate(1, 5)
    done: list[int] = []

    async def gone() -> bool:
        return True

    async def main() -> None:
        with pytest.raises(ClientGone):
            await gate.run(lambda: done.append(1), gone)
        await gate.run(lambda: done.append(2))

    anyio.run(main)
    assert done == [2]


def test_a_turn_that_comes_to_nobody_is_passed_on() -> None:
    gate = Gate(1, 50)
    done: list[int] = []

    async def main() -> None:
        async def job(number: int) -> None:
            with anyio.move_on_after(0.002 * (number % 7)):
                await gate.run(lambda: time.sleep(0.003))

        async with anyio.create_task_group() as tasks:
            for number in range(40):
                tasks.start_soon(job, number)
        with anyio.fail_after(5):
            await gate.run(lambda: done.append(1))
        assert gate.inside == 0

    anyio.run(main)
    assert done == [1]


def test_what_would_wait_too_long_is_refused_at_once() -> None:
    gate, go = Gate(2, 100, deadline=2), threading.Event()
    for _ in range(300):
        gate.note(0.19)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(15):
                gate.check()
                tasks.start_soon(gate.run, lambda: go.wait(20))
                await anyio.lowlevel.checkpoint()
            while gate.inside < 15:
                await anyio.lowlevel.checkpoint()
            assert gate.wait == pytest.approx(1.33)  # 13 wait, 2 are half done, two at a time
            tasks.start_soon(gate.run, lambda: go.wait(20))
            while gate.inside < 16:
                await anyio.lowlevel.checkpoint()
            with pytest.raises(Overloaded) as refused:
                gate.check()
            assert 3 <= refused.value.seconds <= 5  # in 1.5 seconds those ahead are done
            go.set()

    anyio.run(main)
    gate.check()
    assert gate.wait == 0


def test_where_a_turn_is_free_nobody_is_refused_however_long_jobs_took() -> None:
    gate = Gate(1, 0, deadline=1)
    for _ in range(200):
        gate.note(1000)
    assert anyio.run(gate.run, lambda: 7) == 7
    gate.check()


def test_the_estimate_follows_what_jobs_take() -> None:
    gate = Gate(1, 9, deadline=1)
    for _ in range(50):
        gate.note(8.0)

    async def main() -> None:
        for _ in range(150):
            await gate.run(lambda: None)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gate.run, lambda: time.sleep(0.05))
            await anyio.sleep(0.01)
            assert gate.inside == 1
            assert gate.wait < 0.05

    anyio.run(main)


def test_one_slow_job_of_many_has_nobody_refused() -> None:
    gate, go = Gate(1, 9, deadline=1), threading.Event()
    gate.note(60.0)  # a dictionary was loaded

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(gate.run, lambda: go.wait(20))
                await anyio.sleep(0.01)
            gate.check()
            go.set()

    anyio.run(main)


class Caller:
    """A request whose client goes away when it is told to."""

    def __init__(self) -> None:
        self.gone = anyio.Event()

    async def receive(self) -> dict[str, str]:
        await self.gone.wait()
        return {"type": "http.disconnect"}


def test_who_goes_away_leaves_the_queue_at_once_and_ends_what_runs_for_him() -> None:
    gate, go, ended = Gate(1, 5), threading.Event(), threading.Event()
    done: list[int] = []

    def long_job(stop: threading.Event) -> str:
        go.set()
        stop.wait(20)
        ended.set()
        return "cut short"

    async def main() -> None:
        first, second = Caller(), Caller()

        async def ask(caller: Caller, job: Callable[[threading.Event], object]) -> None:
            done.append(await turn_of(job, gate, caller) is None)  # type: ignore[arg-type]

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, first, long_job)
            await anyio.to_thread.run_sync(go.wait, 20)
            tasks.start_soon(ask, second, lambda _: done.append(7))
            while gate.inside < 2:
                await anyio.lowlevel.checkpoint()
            second.gone.set()
            while gate.inside > 1:
                await anyio.lowlevel.checkpoint()
            while not done:
                await anyio.lowlevel.checkpoint()
            assert done == [True]  # nothing was run for the second
            first.gone.set()
            assert await anyio.to_thread.run_sync(ended.wait, 20)
        assert gate.inside == 0

    anyio.run(main)
    assert 7 not in done


def test_what_a_job_raises_is_raised_and_not_as_one_of_a_group() -> None:
    def fails(_: threading.Event) -> None:
        raise NotFound("x")

    async def main() -> None:
        with pytest.raises(NotFound):
            await turn_of(fails, Gate(1, 1), Caller())  # type: ignore[arg-type]
        assert await turn_of(lambda _: 5, Gate(1, 1), Caller()) == 5  # type: ignore[arg-type]

    anyio.run(main)

"""What is added gives way to questions, and gets the same vectors."""

import os
import sys
import threading

import numpy as np
import pytest

from eval.hashed import Hashed
from rag.behind import Behind
from rag.processors import Processors

TEXTS = [f"第{n}座大桥 a{n}" for n in range(21)]


class Told(Hashed):
    """Says on which threads it worked, and with what priority."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[int, int, int]] = []

    def encode_passages(self, texts, progress=None):
        thread = threading.get_native_id()
        self.calls.append((len(texts), thread, os.getpriority(os.PRIO_PROCESS, thread)))
        return super().encode_passages(texts, progress)


def test_vectors_are_the_encoders_and_progress_adds_up() -> None:
    processors, told = Processors(), []
    behind = Behind(Hashed(), processors)
    rows = behind.encode_passages(TEXTS, told.append)
    assert np.array_equal(rows, Hashed().encode_passages(TEXTS))
    assert sum(told) == len(TEXTS)
    assert behind.encode_passages([]).shape == (0, Hashed().dim)
    assert behind.fingerprint == Hashed().fingerprint
    assert behind.count_tokens(["a b"]) == [2]
    assert np.array_equal(behind.encode_queries(TEXTS), Hashed().encode_queries(TEXTS))
    processors.close()


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority on Linux only")
def test_it_works_in_small_parts_at_a_low_priority_and_lowers_nobody_elses() -> None:
    processors, encoder = Processors(), Told()
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    Behind(encoder, processors).encode_passages(TEXTS)
    assert [size for size, _, _ in encoder.calls] == [8, 8, 5]
    assert {nice for _, _, nice in encoder.calls} == {min(19, before + 10)}
    assert threading.get_native_id() not in {thread for _, thread, _ in encoder.calls}
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
    processors.close()


def test_while_questions_come_it_works_at_one_text_at_a_time() -> None:
    processors, encoder = Processors(), Told()
    assert not processors.busy(1000)
    with processors:
        assert processors.busy(0)
    assert processors.busy(1000)
    assert not processors.busy(0)
    Behind(encoder, processors).encode_passages(TEXTS)
    assert [size for size, _, _ in encoder.calls[:5]] == [1] * 5
    assert sum(size for size, _, _ in encoder.calls) == len(TEXTS)
    processors.close()


def test_it_waits_for_questions_at_work_and_not_for_ever() -> None:
    processors, encoder = Processors(), Told()
    behind = Behind(encoder, processors)
    done = threading.Event()

    def add() -> None:
        behind.encode_passages(TEXTS[:4])
        done.set()

    processors.__enter__()
    writer = threading.Thread(target=add)
    writer.start()
    assert not done.wait(0.1)  # the first text may be encoded after 0.2 seconds
    processors.__exit__(None, None, None)
    assert done.wait(20)
    writer.join()
    done.clear()
    with processors:  # a question that never ends
        writer = threading.Thread(target=add)
        writer.start()
        assert done.wait(20)
        writer.join()
    processors.close()


def test_turns_that_others_have_are_counted_also_where_they_run_beside() -> None:
    processors, go, past = Processors(), threading.Event(), threading.Event()
    result = processors.beside(lambda: go.wait(20))

    def wait() -> None:
        processors.give_way(20)
        past.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not past.wait(0.05)
    go.set()
    assert result() is True
    assert past.wait(20)
    waiting.join()
    processors.give_way(20)  # nobody is at work
    processors.close()

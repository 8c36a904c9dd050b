"""What a server's allocator holds and nobody uses is given back (in processes of their own)."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ARENAS = """
import ctypes, sys, threading
from api.memory import keep_level

if not keep_level():
    sys.exit("another C library")
together = threading.Barrier(24)

def work():
    held = [bytes(3000) for _ in range(50)]
    together.wait()

threads = [threading.Thread(target=work) for _ in range(24)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
library = ctypes.CDLL(None)
library.fopen.restype = ctypes.c_void_p
library.malloc_info(0, ctypes.c_void_p(library.fopen(b"/dev/stdout", b"w")))
library.fflush(None)
"""
PAGES = """
import sys, time
from pathlib import Path
from api.memory import keep_level

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

held = [bytes(3000) for _ in range(30_000)]
kept = held[::100]  # so that no end of the heap is free
del held
before = resident()
if not keep_level(0.05):
    sys.exit("another C library")
until = time.monotonic() + 60
while resident() > before - 40 and time.monotonic() < until:
    time.sleep(0.05)
print(before - resident())
"""


def said(source: str) -> str:
    if sys.platform != "linux":
        pytest.skip("the system's allocator is another")
    done = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True,
                          timeout=120, check=False)  # fmt: skip
    if "another C library" in done.stderr:
        pytest.skip("the system's allocator is another")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_many_threads_share_few_arenas() -> None:
    assert 1 <= said(ARENAS).count("<heap nr=") <= 2


def test_free_pages_between_used_ones_are_given_back() -> None:
    assert int(said(PAGES)) >= 40  # of 90 MiB

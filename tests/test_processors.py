"""How a process shares its processors."""

from __future__ import annotations

import subprocess
import sys

_SCRIPT = """
import sys
from threadpoolctl import threadpool_info
from rag.processors import SWITCH_SECONDS, share
import numpy as np
np.ones((64, 64)) @ np.ones((64, 64))
share()
print([one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"])
print(sys.getswitchinterval() == SWITCH_SECONDS)
"""


def test_a_process_that_shares_works_its_products_out_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True, timeout=120
    )
    threads, soon = done.stdout.splitlines()
    assert set(threads.strip("[]").split(", ")) == {"1"}
    assert soon == "True"

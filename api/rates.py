"""How often somebody may ask: so many requests a minute, at once or one after the other.

Each request moves the time until which its sender's minute is used up; who would move it more than
a minute ahead waits (the generic cell rate algorithm: ITU-T I.371; one number a sender). The clock
is one that does not jump when the system's is set.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

MINUTE = 60.0
"""Seconds."""

_MOST = 100_000
"""Senders that are remembered: those who asked least are forgotten first, if so many come."""


class Rates:
    """Requests a minute of keys and of addresses.

    Args:
        per_key: requests a minute of one key; 0 for any number.
        per_address: of one address without a valid key.
        clock: seconds from any moment on.
    """

    def __init__(
        self, per_key: int, per_address: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._numbers = {"key": per_key, "address": per_address}
        self._clock = clock
        self._used: dict[tuple[str, str], float] = {}

    def wait(self, kind: str, who: str) -> int | None:
        """Seconds to wait before the next request, or None where this one may pass; it is counted.

        Args:
            kind: "key" or "address".
            who: the key's id, or the address.
        """
        number = self._numbers[kind]
        if not number:
            return None
        now = self._clock()
        used = max(now, self._used.get((kind, who), now)) + MINUTE / number
        ahead = used - now - MINUTE
        if ahead > MINUTE / number / 1000:  # not by what adding up fractions leaves
            return max(1, math.ceil(ahead))
        self._used[kind, who] = used
        if len(self._used) > _MOST:
            self._forget(now)
        return None

    def _forget(self, now: float) -> None:
        """Those who may ask as if they never had, and of the others those who asked least."""
        left = [(used, sender) for sender, used in self._used.items() if used > now]
        left.sort(reverse=True)
        self._used = {sender: used for used, sender in left[: _MOST // 2]}

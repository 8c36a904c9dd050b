"""No regular expression may take longer than its text is long, but for a factor."""

import re

from patterns import anchored, hostile, patterns, seconds

_SHORT, _LONG = 500, 4000  # characters
_WORTH = 0.003  # seconds: what takes less cannot be told from chance, nor hurt anybody
_MOST = 20.0  # times as long, for eight times the text; what is quadratic takes 64 times


def _times(pattern: re.Pattern[str], short: str, long: str, *, first: bool) -> float:
    """How much longer the long text takes; 0 where that is quick."""
    taken = seconds(pattern, long, first=first)
    if taken < _WORTH:
        return 0.0
    taken = min(taken, *(seconds(pattern, long, first=first) for _ in range(3)))
    before = min(seconds(pattern, short, first=first) for _ in range(5))
    return taken / before if taken >= _WORTH else 0.0


def test_every_pattern_is_linear():
    found, _ = patterns()
    from_first = anchored()
    assert len(found) > 300
    assert 30 < len(from_first) < len(found) / 2
    bad, seen = [], set()
    for place, pattern in found.items():
        first = bool({place, pattern.pattern} & from_first)
        if (pattern, first) in seen:
            continue
        seen.add((pattern, first))
        for short, long in zip(hostile(pattern, _SHORT), hostile(pattern, _LONG), strict=True):
            if _times(pattern, short, long, first=first) > _MOST:
                times = max(_times(pattern, short, long, first=first) for _ in range(2))
                if times > _MOST:
                    bad.append(f"{place}: {times:.0f} times for {long[:8]!r}")
                    break
    assert bad == []


def test_what_is_not_linear_is_found():
    short, long = "a" * _SHORT + "\0", "a" * _LONG + "\0"
    quadratic = re.compile("a+b")
    assert _times(quadratic, short, long, first=False) > _MOST
    assert _times(quadratic, short, long, first=True) < _MOST
    assert _times(re.compile("(?<!a)a+b"), short, long, first=False) < _MOST


def test_patterns_made_at_run_time_are_known():
    """Where one is put together of what somebody sends, it must be escaped and named here."""
    _, unknown = patterns()
    modules = {place.partition(":")[0] for place in unknown}
    assert modules == {
        "index.pieces", "index.strings", "index.tokens", "rag.across", "rag.answer",
        "rag.converse", "rag.heads", "rag.mentions", "rag.overlap", "rag.pronouns",
        "rag.quantities", "rag.readers.decode", "rag.readers.markdown", "rag.readers.matter",
    }  # fmt: skip

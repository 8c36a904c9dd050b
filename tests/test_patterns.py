"""No regular expression may take much longer than its text is long."""

import statistics

from patterns import hostile, patterns, seconds

_SHORT, _LONG = 150, 600  # characters
_ALLOWED = 0.1  # seconds


def test_no_pattern_explodes():
    """Four times the text may take sixteen times as long, not sixty-four.

    Some patterns are quadratic; they look at a question or at one line of a head, which are short.
    """
    found, _ = patterns()
    assert len(found) > 300
    bad = []
    for place, pattern in found.items():
        for short, long in zip(hostile(pattern, _SHORT), hostile(pattern, _LONG), strict=True):
            taken = seconds(pattern, long)
            if taken < _ALLOWED:
                continue
            taken = min(taken, *(seconds(pattern, long) for _ in range(3)))
            before = statistics.median(seconds(pattern, short) for _ in range(5))
            if taken >= _ALLOWED and taken > 32 * before:
                bad.append(f"{place}: {taken * 1000:.0f} ms for {long[:8]!r}, {taken / before:.0f}")
    assert bad == []


def test_patterns_made_at_run_time_are_known():
    """Where one is put together of what somebody sends, it must be escaped and named here."""
    _, unknown = patterns()
    modules = {place.partition(":")[0] for place in unknown}
    assert modules == {
        "index.strings", "index.tokens", "rag.across", "rag.converse", "rag.heads",
        "rag.mentions", "rag.overlap", "rag.pronouns", "rag.quantities", "rag.readers.decode",
        "rag.readers.markdown", "rag.readers.matter",
    }  # fmt: skip

"""Text to sentences, in Chinese and English and in text that mixes them.

Own rules, because nothing that is kept up serves both: pysbd is no longer maintained, statistical
splitters know English only or need a model, and most give strings where Wenju needs places.
One pass finds the places where a sentence may end; each is decided by a look at a bounded number of
characters around it, so the time is linear whatever the text.
"""

from __future__ import annotations

import re

from rag.types import Span

_PAIRS = {"“": "”", "‘": "’", "「": "」", "『": "』", "（": "）", "(": ")", "《": "》", "〈": "〉",
          "【": "】", "[": "]", "〔": "〕"}  # fmt: skip
_OPENER_OF = {close: opener for opener, close in _PAIRS.items()}
_QUOTES = frozenset('“‘「『"')
_LONGEST_PAIR = 200  # code points; a longer quotation is a text of its own and is cut inside
_STOPS = "。！？!?｡．"
_CLOSERS = "”’」』）)】》〉〕]\"'"
_CANDIDATE = re.compile(r"[。！？!?｡．；;\n]|\.+|…+")
_STOP_RUN = re.compile(f"[{_STOPS}…；;.]*")
_CLOSER_RUN = re.compile(f"[{re.escape(_CLOSERS)}]*")
_BRACKET = re.compile(r"[“”‘’「」『』（）()《》〈〉【】\[\]〔〕\"\n]")
_BLANKS = re.compile(r"\s*")
_SPEAKER = re.compile(  # "……。”他说" goes on, "……。”他走了" does not
    r"[^，。！？；：,.!?;:\n“「]{0,15}(?:说|道|表示|指出|称|介绍|认为|强调|回忆|坦言|问|喊|告诉|解释|"
    r"說|稱|介紹|認為|強調|回憶|問|告訴|解釋)(?!明)"
)
_WORD_BEFORE = re.compile(r"(?<![A-Za-z])(?<![A-Za-z]\.)[A-Za-z](?:[A-Za-z]|\.(?=[A-Za-z]))*\Z")
_NUMBER_BEFORE = re.compile(r"(?:^|[\s(（])\d{1,3}\Z")


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Never the end of a sentence.
_TITLES = _words(
    "mr mrs ms dr prof gen sen rep gov lt col sgt capt cmdr maj rev hon pres st mt messrs mme "
    "e.g i.e vs cf viz al approx est fig figs eq sec ch vol pp ed eds supt insp"
)
# Not the end before a number.
_BEFORE_NUMBERS = _words("no nos art p para jan feb mar apr jun jul aug sep sept oct nov dec c ca")
# The end only where the next word looks like the beginning of a sentence.
_MAYBE = _words(
    "inc ltd co corp jr sr etc a.m p.m u.s u.k u.n e.u u.s.a ph.d m.d b.a m.a bros dept univ "
    "assn ave blvd rd mon tue tues wed thu thur thurs fri sat sun d.c p.r.c jan feb mar apr "
    "jun jul aug sep sept oct nov dec ft"
)
_STARTERS = _words(
    "the a an in on at he she it they we i you this that these those but and however "
    "meanwhile for since after before when while as if to by from with there his her its "
    "their our my some many most all no not one two both each every so then thus yet or also "
    "according under over during despite although though because what who why how where which "
    "more last next new now"
)


def split_sentences(text: str, *, semicolons: bool = False) -> list[Span]:
    """Cut a text into sentences.

    A sentence ends at 。！？ …… ! ? and at a full stop that is not part of an abbreviation, a
    number, an initial, an address or a numbering; closing quotes and brackets belong to it, and so
    do the blanks after it. A line end always ends a sentence. Inside quotes and brackets of at
    most 200 characters nothing is cut; a quotation that ends with its own stop ends the sentence
    too, unless the speaker follows (“好！”他说).

    Args:
        text: any text.
        semicolons: whether ； and ; end a sentence too.

    Returns:
        Consecutive spans in code points that cover every character of `text`; none for "".
    """
    ends = [at for at in _ends(text, semicolons) if at < len(text)]
    starts = [0, *ends]
    return [Span(a, b) for a, b in zip(starts, [*ends, len(text)], strict=True) if a < b]


def _ends(text: str, semicolons: bool) -> list[int]:
    """Where sentences end, in order; blanks after a sentence are before its end."""
    shelter = _pairs(text)
    ends: list[int] = []
    last = 0  # the sentence being read starts here
    at = 0
    outer = 0  # index into shelter
    while found := _CANDIDATE.search(text, at):
        at = found.end()
        mark = found[0][0]
        if mark == "\n":
            last = _run_end(_BLANKS, text, at)
            ends.append(last)
            at = max(at, last)
            continue
        if mark in "；;" and not semicolons:
            continue
        stop = _run_end(_STOP_RUN, text, at)
        while outer < len(shelter) and shelter[outer][1] <= found.start():
            outer += 1
        inside = outer < len(shelter) and shelter[outer][0] < found.start()
        close = _run_end(_CLOSER_RUN, text, stop)
        if inside:
            opener, closer = shelter[outer]
            if not stop <= closer < close:
                at = max(at, stop)
                continue
            if not _pair_ends(text, opener, closer, last, text[found.start() : stop]):
                at = closer + 1
                continue
            close = closer + 1
        elif not _stands(text, found.start(), stop, close, last):
            at = max(at, stop)
            continue
        last = _run_end(_BLANKS, text, close)
        ends.append(last)
        at = max(at, last)
    return ends


def _pairs(text: str) -> list[tuple[int, int]]:
    """The outermost pairs of quotes or brackets of bounded length, by the places of both, in order.

    A pair does not cross a line end; a straight quote opens one after a blank or a wide character.
    """
    waiting: dict[str, list[int]] = {opener: [] for opener in (*_PAIRS, '"')}
    found: list[tuple[int, int]] = []
    for match in _BRACKET.finditer(text):
        ch, at = match[0], match.start()
        if ch == "\n":
            for places in waiting.values():
                places.clear()
        elif waiting[_OPENER_OF.get(ch, ch)] and (ch in _OPENER_OF or _closes(ch, text, at)):
            found.append((waiting[_OPENER_OF.get(ch, ch)].pop(), at))
        elif ch in _PAIRS:
            waiting[ch].append(at)
        elif ch == '"':
            waiting[ch] = [at] if _opens(text, at) else []
    outermost: list[tuple[int, int]] = []
    for opener, closer in sorted(p for p in found if p[1] - p[0] <= _LONGEST_PAIR):
        if not outermost or opener > outermost[-1][1]:
            outermost.append((opener, closer))
    return outermost


def _opens(text: str, at: int) -> bool:
    """Whether the straight quote at `at` can open: before it a blank, a bracket or a wide one."""
    return at == 0 or text[at - 1] in " \t([-" or _is_wide(text[at - 1])


def _closes(ch: str, text: str, at: int) -> bool:
    """Whether the straight quote at `at` can close: not between a blank and a word."""
    return ch == '"' and not (text[at - 1].isspace() and not text[at + 1 : at + 2].isspace())


def _run_end(run: re.Pattern[str], text: str, at: int) -> int:
    """The end of what `run`, which matches nothing too, matches at `at`."""
    found = run.match(text, at)
    return found.end() if found else at


def _pair_ends(text: str, opener: int, closer: int, last: int, stops: str) -> bool:
    """Whether the sentence ends with a pair whose content ends with a stop."""
    ahead = text[closer + 1 : closer + 40]
    following = ahead.lstrip()
    if following[:1] in tuple("，、；：,;:。！？!?）)》」』”"):
        return False
    whole = not text[last:opener].strip()
    if text[opener] not in _QUOTES:
        return whole and text[opener] in "（(【["
    if not following or "\n" in ahead[: len(ahead) - len(following)]:
        return True
    if following[0].islower():
        return False
    if text[opener] == '"' or following[0].isascii():
        return ahead[0].isspace() or not following[0].isalnum() or whole
    if _SPEAKER.match(following):
        return not whole and text[opener - 1] in "：，:,"
    introduced = whole or text[opener - 1] in "：，:,"
    return introduced or "。" in stops


def _stands(text: str, start: int, stop: int, close: int, last: int) -> bool:
    """Whether the stop at `start` … `stop` outside of any pair ends its sentence."""
    following = text[close : close + 1]
    marks = text[start:stop]
    if not following:
        return True
    if any(ch in "。！？｡；" for ch in marks):
        return following not in "，、"
    if marks[0] == "…":
        return _ellipsis_ends(text, start, close, last)
    if marks[0] == "．":
        return not following.isdigit()
    ahead = text[close : close + 40].lstrip()
    spaced = following.isspace()
    if any(ch in "!?;" for ch in marks):
        return (spaced and not ahead[:1].islower()) or _is_wide(following)
    if _is_wide(following):
        return not (text[start - 1 : start].isascii() and following in "，、；：）》”")
    if not spaced or not ahead:
        return spaced
    if ahead[0].islower():
        return False
    return len(marks) > 1 or _full_stop_ends(text, start, ahead, last)


def _ellipsis_ends(text: str, start: int, close: int, last: int) -> bool:
    """…… ends a sentence unless it breaks off a list (甲、乙……等) or a stammer (我……我)."""
    following = text[close]
    if following in "，、；：,;:" or following == text[start - 1 : start]:
        return False
    if following in "等都也就却卻还還而但" or following.islower():
        return False
    clause = re.split("[，。；：,;:]", text[max(last, start - 40) : start])[-1]
    return "、" not in clause and len(clause.strip()) > 2


def _full_stop_ends(text: str, at: int, ahead: str, last: int) -> bool:
    """Whether a single "." with a blank and no small letter after it ends its sentence."""
    before = text[max(last, at - 40) : at]
    if _NUMBER_BEFORE.search(before) and not before[: -len(before.split()[-1])].strip():
        return False  # "1. ", alone at the beginning
    found = _WORD_BEFORE.search(before)
    if not found:
        return True
    word = found[0].lower()
    first = re.match(r"[\"“'‘(]*([A-Za-z]+|\d)", ahead)
    next_word = first[1].lower() if first else ""
    if word in _TITLES:
        return False
    if word in _BEFORE_NUMBERS and next_word.isdigit():
        return False
    if len(found[0]) == 1 and found[0].isupper():
        return found[0] == "I" and bool(before[: found.start()].strip())
    if word in _MAYBE or re.fullmatch(r"(?:[a-z]\.)+[a-z]", word):
        return next_word in _STARTERS or not next_word
    return True


def _is_wide(ch: str) -> bool:
    return "\u2e80" <= ch <= "\u9fff" or "\u3000" <= ch <= "\u303f" or "\uff00" <= ch <= "\uffef"


def sentences(text: str) -> list[str]:
    """A text's sentences without the blanks around them; blank ones are left out."""
    return [s for span in split_sentences(text) if (s := span.of(text).strip())]

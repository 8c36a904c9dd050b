"""Bytes to canonical text: which encoding, which line ends, which characters are left out.

Valid UTF-8 always wins. charset-normalizer tells most encodings apart well, but not GB18030 from
Big5: nearly every pair of bytes is a character in both. What differs is how common the characters
are, so the two (and a nearly valid UTF-8) are judged by how many of the decoded characters are
among the few hundred that make up two thirds of running Chinese text.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from charset_normalizer import from_bytes

from rag.errors import UnreadableFile

_SAMPLE = 200_000  # bytes that decide; more would not change the decision
_MARKS = 32  # combining marks kept in one run; normalising longer runs costs their square
_ENOUGH = 0.2  # share of frequent characters; Chinese text has .4 to .7, a wrong guess under .1
_REPLACED = 0.01  # share of bytes that may be spoilt in a file that is still read

# Roughly the 250 commonest characters of Chinese news, in both scripts.
_FREQUENT = frozenset(
    "的一在人中国國了为為大日有和年行发發上是不动動时時月生文会會公业業市新成家作对對出区區地来來到全以工多进進部个個正"
    "等于於能方民开開法力分这這用现現通下将將学學高要后後员員场場者资資元前展安同务務经經实實们們报報关關长長过過合理体體"
    "主车車机機自与與化提金本表事道电電交产產加美示水建子他网網内內保更据據可心重我期任活及面小次查海其入天定目司度社万萬"
    "也间間当當题題信外名点點之台持量并並品政平记記设設被队隊应應明利此最情原联聯好看数數比得强強服近性就还還责責向位已计計"
    "运運标標回管所受共局院相至制流该該特物收第系省科布都式息基南路解源手起某推接增意消调調导導股西案三总總门門说說从從"
    "续續程传傳组組两兩广廣指山里线線委军軍支创創价價投件级級今商村而立问問集技众眾着著企代规規因参參升达達但城求无無步"
    "治口果户戶专專议議世由使最帶带没沒什么麼吗嗎很再又只把让讓想如何去她給给或者各特每几幾十二四五六七八九百千"
    "，。、：；！？“”《》（）「」　"
)

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAVE = "save it as UTF-8 text and add it again"
_NEW_LINE = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# C0 and C1 controls, and characters that nobody sees: soft hyphen, zero-width space and no-break
# space, word joiner, direction overrides.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069]"
)
_CONTROL_BYTES = bytes(b for b in range(32) if b not in b"\t\n\v\f\r\x1a\x1b")


@dataclass(frozen=True, slots=True)
class Decoded:
    r"""A file's text.

    Attributes:
        text: NFC, lines parted by \n, without byte order mark and control characters.
        encoding: Python's name of the encoding.
        notices: what was left out or replaced, for a person to read.
    """

    text: str
    encoding: str
    notices: tuple[str, ...] = ()


def decode(name: str, data: bytes) -> Decoded:
    """Decode a file and make its text canonical.

    Raises:
        UnreadableFile: `data` is not text in an encoding that is known.
    """
    raw, encoding, replaced, guessed = _to_text(name, data)
    text, dropped = clean(raw)
    notices = []
    if guessed:
        notices.append(f"the encoding was guessed to be {encoding}; check the text")
    if replaced:
        notices.append(
            f"{replaced} bytes are not {encoding} and were read as U+FFFD; check the file"
        )
    if dropped:
        notices.append(f"{dropped} control or invisible characters were left out")
    return Decoded(text, encoding, tuple(notices))


def clean(text: str) -> tuple[str, int]:
    r"""Make text canonical: line ends \n, NFC, nothing invisible.

    Returns:
        The text, and how many characters were left out (a byte order mark is not counted).
    """
    text = _NEW_LINE.sub("\n", text.removeprefix("\ufeff"))
    text, dropped = _UNSEEN.subn("", text)
    if not text.isascii():
        marks, runs = _mark_runs()
        if not marks.isdisjoint(text):  # told sixty times faster than the runs are looked for
            kept = runs.sub(lambda run: run[0][:_MARKS], text)
            dropped += len(text) - len(kept)
            text = kept
        text = unicodedata.normalize("NFC", text)
    return text, dropped


@cache
def _mark_runs() -> tuple[frozenset[str], re.Pattern[str]]:
    """The combining marks, and a pattern of too many of them in a row."""
    marks = "".join(chr(c) for c in range(0x300, 0x20000) if unicodedata.combining(chr(c)))
    return frozenset(marks), re.compile(f"[{marks}]{{{_MARKS + 1},}}")


def _to_text(name: str, data: bytes) -> tuple[str, str, int, bool]:
    """The text, the encoding, how many bytes were spoilt, and whether it is only a guess."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            try:
                return data.decode(encoding), encoding, 0, False
            except UnicodeDecodeError as error:
                raise UnreadableFile(
                    name, f"begins like {encoding} but byte {error.start} is not; {_SAVE}"
                ) from error
    if b"\0" in data:
        raise UnreadableFile(name, f"is not text (it holds NUL bytes); {_SAVE}")
    controls = len(data) - len(data.translate(None, _CONTROL_BYTES))
    if controls > len(data) / 100:
        raise UnreadableFile(name, f"is not text ({controls} control characters); {_SAVE}")
    try:
        return data.decode("utf-8"), "utf-8", 0, False
    except UnicodeDecodeError:
        return _legacy(name, data)


def _legacy(name: str, data: bytes) -> tuple[str, str, int, bool]:
    sample = data[:_SAMPLE]
    scored = [(_familiar(sample, e), e) for e in ("utf-8", "gb18030", "big5hkscs", "cp950")]
    score, encoding = max(scored, key=lambda s: s[0])
    guessed = score < _ENOUGH
    if guessed:
        match = from_bytes(sample).best()
        if match is None:
            raise UnreadableFile(name, f"is not text in a known encoding; {_SAVE}")
        encoding = match.encoding
    try:
        return data.decode(encoding), encoding, 0, guessed
    except UnicodeDecodeError:
        text = data.decode(encoding, "replace")
        replaced = text.count("\ufffd")
        if replaced > 1 and replaced > _REPLACED * len(data):
            raise UnreadableFile(
                name, f"is not text in a known encoding ({encoding} fits best); {_SAVE}"
            ) from None
        return text, encoding, replaced, guessed


def _familiar(sample: bytes, encoding: str) -> float:
    """The share of frequent Chinese characters among those outside ASCII, 0 to 1.

    A byte that cannot be decoded counts as ten unfamiliar characters.
    """
    text = re.sub("[\x00-\x7f]+", "", sample.decode(encoding, "replace"))
    if not text:
        return 0.0
    spoilt = text.count("\ufffd")
    return sum(1 for ch in text if ch in _FREQUENT) / (len(text) + 9 * spoilt)

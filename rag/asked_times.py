"""Times that a question names by when it is asked: 去年底, 上个月, "last year".

They are counted from where the reader stands: the day of asking, or `Filters.as_of`. Two cases are
left to what the texts say themselves:

- Archives are often old, and who asks about 去年 over pages of 2023 may mean the pages' own 去年.
  So where the newest article searched is older than the time meant, that time counted from the
  newest article will do as well, and so will the same expression in any article. An archive that
  reaches the time meant is one that the reader lives with: there the same words in an article of
  another year mean another year.
- An article without a date leaves open what its 去年 is: it will do, too.

It moves only passages that fit about as well as the best (`rag.retrieve.CLOSE`), for it may still
not be the time meant; and what would be refused is answered as if it were not there. A question
that names a date outright counts from it (2023年比上年增长多少): see `rag.exact`. Spans like 近三年
are not resolved, since nearly all that a living archive holds falls within them; of 今年上半年 the
year is.
"""

from __future__ import annotations

from dataclasses import dataclass

from rag.dates import Date, Relative, names_date, relatives, tells_date


@dataclass(frozen=True, slots=True)
class Stand:
    """Where the reader of an archive stands.

    Attributes:
        day: of asking, ISO, as precise as it is known.
        newest: the date of the newest article searched, ISO, or None where none is dated.
    """

    day: str
    newest: str | None = None


@dataclass(frozen=True, slots=True)
class Time:
    """A time that a question names.

    Attributes:
        dates: a text that speaks of any of them holds it.
        said: how the question names it, None where it does so outright.
        anywhere: whether a text that names it in the same way holds it whenever it was printed.
    """

    dates: tuple[Date, ...]
    said: Relative | None = None
    anywhere: bool = False

    def held(self, folded: str, published: str | None) -> bool:
        """Whether a text speaks of it; arguments as for `holds_date`."""
        if any(names_date(date, folded) for date in self.dates):
            return True
        told = relatives(folded)
        if any(tells_date(date, told, published) for date in self.dates):
            return True
        if self.said not in told:
            return False
        return self.anywhere or not published or self.said.spoken(published) is None


def asked_times(folded: str, stand: Stand) -> tuple[Time, ...]:
    """The times that a folded question names by when it is asked, each once."""
    return tuple(_resolved(said, stand) for said in relatives(folded))


def _resolved(said: Relative, stand: Stand) -> Time:
    meant = said.spoken(stand.day)
    if meant is None:
        return Time((), said, anywhere=True)
    if stand.newest is None or _reaches(stand.newest, said, meant, stand.day):
        return Time((meant,), said)
    own = said.spoken(stand.newest)
    return Time(tuple(dict.fromkeys(d for d in (meant, own) if d)), said, anywhere=True)


def _reaches(newest: str, said: Relative, meant: Date, day: str) -> bool:
    """Whether an archive has articles of the time meant, or of the day of asking if that is first.

    Years are compared with years, months with months.
    """
    if said.unit == "year":
        return int(newest[:4]) >= min(meant.year, int(day[:4]))
    return newest[:7] >= min(f"{meant.year:04}-{meant.month:02}", day[:7])

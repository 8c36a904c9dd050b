"""Question sets in SQuAD's format: SQuAD 1 and 2, XQuAD, CMRC 2018, DRCD."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from eval.cases import UNANSWERABLE, Case, Proof
from eval.errors import BadSet
from eval.fields import Fields, Wrong, shown
from eval.gold import parsed, read_bytes
from rag.language import is_traditional, language_of

Asked = TypeVar("Asked")
_SEED = 2018  # of every sub-sample, so that two runs ask the same questions


@dataclass(frozen=True, slots=True)
class SquadArticle:
    """An article of such a set: its title ("" when it has none) and its paragraphs."""

    title: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SquadQuestion:
    """One question.

    Attributes:
        question: may be empty, as one of a published set is; asking it fails, and is counted.
        answers: accepted answers; () for one that its paragraph does not answer.
        paragraph: the text of the paragraph that it was asked on.
    """

    id: str
    question: str
    answers: tuple[str, ...]
    paragraph: str


@dataclass(frozen=True, slots=True)
class SquadSet:
    """A whole set.

    Attributes:
        name: the file's name without its ending.
        digest: SHA-256 of the file, hexadecimal.
    """

    name: str
    digest: str
    articles: tuple[SquadArticle, ...]
    questions: tuple[SquadQuestion, ...]


def load_squad(path: Path) -> SquadSet:
    """Read and check a set.

    Raises:
        BadSet: it cannot be read, holds no questions, or something in it is wrong; the error names
            the place as in data[3].paragraphs[0].qas[2].
    """
    data = read_bytes(path)
    value = parsed(path, data)
    if not isinstance(value, dict):
        raise BadSet(path, 'it is not in SQuAD\'s format, an object with "data"')
    articles: list[SquadArticle] = []
    questions: dict[str, SquadQuestion] = {}
    where = "data"
    try:
        for number, entry in enumerate(Fields(value).objects("data")):
            where = f"data[{number}]"
            paragraphs: list[str] = []
            for place, paragraph in enumerate(entry.objects("paragraphs")):
                where = f"data[{number}].paragraphs[{place}]"
                text = paragraph.text("context")
                paragraphs.append(text)
                for at, asked in enumerate(paragraph.objects("qas")):
                    where = f"data[{number}].paragraphs[{place}].qas[{at}]"
                    question = _question(asked, text)
                    if question.id in questions:
                        raise Wrong(f"the id {question.id!r} was used before")
                    questions[question.id] = question
            articles.append(SquadArticle(_title(entry), tuple(paragraphs)))
    except Wrong as wrong:
        raise BadSet(path, f"{where}: {wrong}") from None
    if not questions:
        raise BadSet(path, "it holds no questions")
    digest = hashlib.sha256(data).hexdigest()
    return SquadSet(path.stem, digest, tuple(articles), tuple(questions.values()))


def _title(entry: Fields) -> str:
    title = entry.values.get("title", "")
    return title if isinstance(title, str) else ""


def _question(asked: Fields, paragraph: str) -> SquadQuestion:
    impossible = asked.truth("is_impossible")
    answers = tuple(dict.fromkeys(a.text("text") for a in asked.objects("answers")))
    if not impossible and not answers:
        raise Wrong("a question that is not is_impossible needs answers")
    question = asked.values.get("question")
    if not isinstance(question, str):
        raise Wrong(f"question must be a text, not {shown(question)}")
    return SquadQuestion(asked.text("id"), question, () if impossible else answers, paragraph)


def crossed(asked: SquadSet, searched: SquadSet) -> SquadSet:
    """The questions of one set over the paragraphs of another, matched by shared ids.

    Accepted are the answers of both languages. Questions that only one of the sets has are left
    out; the caller sees from the counts how many.

    Returns:
        Empty of questions when the sets share none.
    """
    there: Mapping[str, SquadQuestion] = {q.id: q for q in searched.questions}
    questions = tuple(
        replace(
            q,
            answers=tuple(dict.fromkeys(q.answers + there[q.id].answers)),
            paragraph=there[q.id].paragraph,
        )
        for q in asked.questions
        if q.id in there and bool(q.answers) == bool(there[q.id].answers)
    )
    return replace(searched, questions=questions)


def mixed(first: SquadSet, second: SquadSet) -> list[SquadSet]:
    """Both languages of a parallel set in one archive, each paragraph in one language only.

    Every other article is in the first set's language, the rest in the second's; an archive of
    two languages is harder than a crossing, since every question meets paragraphs of its own.

    Returns:
        Four sets over the same paragraphs, named "questions → paragraphs, mixed": the questions of
        either set whose own paragraph is of either set. None when the sets share no ids.
    """
    kept = {p for article in first.articles[::2] for p in article.paragraphs}
    one, two = ({q.id: q for q in s.questions} for s in (first, second))
    homes = {
        key: first if one[key].paragraph in kept else second for key in one.keys() & two.keys()
    }
    own = {key: (one if home is first else two)[key].paragraph for key, home in homes.items()}
    wanted = set(own.values())
    articles = tuple(
        SquadArticle(article.title, held)
        for article in (*first.articles, *second.articles)
        if (held := tuple(p for p in article.paragraphs if p in wanted))
    )
    digest = hashlib.sha256(f"{first.digest}{second.digest}".encode()).hexdigest()
    found: list[SquadSet] = []
    for asked in (first, second):
        for home in (first, second):
            questions = tuple(
                replace(
                    q,
                    answers=tuple(dict.fromkeys(one[q.id].answers + two[q.id].answers)),
                    paragraph=own[q.id],
                )
                for q in asked.questions
                if homes.get(q.id) is home
            )
            name = f"{asked.name} → {home.name}, mixed"
            found.append(SquadSet(name, digest, articles, questions))
    return [s for s in found if s.questions]


def sample(questions: tuple[Asked, ...], count: int | None) -> tuple[Asked, ...]:
    """At most so many of the questions, in their order; the same ones every time."""
    if count is None or count >= len(questions):
        return questions
    chosen = sorted(random.Random(_SEED).sample(range(len(questions)), count))  # noqa: S311 no secret
    return tuple(questions[i] for i in chosen)


def language_tag(question: str) -> str:
    """The language of a question as cases have it: "zh", "zh-Hant" or "en"."""
    language = language_of(question)
    return "zh-Hant" if language == "zh" and is_traditional(question) else language


def case_of(question: SquadQuestion, label: str) -> Case:
    """The question as a case whose evidence is its whole paragraph."""
    language = language_tag(question.question)
    if not question.answers:
        return Case(question.id, question.question, language, UNANSWERABLE, ())
    return Case(
        question.id,
        question.question,
        language,
        "factoid",
        question.answers,
        articles=(label,),
        evidence=(Proof(label, 0, question.paragraph),),
    )

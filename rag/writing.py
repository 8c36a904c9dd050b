"""An answer in a language model's words: prompted, streamed, taken apart and checked.

Whatever goes wrong, the extractive draft stays and the reader is told why.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Generator as Yields
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from index.tokens import fold
from rag import prompts, support
from rag.config import ModelServer
from rag.generate import GenerationFailed, Generator
from rag.language import language_of
from rag.numerals import values
from rag.question import Wanted, analyse
from rag.types import Draft, Evidence, Turn

logger = logging.getLogger(__name__)

REWRITE_TOKENS = 96
REWRITE_SHARE = 0.25
"""The share of the model's time that making a follow-up stand alone may take."""

_THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL)
SHORT_FOLLOW_UP = 24
"""Characters of a question up to which it may point back in a way that the rules do not see."""

_REASONS = {
    "zh": {
        "slow": "没有及时回答",
        "gone": "无法连接",
        "limited": "请求过多",
        "refused": "拒绝了请求",
        "nonsense": "的回答无法读取",
        "cut": "的回答中断了",
        "unproved": "的回答没有一句能在档案中得到证实",
        "beside": "没有回答所问的数字或时间",
    },
    "en": {
        "slow": "did not answer in time",
        "gone": "could not be reached",
        "limited": "is taking no more requests",
        "refused": "refused the request",
        "nonsense": "gave an answer that cannot be read",
        "cut": "broke off in its answer",
        "unproved": "gave no sentence that the archive proves",
        "beside": "did not give the figure or the time asked for",
    },
}
_FELL_BACK = {
    "zh": "语言模型{why}，这里改为直接摘录原文。",
    "en": "The language model {why}; the answer is quoted from the articles instead.",
}
_UNPROVED = {
    "zh": "有{count}句话未能在档案中得到证实，已作标记。",
    "en": "Sentences that the archive does not prove, and that are marked so: {count}.",
}
_REMOVED = {
    "zh": "去掉了{count}个指向不存在的材料的引用标记。",
    "en": "Markers of passages that do not exist, taken out: {count}.",
}


@dataclass(frozen=True, slots=True)
class Written:
    """What came of asking a language model.

    Attributes:
        draft: in its words; None: it failed, the extractive draft stands.
        unproved: see `support.Checked.unproved`.
        notices: what the reader should know, in the question's language.
        streamed: whether unchecked text was shown.
    """

    draft: Draft | None
    unproved: frozenset[int] = frozenset()
    notices: tuple[str, ...] = ()
    streamed: bool = False


def suits(draft: Draft) -> bool:
    """Whether a draft may be put into a model's words.

    A refusal stays a refusal; what articles' heads tell, and figures that contradict each other,
    are said by rule.
    """
    return draft.status in ("answered", "partial") and all(
        c.evidence is not None for c in draft.claims
    )


@dataclass(frozen=True, slots=True)
class Writer:
    """A language model at work on one question.

    Attributes:
        generator: the model.
        server: its limits.
        until: the moment of `time.monotonic()` at which all that is asked of it must end.
    """

    generator: Generator
    server: ModelServer
    until: float

    def write(
        self, question: str, quoted: Draft, evidence: Sequence[Evidence], language: str, most: int
    ) -> Yields[str, None, Written]:
        """Have a question answered.

        Args:
            question: that stands alone.
            quoted: the extractive draft.
            evidence: the passages, best first.
            language: "zh" or "en", of the question.
            most: passages to offer beside those that the extractive draft quotes.

        Yields:
            Pieces of the unchecked text, their markers brought to [n].

        Returns:
            The checked draft, or why there is none.
        """
        # The passages that the rules quote come first: they must be within the budget.
        first = [c.evidence for c in quoted.claims if c.evidence is not None]
        order = list(dict.fromkeys([*first, *range(min(most, len(evidence)))]))
        prompt = prompts.answer_prompt(
            question,
            [evidence[i] for i in order],
            language=language,
            budget=self.server.context - self.server.reply,
        )
        offered = order[: prompt.offered]
        logger.info("asking the language model", extra={"tokens": prompt.tokens})
        markers, text = support.Markers(len(offered)), ""
        try:
            pieces = self.generator.generate(
                prompt.messages, tokens=self.server.reply, until=self.until
            )
            with closing(pieces):
                for piece in pieces:
                    sure = markers.feed(piece)
                    text += sure
                    if sure:
                        yield sure
        except GenerationFailed as failed:
            return _fallen_back(failed.reason, language, streamed=bool(text))
        text += markers.end()
        checked = support.check(text, [evidence[i] for i in offered])
        if _says_nothing(text, language) or len(checked.unproved) == len(checked.claims):
            return _fallen_back("unproved", language, streamed=bool(text))
        if not _tells(checked, question, language):
            return _fallen_back("beside", language, streamed=bool(text))
        return _written(quoted, checked, offered, markers.unknown, language)

    def stand_alone(self, question: str, by_rules: str, history: Sequence[Turn]) -> str:
        """A follow-up made to stand alone, where what the model says can be trusted.

        Args:
            question: as it was asked.
            by_rules: what the rules made of it.
            history: earlier turns, oldest first.

        Returns:
            The model's rewriting if it adds no number and hardly a word that was not spoken of;
            else `by_rules`. A long question that the rules leave alone is not sent.
        """
        if not history or (by_rules == question and len(question) > SHORT_FOLLOW_UP):
            return by_rules
        prompt = prompts.rewrite_prompt(question, history, language=language_of(question))
        if prompt.tokens > self.server.context - REWRITE_TOKENS:
            return by_rules
        now = time.monotonic()
        soon = now + (self.until - now) * REWRITE_SHARE
        try:
            pieces = self.generator.generate(prompt.messages, tokens=REWRITE_TOKENS, until=soon)
            said = "".join(pieces)
        except GenerationFailed as failed:
            logger.warning("follow-up rewritten by rule", extra={"reason": failed.reason})
            return by_rules
        said = _THOUGHT.sub("", said).strip().strip('"“”')
        known = " ".join([question, by_rules, *(f"{t.question} {t.answer}" for t in history)])
        return said if _trusted(said, question, known) else by_rules


def _written(
    quoted: Draft, checked: support.Checked, offered: Sequence[int], unknown: int, language: str
) -> Written:
    claims = tuple(
        c if c.evidence is None else replace(c, evidence=offered[c.evidence])
        for c in checked.claims
    )
    said = fold(" ".join(c.text for i, c in enumerate(claims) if i not in checked.unproved))
    short = (
        quoted.short_answer if quoted.short_answer and fold(quoted.short_answer) in said else None
    )
    notices: list[str] = []
    if checked.unproved:
        notices.append(_UNPROVED[language].format(count=len(checked.unproved)))
    if unknown:
        notices.append(_REMOVED[language].format(count=unknown))
    logger.info(
        "language model answered",
        extra={
            "sentences": len(claims),
            "unproved": len(checked.unproved),
            "moved": checked.moved,
            "repeated": checked.repeated,
            "unknown_markers": unknown,
        },
    )
    return Written(
        Draft(claims, short, quoted.short_sure, status=quoted.status),
        checked.unproved,
        tuple(notices),
        streamed=True,
    )


def _tells(checked: support.Checked, question: str, language: str) -> bool:
    """Whether a proved sentence holds a number where one is asked for (how many, when)."""
    if analyse(question, fold, language).wanted not in (Wanted.NUMBER, Wanted.TIME):
        return True
    proved = [c.text for i, c in enumerate(checked.claims) if i not in checked.unproved]
    return not values(" ".join(proved)) <= values(question)


def _says_nothing(text: str, language: str) -> bool:
    plain = re.sub(r"\W+", "", fold(text))
    return not plain or plain.startswith(re.sub(r"\W+", "", fold(prompts.NO_ANSWER[language])))


def _fallen_back(reason: str, language: str, *, streamed: bool) -> Written:
    logger.warning("fell back to quotes", extra={"reason": reason})
    why = _REASONS[language].get(reason, _REASONS[language]["nonsense"])
    return Written(None, notices=(_FELL_BACK[language].format(why=why),), streamed=streamed)


def fell_back(notices: Sequence[str]) -> str | None:
    """Why an answer is quoted that a language model should have worded; None where it is not so.

    Args:
        notices: of the answer.

    Returns:
        "slow", "gone", "limited", "refused", "nonsense", "cut", "unproved" or "beside".
    """
    return next((reason for notice, reason in _told().items() if notice in notices), None)


def _told() -> dict[str, str]:
    """The sentences that say why, and what each means."""
    return {
        _FELL_BACK[language].format(why=why): reason
        for language, reasons in _REASONS.items()
        for reason, why in reasons.items()
    }


def _trusted(said: str, question: str, known: str) -> bool:
    """Whether a rewriting is one question in the same language, made of what was spoken of."""
    if not said or "\n" in said or len(said) > 3 * len(question) + 80:
        return False
    if language_of(said) != language_of(question) or not values(said) <= values(known):
        return False
    return _spoken_of(fold(said), fold(known))


def _spoken_of(said: str, known: str) -> bool:
    """At most a quarter of the wording is new: asking words and particles."""
    words = re.findall(r"[a-z]{4,}|[\u3400-\u9fff]{2}", said)
    new = [w for w in words if w not in known]
    return len(new) <= max(2, len(words) // 4)

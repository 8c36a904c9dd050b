"""What the command line prints for people: tables, answers, pages and progress bars."""

from __future__ import annotations

import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rag.types import Answer, Article, Block, BlockKind, Evidence, FileReport

if TYPE_CHECKING:
    from api.doctor import Finding
    from rag.page_report import Explanation

_WORDS = {
    "zh": {"paragraph": "第{n}段", "head": "署名", "quote": "“{q}”", "stop": "、"},
    "en": {"paragraph": "paragraph {n}", "head": "byline", "quote": "“{q}”", "stop": ", "},
}
_MARKS = {
    "added": "+",
    "replaced": "~",
    "unchanged": "=",
    "skipped": "-",
    "failed": "!",
    "gone": "?",
    "removed": "×",
}


def _fill(text: str, indent: str = "") -> str:
    """Wrap to the terminal; a Chinese character is two columns wide and breaks anywhere."""
    width = min(shutil.get_terminal_size().columns, 100) - len(indent)
    lines: list[str] = []
    for paragraph in text.splitlines():
        if not any(unicodedata.east_asian_width(c) in "WF" for c in paragraph):
            lines += textwrap.wrap(paragraph, max(width, 20)) or [""]
            continue
        line, used = "", 0
        for char in paragraph:
            wide = 2 if unicodedata.east_asian_width(char) in "WF" else 1
            if used + wide > width and char not in "，。、；：？！”’）》】…":
                lines.append(line)
                line, used = "", 0
            line += char
            used += wide
        lines.append(line)
    return "\n".join(indent + line for line in lines)


def _credit(article: Article, paragraph: int | None, language: str) -> str:
    words = _WORDS[language]
    place = words["head"] if paragraph is None else words["paragraph"].format(n=paragraph + 1)
    name = f"《{article.name}》" if language == "zh" else f"“{article.name}”"
    facts = [words["stop"].join(article.authors), article.source, article.published, article.page]
    return " · ".join([name, *(f for f in facts if f), place])


def show_answer(answer: Answer) -> None:
    """Print an answer and its proofs."""
    if answer.standalone_question != answer.question:
        print(_fill(f"({answer.standalone_question})"))
    print(_fill(answer.text))
    for notice in answer.notices:
        print(_fill(notice))
    seen: set[int] = set()
    for citation in answer.citations:
        if citation.number in seen:
            continue
        seen.add(citation.number)
        language = answer.language
        print(f"\n[{citation.number}] {_credit(citation.article, citation.paragraph, language)}")
        print(_fill(_WORDS[language]["quote"].format(q=citation.quote), "    "))
        print(f"    {citation.support.value} · {citation.article.id}")
    if answer.status == "no_evidence":
        coverage = answer.coverage
        dates = f", {coverage.earliest} – {coverage.latest}" if coverage.earliest else ""
        print(f"\n({coverage.searched_passages:,} passages searched{dates})")
        for evidence in answer.evidence[:3]:
            credit = _credit(evidence.article, evidence.passage.paragraph, answer.language)
            print(f"  {evidence.rank}. {credit}")


def show_evidence(evidence: Sequence[Evidence]) -> None:
    """Print ranked passages."""
    if not evidence:
        print("The archive holds no passage for this; `wenju add PATH` adds articles.")
    for e in evidence:
        signals = ", ".join(f"{k} {v:.3f}" for k, v in sorted(e.signals.items()))
        print(f"{e.rank}. {_credit(e.article, e.passage.paragraph, e.article.language)}")
        print(f"    score {e.score:.3f} ({signals}) · {e.passage.id}")
        print(_fill(e.passage.text, "    "))


def show_reports(reports: Sequence[FileReport]) -> None:
    """Print what became of each file, and the sum."""
    for r in reports:
        what = r.reason or f"{len(r.articles) + r.more} articles, {r.passages} passages"
        stream = sys.stderr if r.outcome == "failed" else sys.stdout
        print(f"{_MARKS[r.outcome]} {r.outcome:9} {r.uri}: {what}", file=stream)
        for notice in r.notices:
            print(f"            {notice}")
    counts = {name: sum(r.outcome == name for r in reports) for name in _MARKS}
    total = ", ".join(f"{n} {name}" for name, n in counts.items() if n) or "no file found"
    articles = {i for r in reports for i in r.articles if r.outcome != "removed"}
    count = len(articles) + sum(r.more for r in reports)
    print(f"{total}; {count} articles, {sum(r.passages for r in reports)} passages")


def show_articles(articles: Sequence[Article], total: int) -> None:
    """Print a list of articles."""
    for a in articles:
        facts = [a.published or "no date", a.source, "、".join(a.authors)]
        print(f"{a.id}  {a.name}  " + " · ".join(f for f in facts if f))
    if total > len(articles):
        print(f"… and {total - len(articles):,} more; --limit or --query shows others")
    elif not total:
        print("The archive is empty; `wenju add PATH` adds articles.")


def show_page(path: Path, articles: Sequence[Article]) -> None:
    """Print a page's articles; ⁞ marks a joint where a column break was closed."""
    print(f"{path}: {sum(bool(a.paragraphs) for a in articles)} articles")
    for number, article in enumerate(articles, 1):
        title = article.title or "(no title printed)"
        print(f"\n{'─' * 60}\n{number}. {title if article.paragraphs else '(unplaced pieces)'}")
        for label, values in (("by", article.authors), ("at", article.affiliations)):
            if values:
                print(f"   {label} {'、'.join(values)}")
        for block in article.blocks:
            if block.kind in (BlockKind.TITLE, BlockKind.BYLINE, BlockKind.AFFILIATION):
                continue
            label = "" if block.kind is BlockKind.BODY else f"[{block.kind.value}] "
            print("\n" + _fill(label + _with_joints(article, block), "   "))


def show_explanation(explanation: Explanation) -> None:
    """Print how a file was taken, and why each of its pieces stands where it was put."""
    print(f"\n{'═' * 60}\nTaken for: {explanation.kind} ({explanation.why})")
    for j in explanation.joints:
        place = f"piece {j.piece + 1}, article {j.article + 1}"
        if j.follows is None:
            print(f"\n{place}: begins it: {j.after}…")
        else:
            mark = "⁞" if j.joined else "¶"
            print(f"\n{place}, after piece {j.follows + 1}: …{j.before}{mark}{j.after}…")
        dropped = f", dropped “{j.dropped}”" if j.dropped else ""
        print(f"    confidence {j.confidence:.2f}{dropped}")
        for reason in j.reasons:
            print(f"    {reason}")
        for name, share in j.others[:2]:
            print(f"    or ({share:.2f}): {name}")


def _with_joints(article: Article, block: Block) -> str:
    text, last = "", block.span.start
    for joint in block.joints:
        text += article.text[last : joint.at] + "⁞"
        last = joint.at
    return text + article.text[last : block.span.end]


def show_findings(findings: Sequence[Finding]) -> None:
    """Print what the doctor found."""
    for f in findings:
        print(f"{'ok ' if f.good else 'BAD'} {f.name}: {f.text}")
        if f.advice:
            print(f"      {f.advice}")

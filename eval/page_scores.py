"""How well broken pages come out whole.

    python -m eval.page_scores PAGES [--json] [--out DIR]

PAGES holds `page-iii.txt` with its truth in `page-iii.json` (as `eval.make_pages` writes them;
without its "pieces" the successor score is left out). All scores are shares, 0 to 1, higher is
better:

    paragraph_f1   paragraphs whose text is exact, white space aside; one that is cut at a sentence
                   end (`soft_breaks`) is right whole or in those pieces
    attribution    characters of the body, by sentences, that stand under the right authors
    titles         articles with the right title (none, where none was printed)
    authors        articles with the right authors
    successors     pieces of the body that follow the piece they should, in their article
    joins          joints that were closed and should have been (precision)
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from rag.pages import articles
from rag.readers import read_path
from rag.types import Article, Document


def squash(text: str | None) -> str:
    """A text without white space."""
    return re.sub(r"\s+", "", text or "")


def contract(found: Sequence[Article]) -> dict[str, Any]:
    """Articles with a body as `wenju pages --json` prints them."""
    return {
        "articles": [
            {
                "title": a.title,
                "authors": list(a.authors),
                "affiliations": list(a.affiliations),
                "paragraphs": [b.span.of(a.text) for b in a.paragraphs],
            }
            for a in found
            if a.paragraphs
        ]
    }


def score(gold: Mapping[str, Any], system: Mapping[str, Any]) -> Counter[str]:
    """Counts of one page, to be summed over pages and divided by `shares`."""
    found = Counter(squash(p) for a in system["articles"] for p in a["paragraphs"])
    true: Counter[str] = Counter()
    for article in gold["articles"]:
        for index, paragraph in enumerate(article["paragraphs"]):
            true.update(_acceptable(article, index, paragraph, found))
    counts = Counter(
        hit=sum((true & found).values()), true=sum(true.values()), found=sum(found.values())
    )
    by_authors: dict[frozenset[str], list[Mapping[str, Any]]] = {}
    for article in system["articles"]:
        by_authors.setdefault(frozenset(map(squash, article["authors"])), []).append(article)
    for article in gold["articles"]:
        mine = by_authors.get(frozenset(map(squash, article["authors"])), [])
        text = "".join(squash(p) for a in mine for p in a["paragraphs"])
        for paragraph in article["paragraphs"]:
            for sentence in filter(None, re.split(r"(?<=[。！？；])", squash(paragraph))):
                counts["characters"] += len(sentence)
                counts["placed"] += len(sentence) if sentence in text else 0
        counts["articles"] += 1
        counts["authors"] += bool(mine)
        counts["titles"] += any(squash(a["title"]) == squash(article["title"]) for a in mine)
    return counts


def _acceptable(
    article: Mapping[str, Any], index: int, paragraph: str, found: Counter[str]
) -> list[str]:
    """The true paragraph, or its pieces where it was cut at sentence ends and left so."""
    breaks = sorted(at for number, at in article.get("soft_breaks", []) if number == index)
    bounds = [0, *breaks, len(paragraph)]
    pieces = [squash(paragraph[a:b]) for a, b in pairwise(bounds)]
    if breaks and squash(paragraph) not in found and all(p in found for p in pieces):
        return pieces
    return [squash(paragraph)]


def joints(document: Document, found: Sequence[Article], gold: Mapping[str, Any]) -> Counter[str]:
    """Counts of right successors and right joints, by where pieces stand in the file."""
    labels = gold["pieces"]
    starts = [p.parts[0].source.start for p in document.pieces]
    if len(labels) != len(starts):
        return Counter()
    piece_at = {start: i for i, start in enumerate(starts)}
    piece_at |= {start + 1: i for i, start in enumerate(starts)}  # the first one left out
    true: dict[int, int | None] = {}
    last: dict[int, int] = {}
    for piece, label in enumerate(labels):
        if label["role"] == "body":
            true[piece] = last.get(label["article"])
            last[label["article"]] = piece
    counts: Counter[str] = Counter(pieces=len(true))
    for article in found:
        before: int | None = None
        for block in article.paragraphs:
            for part in block.parts:
                piece = piece_at.get(part.source.start, -1)
                if piece < 0:
                    continue
                joined = part.start > block.span.start
                counts["followed"] += piece in true and true[piece] == before
                counts["joined"] += joined
                same = piece in true and true[piece] == before and labels[piece]["start"] > 0
                counts["rightly_joined"] += joined and same
                before = piece
    return counts


def shares(counts: Mapping[str, int]) -> dict[str, float]:
    """The scores from summed counts."""

    def share(part: str, whole: str) -> float:
        return round(counts[part] / counts[whole], 4) if counts.get(whole) else 0.0

    precision, recall = share("hit", "found"), share("hit", "true")
    result = {
        "pages": float(counts["pages"]),
        "perfect": float(counts["perfect"]),
        "paragraph_f1": round(2 * precision * recall / max(1e-9, precision + recall), 4),
        "attribution": share("placed", "characters"),
        "titles": share("titles", "articles"),
        "authors": share("authors", "articles"),
    }
    if counts.get("pieces"):
        result |= {
            "successors": share("followed", "pieces"),
            "joins": share("rightly_joined", "joined"),
        }
    return result | {"seconds_a_page": round(counts["microseconds"] / counts["pages"] / 1e6, 3)}


def main() -> None:
    """Score a folder and print the scores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path, help="write what was found, one file a page")
    options = parser.parse_args()
    total: Counter[str] = Counter()
    failed: list[str] = []
    for path in sorted(options.pages.glob("*.json")):
        gold = json.loads(path.read_text(encoding="utf-8"))
        document = read_path(path.with_suffix(".txt"))
        begun = time.perf_counter()
        found = articles(document, kind="page")
        total["microseconds"] += round((time.perf_counter() - begun) * 1e6)
        system = contract(found)
        counts = score(gold, system)
        perfect = counts["hit"] == counts["true"] == counts["found"]
        perfect = perfect and counts["titles"] == counts["articles"]
        total.update(counts, pages=1, perfect=int(perfect))
        if "pieces" in gold:
            total.update(joints(document, found, gold))
        if not perfect:
            failed.append(path.stem)
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            text = json.dumps(system, ensure_ascii=False, indent=1)
            (options.out / path.name).write_text(text, encoding="utf-8")
    result = shares(total)
    if options.json:
        print(json.dumps(result | {"failed": failed}))
    else:
        print(" ".join(f"{name} {value:g}" for name, value in result.items()))
        print("not perfect:", " ".join(failed) or "none")


if __name__ == "__main__":
    main()

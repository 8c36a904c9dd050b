"""The same articles written as files of every format, for tests."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from html import escape
from pathlib import Path

SAMPLES = Path(__file__).resolve().parent.parent / "articles"


@dataclass(frozen=True)
class Sample:
    """An article as it should come out of every file."""

    name: str
    title: str
    authors: tuple[str, ...]
    published: str
    paragraphs: tuple[str, ...]

    @property
    def chinese(self) -> bool:
        return not self.title.isascii()

    @property
    def byline(self) -> str:
        """As newspapers print it."""
        if self.chinese:
            return "本报记者 " + " ".join(self.authors)
        return "By " + " and ".join(self.authors)

    @property
    def dateline(self) -> str:
        year, month, day = self.published.split("-")
        return f"{year}年{int(month)}月{int(day)}日" if self.chinese else self.published

    @property
    def lines(self) -> tuple[str, ...]:
        """What a file without metadata prints."""
        return (self.title, self.byline, self.dateline, *self.paragraphs)


def sample(name: str) -> Sample:
    """One of the sample articles."""
    text = (SAMPLES / f"{name}.md").read_text("utf-8")
    _, matter, body = re.split(r"(?m)^---\n", text, maxsplit=2)
    said = dict(re.findall(r"(?m)^(\w+): (.*)$", matter))
    paragraphs = tuple(p.strip() for p in body.split("\n\n") if p.strip())
    assert not any(p.startswith("#") for p in paragraphs)
    authors = tuple(a.strip() for a in said["authors"].strip("[]").split(","))
    return Sample(name, said["title"], authors, said["date"], paragraphs)


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def matter(s: Sample) -> str:
    authors = "、".join(s.authors) if s.chinese else "; ".join(s.authors)
    return f"---\ntitle: {s.title}\nauthors: {authors}\ndate: {s.published}\n---\n\n"


def text(s: Sample) -> bytes:
    return (matter(s) + "\n\n".join(s.paragraphs) + "\n").encode()


def page(s: Sample) -> bytes:
    body = "".join(f"<p>{escape(p)}</p>" for p in s.paragraphs)
    return (
        f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>{escape(s.title)}</title>'
        f'<meta name="author" content="{"、".join(s.authors)}">'
        f'<meta property="article:published_time" content="{s.published}T08:00:00+08:00"></head>'
        '<body><nav><a href="/">首页</a></nav>'
        f"<article><h1>{escape(s.title)}</h1>{body}</article>"
        "<footer>版权所有</footer></body></html>"
    ).encode()


def printed(s: Sample) -> str:
    """HTML to be printed to a PDF."""
    body = "".join(f"<p>{escape(line)}</p>" for line in s.lines[1:])
    style = "@page{size:A4;margin:25mm} body{font:11pt/1.6 'Noto Serif CJK SC'} p{text-indent:2em}"
    return f'<meta charset="utf-8"><style>{style}</style><h1>{escape(s.title)}</h1>{body}'


def docx(s: Sample) -> bytes:
    import docx as library

    made = library.Document()
    made.add_heading(s.title, 0)
    for line in s.lines[1:]:
        made.add_paragraph(line)
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def odt(s: Sample) -> bytes:
    names = "urn:oasis:names:tc:opendocument:xmlns"
    body = "".join(f"<text:p>{escape(line)}</text:p>" for line in s.lines[1:])
    content = (
        f'<?xml version="1.0"?><o:document-content xmlns:o="{names}:office:1.0" '
        f'xmlns:text="{names}:text:1.0"><o:body><o:text><text:p text:style-name="Title">'
        f"{escape(s.title)}</text:p>{body}</o:text></o:body></o:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.text"
    return zipped({"mimetype": kind, "content.xml": content})


def rtf(s: Sample) -> bytes:
    def coded(line: str) -> str:
        units = line.encode("utf-16-le")
        numbers = [int.from_bytes(units[i : i + 2], "little") for i in range(0, len(units), 2)]
        return "".join(chr(n) if n < 128 else f"\\u{n - 65536 * (n > 32767)}?" for n in numbers)

    return ("{\\rtf1\\ansi " + "\\par ".join(map(coded, s.lines)) + "\\par}").encode("ascii")


def epub(samples: Sequence[Sample]) -> bytes:
    names = [f"c{n}" for n in range(len(samples))]
    items = "".join(f'<item id="{n}" href="{n}.xhtml"/>' for n in names)
    spine = "".join(f'<itemref idref="{n}"/>' for n in names)
    files: dict[str, str | bytes] = {
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="p.opf"/>'
        "</rootfiles></container>",
        "p.opf": '<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        f"<dc:title>文据月刊</dc:title></metadata><manifest>{items}</manifest>"
        f"<spine>{spine}</spine></package>",
    }
    for name, s in zip(names, samples, strict=True):
        body = "".join(f"<p>{escape(line)}</p>" for line in s.lines[1:])
        files[f"{name}.xhtml"] = (
            '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml">'
            f"<head><title>x</title></head><body><h1>{escape(s.title)}</h1>{body}</body></html>"
        )
    return zipped(files)


def records(samples: Sequence[Sample]) -> list[dict[str, object]]:
    return [
        {"title": s.title, "authors": list(s.authors), "date": s.published,
         "paragraphs": list(s.paragraphs)}
        for s in samples
    ]  # fmt: skip


def table(samples: Sequence[Sample]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["标题", "作者", "日期", "正文"])
    for s in samples:
        writer.writerow([s.title, "、".join(s.authors), s.published, "\n\n".join(s.paragraphs)])
    return buffer.getvalue().encode()


def feed(samples: Sequence[Sample]) -> bytes:
    items = ""
    for s in samples:
        when = format_datetime(datetime.fromisoformat(s.published + "T08:00:00+08:00"))
        body = escape("".join(f"<p>{escape(p)}</p>" for p in s.paragraphs))
        items += (
            f"<item><title>{escape(s.title)}</title><guid>{s.name}</guid><pubDate>{when}</pubDate>"
            f"<dc:creator>{'、'.join(s.authors)}</dc:creator><description>{body}</description></item>"
        )
    head = '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" '
    names = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'
    return f"{head}{names}><channel><title>文据样报</title>{items}</channel></rss>".encode()


EACH: Mapping[str, Callable[[Sample], bytes]] = {
    "txt": text, "md": text, "html": page, "docx": docx, "odt": odt, "rtf": rtf,
}  # fmt: skip
"""Formats with a file for each article."""

ALL: Mapping[str, Callable[[Sequence[Sample]], bytes]] = {
    "epub": epub,
    "csv": table,
    "json": lambda samples: json.dumps(records(samples), ensure_ascii=False).encode(),
    "jsonl": lambda samples: "\n".join(
        json.dumps(r, ensure_ascii=False) for r in records(samples)
    ).encode(),
    "rss": feed,
    "zip": lambda samples: zipped({f"文章/{s.name}.txt": text(s) for s in samples}),
}
"""Formats with one file of all articles."""

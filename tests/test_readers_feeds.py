"""Feeds and sitemaps: entries are articles, pages beside a map are read, the rest is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag import pages
from rag.errors import UnreadableFile
from rag.readers import read_bytes, read_every, read_path, read_upload
from rag.types import Article, BlockKind, Document

FIRST = "重庆市发展和改革委员会日前表示，今年以来全市新能源汽车产量保持增长。"
SECOND = "成渝地区双城经济圈建设走深走实，一批重点项目陆续开工。"
RSS = f"""<?xml version="1.0" encoding="CHARSET"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>文据日报</title>
<item><title>新能源汽车产量增长</title><link>https://wenju.example/1.html</link><guid>n-1</guid>
<dc:creator>谭书遥、贺一川</dc:creator><pubDate>Mon, 20 May 2024 08:00:00 +0800</pubDate>
<category>经济</category><description>产量增长……</description>
<content:encoded><![CDATA[<p>{FIRST}</p><p>成渝地区双城经济圈建设<br/>走深走实，一批重点项目陆续开工。</p>]]>
</content:encoded></item>
<item><title>双城</title><guid>n-2</guid><pubDate>Tue, 21 May 2024 23:30:00 +0800</pubDate>
<description>{SECOND}</description></item>
<item><title>没有正文</title><guid>n-3</guid></item></channel></rss>"""
ATOM = f"""<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom">
<title>Wenju Daily</title><entry><title type="html">Ports &amp;amp; corridors</title><id>urn:a</id>
<link href="https://wenju.example/a"/><author><name>Alice Ford</name></author>
<updated>2024-05-20T08:00:00+08:00</updated>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><h2>项目</h2><p>{FIRST}</p></div>
</content></entry></feed>"""


def read(name: str, data: bytes) -> tuple[list[Article], list[Document]]:
    documents = [d for d in read_upload(name, data) if isinstance(d, Document)]
    for document in documents:
        for piece in document.pieces:
            for part in piece.parts:
                shown = piece.text[part.start : part.start + len(part.source)]
                assert shown == part.source.of(document.text)
    return [pages.articles(d)[0] for d in documents], documents


def body(article: Article) -> list[str]:
    return [p.span.of(article.text) for p in article.paragraphs]


@pytest.mark.parametrize("charset", ["utf-8", "gb2312"])
@pytest.mark.parametrize("name", ["feed.xml", "feed.rss"])
def test_the_entries_of_a_feed_are_articles(name, charset):
    (first, second), documents = read(name, RSS.replace("CHARSET", charset).encode(charset))
    assert [d.uri for d in documents] == [f"{name}#n-1", f"{name}#n-2"]
    assert (first.title, first.authors) == ("新能源汽车产量增长", ("谭书遥", "贺一川"))
    assert (first.published, first.source, first.section) == ("2024-05-20", "文据日报", "经济")
    assert first.url == "https://wenju.example/1.html"
    assert body(first) == [FIRST, SECOND]
    assert (second.title, second.published, body(second)) == ("双城", "2024-05-21", [SECOND])
    assert documents[0].metadata["notices"] == (
        "1 entries without text were left out", "of 1 entries only the summary is there",
    )  # fmt: skip


def test_atom_gives_titles_and_headings():
    (article,), _ = read("a.atom", ATOM.encode())
    assert (article.title, article.authors) == ("Ports & corridors", ("Alice Ford",))
    assert (article.published, article.source) == ("2024-05-20", "Wenju Daily")
    assert article.first(BlockKind.HEADING).span.of(article.text) == "项目"
    assert body(article)[-1] == FIRST


def test_a_feed_that_broke_off_gives_what_came():
    whole = RSS.replace("CHARSET", "utf-8")
    articles, documents = read("feed.xml", whole[: whole.index("</item>") + 40].encode())
    assert body(articles[0]) == [FIRST, SECOND]
    assert "not well formed" in documents[0].metadata["notices"][0]


def test_entries_of_the_same_id_are_kept_apart():
    _, documents = read("f.rss", RSS.replace("CHARSET", "utf-8").replace("n-2", "n-1").encode())
    assert [d.uri for d in documents] == ["f.rss#n-1", "f.rss#2"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"<svg><text>x</text></svg>", "another kind"),
        (b'<rss: vers\0\3ion="2.0"><channel[', "another kind .<rss:>."),  # no name, and let pass
        (b"\0\1\2", "no XML"),
        (b"no xml", "no XML"),
        (b"<rss><channel/></rss>", "no entry with text"),
        (b"<urlset><url><loc>http://x/a.html</loc></url></urlset>", "on disk"),
        (b"<urlset><url>", "damaged sitemap"),
    ],
)
def test_other_xml_is_told(data, why):
    with pytest.raises(UnreadableFile, match=why):
        read_bytes("a.xml", data)


def test_entities_of_a_feed_are_not_expanded(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    laughs = "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    head = f'<!DOCTYPE rss [<!ENTITY a "哈哈哈哈"><!ENTITY s SYSTEM "{secret.as_uri()}">{laughs}]>'
    data = f"{head}<rss><channel><item><title>甲</title><description>{FIRST}&s;&i;"
    data += "</description></item></channel></rss>"
    articles, _ = read("bomb.xml", data.encode())
    assert FIRST in articles[0].text
    assert len(articles[0].text) < 200
    assert "SECRET" not in articles[0].text


def site(folder: Path, *addresses: str) -> Path:
    for place in ("news/1.html", "news/index.html", "note.txt"):
        path = folder / "site" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"<h1>标题{place}</h1><p>{FIRST}</p>" if "html" in place else SECOND)
    (folder / "outside.txt").write_text("SECRET")
    (folder / "site" / "link.txt").symlink_to(folder / "outside.txt")
    listed = "".join(f"<url><loc>{a}</loc></url>" for a in addresses)
    path = folder / "site" / "sitemap.xml"
    path.write_text(
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{listed}</urlset>'
    )
    return path


def test_a_sitemap_leads_to_the_pages_beside_it(tmp_path):
    path = site(
        tmp_path,
        "https://wenju.example/news/1.html?from=map",
        "https://wenju.example/copy/note.txt",
        "https://wenju.example/news/",
        "https://wenju.example/news/1",
        "https://wenju.example/gone.html",
        "https://wenju.example/../outside.txt",
        "https://wenju.example/%2e%2e/outside.txt",
        "https://wenju.example/link.txt",
    )
    found = list(read_every(path))
    assert [Path(d.uri).relative_to(path.parent).as_posix() for d in found] == [
        "news/1.html", "note.txt", "news/index.html",
    ]  # fmt: skip
    (told,) = (n for n in found[0].metadata["notices"] if "beside" in n)
    assert told.startswith("of 8 pages that it names 4 do not lie beside it (https://wenju.exam")
    assert told.endswith("; nothing is fetched")


def test_a_sitemap_of_pages_elsewhere_is_told(tmp_path):
    path = site(tmp_path, "https://wenju.example/gone.html")
    with pytest.raises(UnreadableFile, match="of 1 pages that it names 1 do not lie beside it"):
        read_path(path)

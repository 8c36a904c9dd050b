"""Word, OpenDocument, RTF and EPUB files: the same article in each; bombs and broken ones."""

from __future__ import annotations

import io
import zipfile
from html import escape

import pytest

from rag import pages
from rag.errors import UnreadableFile
from rag.readers import SUFFIXES, read_bytes, read_upload
from rag.types import BlockKind, Document

TITLE, BYLINE = "新能源汽车产量增长", "本报记者 谭书遥 贺一川"
FIRST = "重庆市发展和改革委员会日前表示，今年以来全市新能源汽车产量保持增长。"
SECOND = "成渝地区双城经济圈建设走深走实，一批重点项目陆续开工。"
HEADING, ROW = "项目开工", "2023 | 50万辆"


def zipped(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def as_docx() -> bytes:
    import docx

    made = docx.Document()
    made.core_properties.title, made.core_properties.author = "模板", "admin"
    made.add_heading(TITLE, 0)
    made.add_paragraph(BYLINE)
    made.add_paragraph(FIRST)
    made.add_heading(HEADING, 1)
    made.add_paragraph(SECOND)
    cells = made.add_table(1, 2).rows[0].cells
    cells[0].text, cells[1].text = ROW.split(" | ")
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


def odt(body: str, before: str = "") -> bytes:
    names = "urn:oasis:names:tc:opendocument:xmlns"
    content = (
        f'<?xml version="1.0"?>{before}<o:document-content xmlns:o="{names}:office:1.0" '
        f'xmlns:text="{names}:text:1.0" xmlns:table="{names}:table:1.0"><o:body><o:text>{body}'
        "</o:text></o:body></o:document-content>"
    )
    return zipped(**{"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content})


def as_odt() -> bytes:
    cells = "".join(
        f"<table:table-cell><text:p>{c}</text:p></table:table-cell>" for c in ROW.split(" | ")
    )
    return odt(
        f'<text:p text:style-name="Title">{TITLE}</text:p>'
        f"<text:p>本报记者<text:s/>谭书遥<text:s/>贺一川</text:p><text:p>{FIRST}</text:p>"
        f'<text:h text:outline-level="1">{HEADING}</text:h>'
        f"<text:p>{SECOND[:9]}<text:span>{SECOND[9:]}</text:span></text:p>"
        f"<table:table><table:table-row>{cells}</table:table-row></table:table>"
    )


def epub(*chapters: str) -> bytes:
    items = "".join(f'<item id="c{n}" href="c%20{n}.xhtml"/>' for n in range(len(chapters)))
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    files = {
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="E/p.opf"/>'
        "</rootfiles></container>",
        "E/p.opf": '<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        "<dc:title>文据月刊</dc:title><dc:date>2024-05-20</dc:date></metadata>"
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>",
    }
    for number, chapter in enumerate(chapters):
        files[f"E/c {number}.xhtml"] = (
            '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml">'
            f"<head><title>x</title></head><body>{chapter}</body></html>"
        )
    return zipped(**files)


def as_epub() -> bytes:
    cells = "".join(f"<td>{c}</td>" for c in ROW.split(" | "))
    return epub(
        f"<h1>{TITLE}</h1><p>{BYLINE}</p><p>{FIRST}</p><h2>{HEADING}</h2><p>{SECOND}</p>"
        f"<table><tr>{cells}</tr></table>"
    )


def as_rtf() -> bytes:
    def coded(text: str) -> str:
        return "".join(
            c if c.isascii() else f"\\u{ord(c) - (ord(c) > 32767) * 65536}?" for c in text
        )

    rows = (TITLE, BYLINE, FIRST, SECOND)
    return ("{\\rtf1\\ansi " + "\\par ".join(map(coded, rows)) + "\\par}").encode("ascii")


def check_places(document: Document) -> None:
    for piece in document.pieces:
        for part in piece.parts:
            shown = piece.text[part.start : part.start + len(part.source)]
            assert shown == part.source.of(document.text)


@pytest.mark.parametrize(
    ("name", "make"), [("a.docx", as_docx), ("a.odt", as_odt), ("a.epub", as_epub)]
)
def test_an_article_is_the_same_in_each_format(name, make):
    (document,) = read_upload(name, make())
    assert isinstance(document, Document)
    check_places(document)
    (article,) = pages.articles(document)
    assert (article.title, article.authors) == (TITLE, ("谭书遥", "贺一川"))
    assert article.first(BlockKind.HEADING).span.of(article.text) == HEADING
    body = [p.span.of(article.text) for p in article.paragraphs]
    assert "".join(body).replace(" | ", "") == FIRST + SECOND + ROW.replace(" | ", "")
    assert body[:2] == [FIRST, SECOND]


def test_rtf_gives_its_text():
    document = read_bytes("a.rtf", as_rtf())
    assert [p.text for p in document.pieces] == [TITLE, BYLINE, FIRST, SECOND]
    (article,) = pages.articles(document)
    assert (article.title, article.authors) == (TITLE, ("谭书遥", "贺一川"))


def test_the_chapters_of_a_book_are_documents():
    found = list(read_upload("b.epub", epub(f"<h2>一</h2><p>{FIRST}</p>", "", f"<p>{SECOND}</p>")))
    assert [d.uri for d in found] == ["b.epub#chapter=1", "b.epub#chapter=3"]
    articles = [pages.articles(d)[0] for d in found]
    assert [a.text for a in articles] == [f"一\n\n{FIRST}", SECOND]
    assert {(a.source, a.published) for a in articles} == {("文据月刊", "2024-05-20")}


def test_entities_are_not_expanded():
    laughs = '<!DOCTYPE x [<!ENTITY a "哈">' + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    try:
        document = read_bytes("a.odt", odt(f"<text:p>{FIRST}&i;</text:p>", laughs + "]>"))
    except UnreadableFile as error:
        assert "damaged" in error.reason  # noqa: PT017 (either outcome is right)
    else:
        assert document.text == FIRST


def test_outside_entities_are_not_read(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    outside = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]>'
    document = read_bytes("a.odt", odt(f"<text:p>{FIRST}&e;</text:p>", outside))
    assert document.text == FIRST


def test_a_bomb_in_an_office_file_is_refused():
    with pytest.raises(UnreadableFile, match="unpacks to more than"):
        read_bytes("a.odt", zipped(**{"content.xml": escape("0" * 300_000_000)}))


@pytest.mark.parametrize("name", ["a.docx", "a.odt", "a.epub", "a.rtf"])
def test_what_is_not_what_its_ending_says_is_told(name):
    assert name[1:] in SUFFIXES
    old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99
    for data in (b"no such file", zipped(**{"a.exe": FIRST}), old):
        with pytest.raises(UnreadableFile, match=r"is not|are not|no RTF|is damaged|encrypted"):
            read_bytes(name, data)

"""What anybody's bytes are given to, and what must come of it: a result or one of our errors.

`tests/fuzz/run.py` has a coverage-guided fuzzer think of the bytes, test_fuzz.py Hypothesis.
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from api import schemas
from api.openai import ChatBody, conversation
from index.errors import WenjuError
from index.files import seal, unseal
from index.generations import current_contents, named_in, read_manifest
from rag import pages
from rag.readers import read_upload
from rag.readers.parsers import PARSERS
from rag.types import Document

_INLINE = (".txt", ".md", ".jsonl", ".json", ".csv")
# Those that are quick enough to be tried a thousand times, which PDF and pictures are not.
_PARSED = ("html", "rtf", "feed", "docx", "odt", "epub")
_MODELS = (schemas.AskBody, schemas.SearchBody, schemas.FeedbackBody, schemas.ArticleBody, ChatBody)


def _sliced(document: Document) -> None:
    for article in pages.articles(document):
        assert article.text
        for block in article.blocks:
            assert 0 <= block.span.start <= block.span.end <= len(article.text)


def readers(data: bytes) -> None:
    """A file of any format, told by its first byte."""
    if not data:
        return
    kind, data = data[0] % (len(_INLINE) + len(_PARSED)), data[1:]
    try:
        if kind < len(_INLINE):
            for document in read_upload(f"a{_INLINE[kind]}", data):
                if isinstance(document, Document):
                    assert document.text
                    _sliced(document)
        else:
            PARSERS[_PARSED[kind - len(_INLINE)]]("a", data)
    except WenjuError:
        return


def page(data: bytes) -> None:
    """A newspaper page: the words of one, broken anywhere."""
    lines = [data[i : i + 40].decode("utf-8", "ignore") for i in range(0, len(data), 40)]
    text = "\n".join(line.replace("\r", " ") for line in lines).strip()
    if not text:
        return
    try:
        for document in read_upload("page.txt", text.encode()):
            if isinstance(document, Document):
                _sliced(document)
                for article in pages.articles(document, kind="page"):
                    assert article.text.strip()
    except WenjuError:
        return


def body(data: bytes) -> None:
    """What is sent to the API."""
    if not data:
        return
    model = _MODELS[data[0] % len(_MODELS)]
    try:
        found = model.model_validate_json(data[1:])
    except ValidationError:
        return
    try:
        if isinstance(found, ChatBody):
            question, turns = conversation(found.messages)
            assert isinstance(question, str)
            assert len(turns) < len(found.messages)
        if isinstance(found, schemas.SearchBody):
            found.filters.filters()
            json.dumps(found.model_dump(mode="json")).encode()
    except WenjuError:
        return


def manifest(data: bytes) -> None:
    """The index's own files: as they are, and with a checksum that is right."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "gen").mkdir()
        sealed = data
        try:
            given = json.loads(data)
            sealed = seal(given) if isinstance(given, dict) else data
            assert not isinstance(given, dict) or unseal(home, sealed) == given
        except (ValueError, RecursionError):
            pass
        for contents in (data, sealed):
            (home / "gen" / "manifest.json").write_bytes(contents)
            (home / "CURRENT").write_bytes(contents)
            try:
                assert read_manifest(home, "gen").dim is not None
                assert isinstance(named_in(home, current_contents(home)), list)
            except WenjuError:
                continue


TARGETS: dict[str, Callable[[bytes], None]] = {
    "readers": readers, "page": page, "body": body, "manifest": manifest,
}  # fmt: skip
"""By name."""

SEEDS: dict[str, tuple[bytes, ...]] = {
    "readers": (
        *(bytes([place]) + text.encode()
        for place, text in enumerate((
            "标题\n\n本报记者 王一\n\n今年建成。",
            "---\ntitle: 题\nauthors: [甲]\n---\n\n# 题\n\n正文。",
            '{"title": "题", "text": "正文。"}\n',
            '[{"title": "题", "text": "正文。"}]',
            "title,text\n题,正文。\n",
            "<html><head><title>题</title></head><body><article><p>正文。</p></article></body>",
            "{\\rtf1\\ansi \\u39064?\\par text}",
            '<rss version="2.0"><channel><item><title>题</title><description>文</description>'
            "</item></channel></rss>",
        ))),
        b'\x07<rss: vers\x00\x03ion="2.0"><channel[',  # a name that is none, and is let pass
    ),
    "page": ("试验田建成\n本报记者 王一\n  今年全县建成试验田三十二块，\n产量\n提高。\n".encode(),),
    "body": (
        b'\x00{"question": "a", "history": [{"question": "b", "answer": "c"}], "top_k": 3}',
        b'\x01{"question": "a", "filters": {"date_from": "2024-01"}}',
        b'\x04{"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}',
    ),
    "manifest": (
        b'{"format": 3, "number": 1, "model": "m", "tokenizer": "t", "dim": 3, "segments": {"s": '
        b'{"files": {"a": [1, "x"]}, "dense": {}}}, "dead": {}}',
        b'{"format": 3, "generations": [{"number": 1, "name": "g", "size": 2, "digest": "d"}]}',
    ),
}  # fmt: skip
"""What each is begun with."""


def every(data: bytes) -> None:
    """The first byte chooses the target."""
    if data:
        list(TARGETS.values())[data[0] % len(TARGETS)](data[1:])


def seeds(name: str) -> list[bytes]:
    """What a target, or "every", is begun with."""
    if name != "every":
        return list(SEEDS[name])
    return [bytes([place]) + seed for place, own in enumerate(SEEDS.values()) for seed in own]

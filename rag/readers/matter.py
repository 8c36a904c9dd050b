"""The front matter of a file: YAML between two lines of three dashes, in English or Chinese keys.

PyYAML reads it, with every plain value left as the text that it is (`page: 05` is not five, `no`
is not false). python-frontmatter is not used: it gives the body without its place in the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import yaml

from rag.errors import UnreadableFile
from rag.readers.dates import parse_date

Metadata = dict[str, str | tuple[str, ...]]

_FENCE = re.compile(r"\A-{3}[ \t]*\n(?P<yaml>(?:.*\n)*?)(?:-{3}|\.{3})[ \t]*(?:\n|\Z)")
_LONGEST = 65_536  # characters of front matter
_DEEPEST = 4  # levels of lists and mappings
_FULL_WIDTH_COLON = re.compile(r"(?m)^([^\W\d_][\w ]{0,19})：[ \t]*(?=\S)")
_KEYS = {
    "author": "authors", "by": "authors", "byline": "authors",
    "affiliation": "affiliations",
    "date": "published",
    "publisher": "source",
    "lang": "language",
    "link": "url",
    "标题": "title", "標題": "title", "题目": "title", "題目": "title",
    "作者": "authors", "记者": "authors", "記者": "authors",
    "单位": "affiliations", "單位": "affiliations",
    "作者单位": "affiliations", "作者單位": "affiliations",
    "日期": "published", "发布日期": "published", "發布日期": "published", "出版日期": "published",
    "来源": "source", "來源": "source", "报纸": "source", "報紙": "source",
    "版面": "page", "版次": "page", "版": "page",
    "栏目": "section", "欄目": "section",
    "语言": "language", "語言": "language",
    "网址": "url", "網址": "url", "链接": "url",
    "类型": "kind", "類型": "kind",
}  # fmt: skip
_LISTS = frozenset({"authors", "affiliations"})
_ONE = frozenset({"title", "published", "source", "page", "section", "language", "url", "kind"})
_KINDS = {
    "page": "page", "article": "article", "articles": "articles",
    "版面": "page", "整版": "page", "文章": "article", "单篇": "article", "多篇": "articles",
}  # fmt: skip
_LANGUAGES = {"zh": "zh", "en": "en", "中文": "zh", "汉语": "zh", "chinese": "zh", "英文": "en",
              "英语": "en", "english": "en"}  # fmt: skip
ALLOWED: Mapping[str, frozenset[str]] = MappingProxyType(
    {"kind": frozenset(_KINDS), "language": frozenset(_LANGUAGES)}
)
"""The values that two keys may have."""

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_NAMES_CUT = re.compile(r"[、，,;；/／|｜&＆\n]|(?<![^\S\n])\s+(?:and|AND|和)\s+")
_ROLES = re.compile(
    r"^(?:by\b|[□■◎●◆]|(?:本报|本報|本刊|新华社|新華社)?(?:首席|见习|見習|特约|特約|实习|實習)?"
    r"(?:记者|記者|通讯员|通訊員|评论员|評論員|作者|撰文|文)(?=[\s:：/]|$))[\s:：/]*",
    re.IGNORECASE,
)
_SINGLE_HAN_GAP = re.compile(rf"(?<![{_HAN}])([{_HAN}])\s+([{_HAN}])(?![{_HAN}])")


class _Plain(yaml.SafeLoader):
    """The safe loader with every scalar left as a string."""


_Plain.yaml_implicit_resolvers = {}


def front_matter(name: str, text: str) -> tuple[Metadata, int, tuple[str, ...]]:
    """Read the front matter of a canonical text.

    Returns:
        Normalised metadata (see `normalise`); the offset at which the body begins, 0 where the
        file has no front matter; notices.

    Raises:
        UnreadableFile: the YAML is broken, or holds what Wenju does not read; names the line.
    """
    found = _FENCE.match(text, 0, min(len(text), _LONGEST))
    if not found:
        return {}, 0, ()
    source = _FULL_WIDTH_COLON.sub(r"\1: ", found["yaml"])
    values = _load(name, source)
    if values is None:
        return {}, found.end(), ()
    if not isinstance(values, Mapping):
        # Dashes around something that is no list of keys: a rule and a line of text.
        return {}, 0, ()
    metadata, notices = normalise(name, values)
    return metadata, found.end(), notices


def _load(name: str, source: str) -> object:
    try:
        depth = 0
        for event in yaml.parse(source, Loader=yaml.SafeLoader):
            line = event.start_mark.line + 2 if event.start_mark else 2
            if isinstance(event, yaml.AliasEvent):
                raise UnreadableFile(name, f"line {line}: references (*name) are not read")
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise UnreadableFile(name, f"line {line}: lists are nested too deeply")
        return yaml.load(source, Loader=_Plain)  # noqa: S506 (a SafeLoader that makes only strings)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 2 if mark else 2
        raise UnreadableFile(
            name,
            f"the front matter cannot be read at line {line} ({error.problem or error.context}); "
            "put values with a colon, quotes or brackets between quotation marks",
        ) from error
    except yaml.YAMLError as error:
        raise UnreadableFile(name, f"the front matter cannot be read ({error})") from error


def normalise(name: str, values: Mapping[Any, object]) -> tuple[Metadata, tuple[str, ...]]:
    """Give metadata the keys and forms that Wenju uses.

    Known keys, English or Chinese, become title, authors, affiliations (tuples), published (ISO
    8601, as precise as known), source, page, section, language ("zh" or "en"), url and kind
    ("page", "article" or "articles"). A value that cannot be read is left out, with a notice.
    Unknown keys are kept in lower case, their values as strings or tuples of strings.

    Raises:
        UnreadableFile: `kind` or `language` is none that is known.
    """
    metadata: Metadata = {}
    notices: list[str] = []
    for raw_key, raw in values.items():
        printed = str(raw_key).strip().lower()
        key = _KEYS.get(printed, printed)
        if key in metadata and key in (_LISTS | _ONE):
            notices.append(f"{printed}: given twice under different names; the first was used")
            continue
        texts = _texts(raw)
        if not texts:
            continue
        if key in _LISTS:
            metadata[key] = split_names(texts) if key == "authors" else _split_units(texts)
        elif key not in _ONE:
            metadata[key] = texts if isinstance(raw, (list, tuple)) else texts[0]
        else:
            value = _single(name, key, " ".join(texts))
            if value is None:
                notices.append(f"{printed}: {texts[0][:40]!r} is not a date that can be read")
            else:
                metadata[key] = value
    return metadata, tuple(notices)


def _single(name: str, key: str, text: str) -> str | None:
    if key == "published":
        return parse_date(text)
    known = {"kind": _KINDS, "language": _LANGUAGES}.get(key)
    if known is None:
        return text
    value = text.lower()
    if key == "language":
        value = value.replace("_", "-").split("-")[0]
    if value not in known:
        allowed = ", ".join(dict.fromkeys(known.values()))
        raise UnreadableFile(name, f"the front matter says {key}: {text[:40]}; use {allowed}")
    return known[value]


def _texts(value: object) -> tuple[str, ...]:
    """A YAML value as strings without blank ones; mappings inside become "key: value"."""
    if isinstance(value, Mapping):
        return tuple(f"{k}: {' '.join(_texts(v))}".strip() for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(" ".join(_texts(v)) for v in value if _texts(v))
    text = "" if value is None else str(value).strip()
    return (text,) if text else ()


def split_names(values: tuple[str, ...]) -> tuple[str, ...]:
    """Part names that stand in one line, in order and without repeats.

    Commas of both widths, 、 ; / & and "and" part names, and blanks between Chinese names do too;
    a name of two characters set with a blank between them (吴　希) stays one name. Words such as
    本报记者 and "By" before a name are left out.
    """
    names: list[str] = []
    for chunk in (c for value in values for c in _NAMES_CUT.split(value)):
        rest = _SINGLE_HAN_GAP.sub(r"\1\2", _ROLES.sub("", chunk.strip()))
        blank_parts = re.search(rf"[{_HAN}]\s+[{_HAN}]", rest) is not None
        for part in rest.split() if blank_parts else [" ".join(rest.split())]:
            if not _ROLES.fullmatch(part) and part:
                names.append(part)
    return tuple(dict.fromkeys(names))


def _split_units(values: tuple[str, ...]) -> tuple[str, ...]:
    """Affiliations: cut only at ; ； and 、 (a comma may belong to "University X, Chongqing")."""
    cut = (unit.strip() for value in values for unit in re.split(r"[;；、\n]", value))
    return tuple(dict.fromkeys(unit for unit in cut if unit))

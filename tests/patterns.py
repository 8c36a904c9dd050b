"""Every regular expression of the packages, found in their source, and texts hard on it."""

from __future__ import annotations

import ast
import importlib
import re
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("api", "rag", "index", "eval")
_CALLS = {"compile", "search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer"}
_ANCHORED = {"match", "fullmatch"}
_COMMON = ["a", "1", " ", "一", "[", "，"]
_END = "\x00"


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Each module's name and its syntax tree."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield name.removesuffix(".__init__"), ast.parse(path.read_text(encoding="utf-8"))


def calls(tree: ast.Module) -> Iterator[ast.Call]:
    """The calls of re's functions that take a pattern."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "re"
            and node.func.attr in _CALLS
        ):
            yield node


def patterns() -> tuple[dict[str, re.Pattern[str]], list[str]]:
    """Every pattern by where it stands, and the places whose pattern is only known at run time.

    A pattern that is put together at import is taken from its module's variables.
    """
    found: dict[str, re.Pattern[str]] = {}
    unknown: list[str] = []
    for name, tree in sources():
        held = {
            p.pattern: p for v in vars(importlib.import_module(name)).values() for p in _inside(v)
        }
        module_level = {id(n) for s in tree.body for n in ast.walk(s) if not _deferred(s)}
        for call in calls(tree):
            place = f"{name}:{call.lineno}"
            argument = call.args[0] if call.args else None
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                found[place] = held.get(argument.value) or re.compile(argument.value)
            elif id(call) not in module_level:
                unknown.append(place)
        for pattern in held.values():
            found.setdefault(f"{name} {pattern.pattern[:40]}", pattern)
    return {place: p for place, p in found.items() if isinstance(p.pattern, str)}, unknown


def _deferred(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def _inside(value: object) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        for inner in [*value.keys(), *value.values()]:
            yield from _inside(inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from _inside(inner)


def methods() -> dict[str, set[str]]:
    """By which of its methods a name, wherever it is called on one, looks at texts."""
    found: dict[str, set[str]] = {}
    for _, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in _CALLS:
                owner = node.value
                name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
                found.setdefault(name, set()).add(node.attr)
    return found


def anchored() -> set[str]:
    """The places and sources of patterns that look only from a text's first character on."""
    by_name, found, elsewhere = methods(), set(), set()
    for name, tree in sources():
        for call in calls(tree):
            if call.func.attr in _ANCHORED:
                found.add(f"{name}:{call.lineno}")
        for title, value in vars(importlib.import_module(name)).items():
            for pattern in _inside(value):
                own = isinstance(value, re.Pattern) and by_name.get(title, {""}) <= _ANCHORED
                (found if own else elsewhere).add(pattern.pattern)
    return found - elsewhere


def hostile(pattern: re.Pattern[str], length: int) -> Iterator[str]:
    """Texts of that length: what the pattern is made of, and common characters, over and over."""
    own = re.sub(r"\\.|\(\?[:P<=!a-z]*|[\\()\[\]{}|?*+^$]", " ", pattern.pattern)
    letters = list(dict.fromkeys([*own.replace(" ", "")[:6], *_COMMON]))
    units = [*letters, *(a + b for a, b in product(letters[:3], repeat=2) if a != b)]
    for unit in dict.fromkeys(units):
        body = (unit * (length // len(unit) + 1))[:length]
        yield body + _END


def seconds(pattern: re.Pattern[str], text: str, *, first: bool = False) -> float:
    """How long a processor takes to look everywhere in a text, or from its first character on."""
    started = time.thread_time()
    if first:
        pattern.match(text)
    else:
        for _ in pattern.finditer(text):
            pass
    return time.thread_time() - started

"""Typed access to the fields of JSON that people wrote, with errors that they understand."""

from __future__ import annotations

import json
from typing import Any


class Wrong(Exception):
    """What is wrong with one line or article."""


def parse(raw: bytes) -> dict[str, Any]:
    """One line's object.

    Raises:
        Wrong: it is not UTF-8, not JSON or not an object.
    """
    try:
        value = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise Wrong("it is not UTF-8") from None
    except ValueError as error:
        raise Wrong(f"it is not JSON ({error})") from None
    if not isinstance(value, dict):
        raise Wrong("it is not a JSON object")
    return value


class Fields:
    """Typed access to one object's fields; every wrong one is a `Wrong`."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def text(self, name: str, choices: tuple[str, ...] = ()) -> str:
        """A text that is not empty, one of `choices` where there are any."""
        value = self.values.get(name)
        if not isinstance(value, str) or not value.strip():
            raise Wrong(f"{name} must be a text that is not empty, not {shown(value)}")
        if choices and value not in choices:
            raise Wrong(f"{name} must be one of {', '.join(choices)}, not {value!r}")
        return value

    def texts(self, name: str, least: int = 0) -> tuple[str, ...]:
        """A list of at least so many texts that are not empty; absent is empty."""
        value = self.values.get(name, [])
        if not isinstance(value, list) or not all(isinstance(v, str) and v.strip() for v in value):
            raise Wrong(f"{name} must be a list of texts that are not empty, not {shown(value)}")
        if len(value) < least:
            raise Wrong(f"{name} must not be empty")
        return tuple(value)

    def objects(self, name: str) -> list[Fields]:
        """A list of objects; absent is empty."""
        value = self.values.get(name, [])
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            raise Wrong(f"{name} must be a list of objects, not {shown(value)}")
        return [Fields(v) for v in value]

    def count(self, name: str) -> int:
        """A whole number from 0 up."""
        value = self.values.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise Wrong(f"{name} must be a whole number from 0 up, not {shown(value)}")
        return value

    def truth(self, name: str) -> bool:
        """True or false; absent is false."""
        value = self.values.get(name, False)
        if not isinstance(value, bool):
            raise Wrong(f"{name} must be true or false, not {shown(value)}")
        return value


def shown(value: object) -> str:
    """A wrong value in at most 40 characters, for an error."""
    text = "missing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:39] + "…"

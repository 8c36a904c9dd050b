"""What the API answers instead of what was asked for: one shape, and what each status means."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_FACTS = ("code", "message", "request_id")

_AGAIN = frozenset((409, 429, 503))
"""Statuses that may say when to come again."""

_SAID = {
    400: "What was sent cannot be read or makes no sense.",
    401: "An API key is needed.",
    403: "The key, or the page that asks, may not do this.",
    404: "There is no such thing.",
    408: "The request did not come whole in time; the connection is closed.",
    409: "Somebody else writes to the archive, such as `wenju add`; nothing was changed.",
    413: "The body is too large.",
    422: "A field is missing, unknown or out of its bounds, or a file cannot be read.",
    429: "Too many requests of one key or address.",
    500: "Something went wrong inside; the server's log has the details.",
    503: "Too much is asked at present, or the archive cannot be read or written.",
}

_RETRY = {
    "Retry-After": {
        "description": "Seconds until it is worth trying again.",
        "schema": {"type": "integer", "minimum": 1},
    }
}


def shape(facts: Json) -> Json:
    """The JSON schema of an error.

    Args:
        facts: the schemas of what it says, by name; all of them are always there.
    """
    error = {"type": "object", "required": list(facts), "properties": facts}
    return {"type": "object", "required": ["error"], "properties": {"error": error}}


def documented(schema: Json) -> dict[int | str, Json]:
    """What every route may answer instead, for the API's docs.

    It is JSON where a route's own answer is a picture or plain text too.

    Args:
        schema: of these answers.
    """
    content = {"application/json": {"schema": schema}}
    return {
        status: {"description": said, "content": content}
        | ({"headers": _RETRY} if status in _AGAIN else {})
        for status, said in _SAID.items()
    }


ERRORS = documented(shape({key: {"type": "string"} for key in _FACTS}))
"""What every route may answer instead, in Wenju's own shape."""

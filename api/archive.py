"""The HTTP routes of the archive: its articles, what they can be chosen by, and adding to them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, BackgroundTasks, Query, Request, Response
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from api import reports, schemas
from api.audit import changed
from api.faults import ERRORS
from api.routes import Shared
from api.schemas import FilterBody, Json
from rag.cuts import cut
from rag.errors import BadInput
from rag.types import Span

router = APIRouter(responses=ERRORS)

Chosen = Annotated[tuple[Annotated[str, Query(max_length=500)], ...], Query(max_length=50)]
Date = Annotated[str | None, Query(pattern=schemas.DATE)]


@router.get("/v1/articles", tags=["articles"])
def articles(
    state: Shared,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    q: Annotated[str, Query(max_length=200)] = "",
    author: Chosen = (),
    source: Chosen = (),
    section: Chosen = (),
    language: Annotated[tuple[Literal["zh", "en"], ...], Query(max_length=2)] = (),
    date_from: Date = None,
    date_to: Date = None,
) -> Json:
    """The archive's articles, newest first; `q` looks in titles, authors and sources.

    `author`, `source`, `section` and `language` may be given several times: any of them will do.
    """
    chosen = FilterBody(
        authors=list(author),
        sources=list(source),
        sections=list(section),
        languages=list(language),
        date_from=date_from,
        date_to=date_to,
    ).filters()
    found, total = state.pipeline.corpus.listing(
        limit=limit, offset=offset, query=q, filters=chosen
    )
    return {"articles": [schemas.head_json(a) for a in found], "total": total}


@router.get("/v1/facets", tags=["articles"])
def facets(state: Shared, limit: Annotated[int, Query(ge=1, le=1000)] = 200) -> Json:
    """What articles can be chosen by: values and how many articles have each, most first."""
    corpus = state.pipeline.corpus
    earliest, latest = corpus.dates()
    found = {
        name: [{"value": value, "count": count} for value, count in values]
        for name, values in corpus.facets(limit).items()
    }
    return {**found, "from": earliest, "to": latest}


@router.get("/v1/articles/{article_id}", tags=["articles"])
def article(article_id: str, state: Shared) -> Json:
    """One article with its text and blocks; `scanned` tells whether it was read from a scan."""
    found = state.pipeline.corpus.get(article_id)
    scanned = state.pipeline.scans.holds(found)
    return {**schemas.article_json(found), "scanned": scanned}


_CUT: dict[int | str, Json] = {200: {"content": {"image/jpeg": {}}}}
Offset = Annotated[int, Query(ge=0, le=10**9)]


@router.get(
    "/v1/articles/{article_id}/scan",
    tags=["articles"],
    response_class=Response,
    responses=_CUT,
)
async def scan(
    article_id: str, start: Offset, end: Offset, request: Request, state: Shared
) -> Response:
    """The lines of the scan that a part of an article was read from, marked: a JPEG.

    `start` and `end` are code points of the article's text. Lines that OCR was unsure of are marked
    in another colour. 404 where the article was not read from a scan.
    """
    if start >= end:
        raise BadInput("start must be before end.")
    pipeline = state.pipeline
    picture = await state.questions.run(
        lambda: cut(pipeline.scans, pipeline.corpus.get(article_id), Span(start, end)),
        request.is_disconnected,
    )
    return Response(picture, media_type="image/jpeg")


@router.delete("/v1/articles/{article_id}", tags=["articles"])
async def delete(article_id: str, state: Shared, after: BackgroundTasks) -> Json:
    """Take an article out of the archive and the index."""
    await state.writes.run(lambda: state.pipeline.delete(article_id))
    after.add_task(state.pipeline.tidy)
    return {"deleted": article_id}


_UPLOADS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": schemas.ArticleBody.model_json_schema()},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                        },
                        "kind": {"type": "string", "enum": ["page", "article", "articles"]},
                        "dry_run": {"type": "boolean"},
                        "restore": {"type": "boolean"},
                    },
                }
            },
        },
    }
}


@dataclass(frozen=True, slots=True)
class _Sent:
    """What was sent: names and contents of files, and how to take them."""

    files: list[tuple[str, bytes]]
    kind: str | None
    dry_run: bool
    restore: bool


@router.post("/v1/articles", tags=["articles"], openapi_extra=_UPLOADS)
async def add(
    request: Request, state: Shared, after: BackgroundTasks, dry_run: bool = False
) -> Json:
    """Add articles: uploaded files, or one text as JSON. Every file is reported.

    With `dry_run`, here or as a field, the files are read and put together and nothing is stored:
    each report then holds the articles themselves, with their joints. An article that was deleted
    stays so when its file is sent again, unless the field `restore` says otherwise.
    """
    sent = await _sent(request)
    if dry_run or sent.dry_run:
        look = state.pipeline.preview
        return {
            "files": [
                reports.preview_json(*await state.writes.run(partial(look, name, data, sent.kind)))
                for name, data in sent.files
            ]
        }
    take = partial(state.pipeline.add_upload, kind=sent.kind, restore=sent.restore)
    taken = [await state.writes.run(partial(take, name, data)) for name, data in sent.files]
    after.add_task(state.pipeline.tidy)
    request.state.changed = changed(taken)
    return {"files": [reports.report_json(r) for r in taken]}


async def _sent(request: Request) -> _Sent:
    """What a request holds.

    Raises:
        BadInput: it is neither a form with files nor one article as JSON.
    """
    form_type = request.headers.get("content-type", "").startswith("multipart/form-data")
    if not form_type:
        try:
            body = schemas.ArticleBody.model_validate_json(await request.body())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "body"
            raise BadInput(f"{where}: {first['msg']}; send {{name, text}} or a form.") from error
        return _Sent(
            [(body.name, body.text.encode())], body.kind, body.dry_run, restore=body.restore
        )
    async with request.form(max_files=1000, max_fields=20) as form:
        kind = _one_of(form.get("kind"), "kind", ("page", "article", "articles"))
        dry_run = _one_of(form.get("dry_run"), "dry_run", ("true", "false"))
        restore = _one_of(form.get("restore"), "restore", ("true", "false"))
        files = [f for f in form.getlist("files") if isinstance(f, UploadFile)]
        if not files:
            raise BadInput("The form holds no file; send one or more in the field `files`.")
        contents = [(f.filename or "upload", await f.read()) for f in files]
    return _Sent(contents, kind, dry_run == "true", restore == "true")


def _one_of(value: UploadFile | str | None, name: str, choices: tuple[str, ...]) -> str | None:
    """A form's field; None where it is absent or empty.

    Raises:
        BadInput: it is something else.
    """
    if value in (None, ""):
        return None
    if not isinstance(value, str) or value not in choices:
        raise BadInput(f"{name} must be one of {', '.join(choices)}.")
    return value

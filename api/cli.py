"""The command line. Exit status: 0 done, 1 failed, 2 wrong usage.

Everything slow is imported inside the commands, so that `wenju --help` answers at once. With
--json a command prints the API's objects; errors are one line on standard error.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from api import cli_backup, cli_encode, cli_sync
from api.cli_keys import keys
from api.cli_options import AsJson, Dictionary, Home, Kind, archive, print_json

app = typer.Typer(
    name="wenju",
    help="Wenju 文据: question answering over newspaper archives; every sentence proved.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(keys, name="keys")

# The base of typer's usage errors; typer exports only its subclass by a public name.
_USAGE_ERRORS: type[typer.BadParameter] = next(  # so typed for its format_message()
    c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException"
)


def main() -> None:
    """Run the command line and exit with its status."""
    debug = "--debug" in sys.argv
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    try:
        status = app(arguments, standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted; what was done so far is kept, run it again to go on", 1)
    except typer.Exit as done:
        sys.exit(done.exit_code)
    except BrokenPipeError:
        # Whoever read the output has seen enough (`wenju articles | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except _USAGE_ERRORS as error:
        message = " ".join(error.format_message().split())
        if not message:  # `wenju` alone has shown its help already
            sys.exit(2)
        _fail(f"{message.rstrip('.')}; see `wenju --help`.", 2)
    except Exception as error:
        from index.errors import WenjuError

        if debug or not isinstance(error, WenjuError):
            raise
        from api.settings import SettingsError

        _fail(str(error), 2 if isinstance(error, SettingsError) else 1)
    sys.exit(status or 0)


def _fail(message: str, status: int) -> NoReturn:
    print(f"wenju: {message}", file=sys.stderr)
    sys.exit(status)


app.command()(cli_sync.add)
app.command()(cli_sync.sync)
app.command()(cli_encode.encode)
app.command()(cli_backup.backup)
app.command()(cli_backup.restore)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    home: Home = None,
    top_k: Annotated[int | None, typer.Option(help="Passages to show, 1 to 50.")] = None,
    dictionary: Dictionary = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question, every sentence with its proof."""
    from api import settings as settings_
    from api.cli_show import show_answer
    from api.schemas import answer_json

    settings = settings_.load(home=home, top_k=top_k, dictionary=dictionary)
    with archive(settings) as pipeline:
        answer = pipeline.ask(question)
    if as_json:
        print_json(answer_json(answer))
    else:
        show_answer(answer)


@app.command()
def search(
    question: Annotated[str, typer.Argument(help="What to look for.")],
    home: Home = None,
    top_k: Annotated[int | None, typer.Option(help="Passages to show, 1 to 50.")] = None,
    dictionary: Dictionary = None,
    as_json: AsJson = False,
) -> None:
    """Show the passages that fit a question, best first."""
    from api import settings as settings_
    from api.cli_show import show_evidence
    from api.schemas import evidence_json

    settings = settings_.load(home=home, top_k=top_k, dictionary=dictionary)
    with archive(settings) as pipeline:
        evidence = pipeline.search(question)
    if as_json:
        print_json({"question": question, "passages": [evidence_json(e) for e in evidence]})
    else:
        show_evidence(evidence)


@app.command()
def pages(
    files: Annotated[list[Path], typer.Argument(help="Text files of newspaper pages.")],
    kind: Kind = None,
    explain: Annotated[bool, typer.Option(help="Say why each joint was made.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the articles that a newspaper page is put together to; nothing is added."""
    from api.cli_show import show_explanation, show_page
    from api.reports import page_json
    from rag import pages as pages_
    from rag import readers

    for path in files:
        document = readers.read_path(path)
        articles = pages_.articles(document, kind=kind)
        if as_json:
            page = page_json(articles)
            named = {"file": str(path), **page} if len(files) > 1 else page
            print(json.dumps(named, ensure_ascii=False, indent=None if len(files) > 1 else 1))
        else:
            show_page(path, articles)
            if explain:
                show_explanation(pages_.explain(document, kind=kind))


@app.command()
def articles(
    home: Home = None,
    query: Annotated[str, typer.Option(help="Words in title, author or source.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 200,
    as_json: AsJson = False,
) -> None:
    """List the archive's articles, newest first."""
    from api import settings as settings_
    from api.cli_show import show_articles
    from api.schemas import head_json

    with archive(settings_.load(home=home)) as pipeline:
        found, total = pipeline.corpus.listing(limit=limit, query=query)
    if as_json:
        print_json({"articles": [head_json(a) for a in found], "total": total})
    else:
        show_articles(found, total)


@app.command()
def delete(
    article_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Articles' ids.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take articles out of the archive; they stay out when their file is added again."""
    from api import settings as settings_
    from api.audit import audited

    settings = settings_.load(home=home)
    with archive(settings) as pipeline:
        for article_id in article_ids:
            with audited(settings.home, "delete", article=article_id):
                pipeline.delete(article_id)
            if not as_json:
                print(f"deleted {article_id}")
    if as_json:
        print_json({"deleted": article_ids})


@app.command()
def serve(
    home: Home = None,
    host: Annotated[str | None, typer.Option(help="Address [default: 127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 picks a free one.")] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes [default: 1].")] = None,
    dictionary: Dictionary = None,
) -> None:
    """Serve the chat page and the API."""
    from api import server
    from api import settings as settings_

    server.serve(
        settings_.load(home=home, host=host, port=port, workers=workers, dictionary=dictionary)
    )


@app.command()
def mcp(
    home: Home = None,
    http: Annotated[bool, typer.Option(help="Serve HTTP at /mcp instead of stdio.")] = False,
    host: Annotated[str | None, typer.Option(help="Address [default: 127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port of --http.")] = None,
    dictionary: Dictionary = None,
) -> None:
    """Offer search, ask and get_article to agents by the Model Context Protocol."""
    from api import mcp as mcp_
    from api import settings as settings_

    settings = settings_.load(home=home, host=host, port=port, dictionary=dictionary)
    if http:
        mcp_.check(settings)
    with archive(settings) as pipeline:
        if http:
            address = f"http://{settings.host}:{settings.port}/mcp"
            print(f"Wenju 文据 for agents: {address} (Ctrl-C ends)", file=sys.stderr, flush=True)
        mcp_.serve(settings, pipeline, http=http)


@app.command()
def doctor(
    home: Home = None,
    repair: Annotated[bool, typer.Option(help="Rebuild the index from the corpus.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check the model, index, corpus and versions, and say what to do."""
    from api import doctor as doctor_
    from api import settings as settings_
    from api.audit import audited
    from api.cli_show import show_findings
    from rag.progress import progress_bars

    settings = settings_.load(home=home)
    told = audited(settings.home, "doctor --repair") if repair else nullcontext()
    with progress_bars() as report, told:
        findings = doctor_.examine(settings, repair=repair, progress=report)
    if as_json:
        print_json({"findings": [f.json() for f in findings]})
    else:
        show_findings(findings)
    if any(not f.good for f in findings):
        raise typer.Exit(1)


if __name__ == "__main__":
    main()

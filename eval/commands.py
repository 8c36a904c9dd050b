"""The commands that ask question sets, show what came of it, and draft new ones."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from eval.options import (
    AsJson,
    Cache,
    Dictionary,
    LanguageKey,
    LanguageModel,
    LanguageUrl,
    Model,
    Out,
    Set,
    Threads,
    deliver,
    model_server,
)


def run(
    questions: Set,
    home: Annotated[
        Path, typer.Option(envvar="WENJU_HOME", help="Folder of the archive to ask.")
    ] = Path("wenju-data"),
    archives: Annotated[
        Path, typer.Option(help="Folder of the archives built of sets that bring their texts.")
    ] = Path("wenju-data/eval"),
    http: Annotated[
        str | None, typer.Option(help="Ask the server at this address instead.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(envvar="EVAL_API_KEY", help="That server's API key.")
    ] = None,
    gold: Annotated[
        Path | None, typer.Option(help="Gold articles; by default articles.json beside SET.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask only so many, the first.")] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Ask only so many, at random; always the same ones.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Questions asked at once.")] = 1,
    out: Out = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Do not go on where a stopped run ended.")
    ] = False,
    save: Annotated[
        bool, typer.Option("--save/--brief", help="Hold answers, citations and passages too.")
    ] = True,
    cache: Cache = None,
    model: Model = None,
    reranker: Annotated[
        str | None, typer.Option(envvar="WENJU_RERANKER", help="A CrossEncoder: hub id or folder.")
    ] = None,
    dictionary: Dictionary = None,
    threads: Threads = 2,
    llm_url: LanguageUrl = None,
    llm_model: LanguageModel = None,
    llm_key: LanguageKey = "",
    judge_url: Annotated[
        str | None, typer.Option(envvar="EVAL_JUDGE_URL", help="Server of a model as judge.")
    ] = None,
    judge_model: Annotated[
        str | None, typer.Option(envvar="EVAL_JUDGE_MODEL", help="Its name there.")
    ] = None,
    judge_key: Annotated[
        str, typer.Option(envvar="EVAL_JUDGE_KEY", help="Its key.", show_default=False)
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Ask every question of a set and score retrieval, answers, citations and refusals.

    SET is in Wenju's own lines (see the top of eval/cases.py), or in the format of SQuAD, CRUD-RAG,
    RGB, BEIR (a folder) or dialogues. A run that was stopped goes on when it is started again
    with the same --out. With --judge-url and --judge-model a model marks the answers too.
    """
    from eval.sources import load

    source = load(questions, gold)  # a wrong set is told before anything slow is imported
    from eval import session, show
    from eval.target import config_of
    from rag.progress import progress_bars

    plan = session.Plan(
        source,
        config_of(
            archives if source.articles else home,
            cache,
            model,
            dictionary,
            threads,
            reranker=reranker,
            generator=model_server("llm", llm_url, llm_model, llm_key),
        ),
        http,
        key,
        limit,
        sample,
        jobs,
        out,
        fresh,
        save,
        model_server("judge", judge_url, judge_model, judge_key),
    )
    with progress_bars() as step:
        result = session.run(plan, step)
    session.keep(plan, result)
    deliver(result, None, as_json, show.show_run)
    if result["summary"]["all"]["failed"] == len(result["questions"]):
        first = result["questions"][0]["error"]
        print(f"eval: every question failed; the first: {first}", file=sys.stderr)
        raise typer.Exit(1)


def report(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="Result file of `run`.")],
    out: Annotated[
        Path | None, typer.Option(help="The page; by default beside RESULT, with .html.")
    ] = None,
) -> None:
    """Make one HTML page of a result file: figures, plots, every failure with its evidence."""
    from eval import page

    text = page.html(page.read(result))
    to = out or result.with_suffix(".html")
    to.write_text(text, encoding="utf-8")
    print(to)


def feedback(
    home: Annotated[Path, typer.Option(envvar="WENJU_HOME", help="Folder of the archive.")] = Path(
        "wenju-data"
    ),
    verdict: Annotated[str | None, typer.Option(help="Only `up` or only `down`.")] = None,
    out: Out = None,
) -> None:
    """Print readers' verdicts as drafts of a question set, JSON lines, for a person to finish."""
    from eval import feedback as feedback_

    if verdict not in (None, "up", "down"):
        raise typer.BadParameter("--verdict is `up` or `down`")
    found = feedback_.drafts(home, verdict)
    if out is None:
        print(feedback_.lines(found), end="")
    else:
        out.write_text(feedback_.lines(found), encoding="utf-8")
    said = f"{len(found.cases)} drafts; {found.lost} cited passages are no longer in the archive"
    print(f"eval: {said}", file=sys.stderr)


def make_questions(
    home: Annotated[Path, typer.Option(envvar="WENJU_HOME", help="Folder of the archive.")] = Path(
        "wenju-data"
    ),
    count: Annotated[int, typer.Option(min=1, help="At most so many drafts.")] = 50,
    llm_url: LanguageUrl = None,
    llm_model: LanguageModel = None,
    llm_key: LanguageKey = "",
    out: Out = None,
) -> None:
    """Draft questions on an archive, JSON lines, for a person to check.

    A language model words them where one is named; else a fact is left out of a sentence.
    """
    from eval import drafting
    from rag.generate import ChatModel
    from rag.progress import progress_bars

    server = model_server("llm", llm_url, llm_model, llm_key)
    model = ChatModel(server) if server else None
    with progress_bars() as step:
        found = drafting.make(
            home, count, model, (lambda *at: step("drafts", *at)) if step else None
        )
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in found.lines)
    if out is None:
        print(text, end="")
    else:
        out.write_text(text, encoding="utf-8")
    print(f"eval: {len(found.lines)} drafts, none of them checked", file=sys.stderr)
    for why, times in found.unusable.items():
        print(f"eval: not used, {times} times: {why}", file=sys.stderr)
    if not found.lines:
        raise typer.Exit(1)


def torture(
    parts: Annotated[
        list[str] | None, typer.Argument(metavar="[PART...]", help="kills, faults … [default: all]")
    ] = None,
    kills: Annotated[int, typer.Option(min=1, help="Times that a writer is killed.")] = 200,
    every: Annotated[int, typer.Option(min=1, help="Fail only each so-maniest call.")] = 1,
    flips: Annotated[int, typer.Option(min=1, help="Bits flipped in each database.")] = 100,
    seconds: Annotated[int, typer.Option(min=5, help="Of twice what can be done.")] = 300,
    requests: Annotated[int, typer.Option(min=100, help="Of the soak.")] = 100_000,
    minutes: Annotated[int, typer.Option(min=1, help="Of the soak, at most.")] = 600,
    added: Annotated[int, typer.Option(min=20, help="Articles added beside questions.")] = 1000,
    cache: Cache = None,
    articles: Annotated[Path, typer.Option(help="Folder of articles to serve.")] = Path("articles"),
    seed: Annotated[int, typer.Option(help="Of what is left to chance.")] = 1,
    server: Annotated[
        str, typer.Option(help="Of the soak: a command that is given home and cache.")
    ] = "",
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Kill, fail, damage and flood archives, and tell what they lost; status 1 if anything."""
    from eval import torture as torture_

    unknown = sorted(set(parts or ()) - set(torture_.PARTS))
    if unknown:
        raise typer.BadParameter(f"the parts are {', '.join(torture_.PARTS)}, not {unknown[0]}")
    report = torture_.run(
        torture_.Setup(
            kills=kills,
            every=every,
            flips=flips,
            seconds=seconds,
            requests=requests,
            minutes=minutes,
            articles=articles,
            seed=seed,
            server=tuple(shlex.split(server)),
            added=added,
            **({"cache": cache} if cache else {}),
        ),
        parts or torture_.PARTS,
        out,
        lambda text: print(f"eval: {text}", file=sys.stderr),
    )
    ran = {name: report["parts"][name] for name in parts or torture_.PARTS}
    if as_json:
        print(json.dumps(report, ensure_ascii=False, indent=1))
    for name, found in ran.items():
        for problem in found["problems"]:
            print(f"eval: {name}: {problem}", file=sys.stderr)
    if any(found["problems"] for found in ran.values()):
        raise typer.Exit(1)

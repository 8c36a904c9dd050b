"""The command line of the evaluation. Exit status: 0 done, 1 failed, 2 wrong usage or a bad set.

    python -m eval run SET --home DIR       ask a question set and score the answers
    python -m eval report RESULT            one HTML page of a result file
    python -m eval retrieval SET...         search for the paragraphs of SQuAD-format sets
    python -m eval compare A B              two result files, question by question
    python -m eval make-questions           drafts of questions on an archive
    python -m eval feedback --home DIR      readers' verdicts as drafts of a question set
    python -m eval bench --news FILE        speed and memory beside named peers

Everything slow is imported inside the commands, so that --help answers at once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="python -m eval",
    help="Scores Wenju's retrieval, answers, citations and refusals.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Set = Annotated[Path, typer.Argument(metavar="SET", help="Questions: a file, or a BEIR folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result file's JSON.")]
Cache = Annotated[
    Path | None, typer.Option(envvar="WENJU_CACHE", help="Folder of the bundled model.")
]
Model = Annotated[
    str | None,
    typer.Option(envvar="WENJU_MODEL", help="Another embedding model: hub id or folder."),
]
Dictionary = Annotated[
    Path | None, typer.Option("--dict", envvar="WENJU_DICTIONARY", help="jieba user dictionary.")
]
Threads = Annotated[
    int, typer.Option(envvar="WENJU_THREADS", min=1, max=256, help="Threads of the encoder.")
]


def main() -> None:
    """Run the command line and exit with its status."""
    debug = "--debug" in sys.argv
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    try:
        status = app(arguments, standalone_mode=True)
    except KeyboardInterrupt:
        print(
            "Interrupted; what was done so far is kept: start it again to go on.", file=sys.stderr
        )
        sys.exit(1)
    except (Exception, BrokenPipeError) as error:
        from eval.errors import BadSet
        from rag.errors import WenjuError

        if debug or not isinstance(error, (WenjuError, OSError)):
            raise
        print(f"eval: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, BadSet) else 1)
    sys.exit(status or 0)


def _can_write(out: Path | None) -> Path | None:
    """Found out before the work and not after it."""
    if out is not None and not out.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {out.parent}; make it first")
    return out


Out = Annotated[Path | None, typer.Option(help="Write the result file here.", callback=_can_write)]


LanguageUrl = Annotated[
    str | None,
    typer.Option("--llm-url", envvar="WENJU_LLM_BASE_URL", help="Server of a language model."),
]
LanguageModel = Annotated[
    str | None, typer.Option("--llm-model", envvar="WENJU_LLM_MODEL", help="Its name there.")
]
LanguageKey = Annotated[
    str, typer.Option("--llm-key", envvar="WENJU_LLM_API_KEY", help="Its key.", show_default=False)
]


@app.command()
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
            generator=_model_server("llm", llm_url, llm_model, llm_key),
        ),
        http,
        key,
        limit,
        sample,
        jobs,
        out,
        fresh,
        save,
        _model_server("judge", judge_url, judge_model, judge_key),
    )
    with progress_bars() as step:
        result = session.run(plan, step)
    session.keep(plan, result)
    _deliver(result, None, as_json, show.show_run)
    if result["summary"]["all"]["failed"] == len(result["questions"]):
        first = result["questions"][0]["error"]
        print(f"eval: every question failed; the first: {first}", file=sys.stderr)
        raise typer.Exit(1)


def _model_server(option: str, url: str | None, model: str | None, key: str) -> Any:  # noqa: ANN401 imported late
    """A language model on a server; None where none is named."""
    if not url and not model:
        return None
    if not url or not model:
        raise typer.BadParameter(f"--{option}-url and --{option}-model go together")
    from rag.config import ModelServer

    return ModelServer(url, model, key)


@app.command()
def retrieval(
    sets: Annotated[list[Path], typer.Argument(metavar="SET...", help="SQuAD-format JSON files.")],
    home: Annotated[
        Path, typer.Option(help="Folder of the archives that are built of the sets.")
    ] = Path("wenju-data/eval"),
    crossings: Annotated[
        bool, typer.Option("--crossings", help="Also ask each set's questions of the others.")
    ] = False,
    mixtures: Annotated[
        bool, typer.Option("--mixtures", help="Also search archives that hold two sets mixed.")
    ] = False,
    questions: Annotated[
        int | None, typer.Option(min=1, help="Ask only so many of each set; always the same ones.")
    ] = None,
    titles: Annotated[
        bool, typer.Option("--titles", help="Index the articles' titles with their paragraphs.")
    ] = False,
    answers: Annotated[
        bool, typer.Option("--answers", help="Also ask the questions and score the answers.")
    ] = False,
    ablations: Annotated[
        bool, typer.Option("--ablations", help="Also with each signal and step left out, or alone.")
    ] = False,
    brief: Annotated[
        bool, typer.Option("--brief", help="Leave each question's scores out of the result file.")
    ] = False,
    out: Out = None,
    cache: Cache = None,
    model: Model = None,
    dictionary: Dictionary = None,
    threads: Threads = 2,
    as_json: AsJson = False,
) -> None:
    """Search for the paragraphs of SQuAD-format sets: recall, MRR, nDCG.

    A set's paragraphs are put into an archive of their own below --home, which a later run uses
    again. With --crossings, sets that share question ids are also searched across: the questions
    of one in the paragraphs of the other; with --mixtures, in an archive that holds half of each.
    """
    from eval.datasets import load_squad

    loaded = [load_squad(path) for path in sets]
    from eval import retrieval as retrieval_
    from eval import show
    from eval.target import config_of
    from rag.progress import progress_bars

    tasks = retrieval_.tasks_of(loaded, questions, crossings=crossings, mixtures=mixtures)
    config = config_of(home, cache, model, dictionary, threads)
    with progress_bars() as step:
        rows = retrieval_.run_tasks(
            tasks, config, titles=titles, answers=answers, ablations=ablations, progress=step
        )
    settings = {
        "questions": questions,
        "titles": titles,
        "answers": answers,
        "model": model,
        "threads": threads,
    }
    _deliver(retrieval_.report(rows, settings, brief=brief), out, as_json, show.show_retrieval)


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="Result file before.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Result file after.")],
    gate: Annotated[
        bool, typer.Option("--gate", help="Fail if a measure fell by more than its interval.")
    ] = False,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Compare two result files: differences, their confidence intervals, the changed questions."""
    from eval import compare as compare_
    from eval import show

    comparison = compare_.compare(compare_.load_results(first), compare_.load_results(second))
    _deliver(comparison, out, as_json, show.show_comparison)
    fallen = compare_.fallen(comparison) if gate else []
    for line in fallen:
        print(f"eval: fallen: {line}", file=sys.stderr)
    if fallen:
        raise typer.Exit(1)


@app.command()
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


@app.command()
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


@app.command()
def bench(
    news: Annotated[Path, typer.Option(help="News texts, one a line; plain or .xz.")],
    home: Annotated[
        Path, typer.Option(help="Folder of the archives that are made, and of their vectors.")
    ] = Path("wenju-data/bench"),
    articles: Annotated[
        int | None, typer.Option(min=1, help="Take only so many texts, the first.")
    ] = None,
    questions: Annotated[
        list[Path] | None,
        typer.Option(help="Question sets: SQuAD-format JSON, or JSON lines (.jsonl)."),
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="Only these parts, with commas between them.")
    ] = None,
    clients: Annotated[int, typer.Option(min=1, help="Clients that ask at one time.")] = 8,
    asked: Annotated[int, typer.Option(min=4, help="Questions of each measurement.")] = 200,
    vectors: Annotated[
        str, typer.Option(help="`synthetic`: mixtures of real ones stand for what is not encoded.")
    ] = "real",
    seed: Annotated[int, typer.Option(help="Draws other questions and articles.")] = 1,
    fresh: Annotated[bool, typer.Option("--fresh", help="Make the archives anew.")] = False,
    out: Annotated[
        Path | None, typer.Option("--json", help="Write the results here.", callback=_can_write)
    ] = None,
    cache: Cache = None,
    model: Model = None,
    dictionary: Dictionary = None,
    threads: Threads = 2,
) -> None:
    """Measure speed and memory beside named peers, in one run.

    An archive of the texts is made below --home and used again by later runs; every vector is kept
    there, so that the command can be stopped at any time and goes on where it was.
    """
    from eval import bench as bench_
    from eval import bench_show
    from eval.bench_archive import Setup
    from eval.bench_measure import Lines
    from eval.bench_questions import read_sets
    from eval.target import config_of

    parts = frozenset(only.split(",") if only else bench_.PARTS)
    if unknown := sorted(parts - set(bench_.PARTS)):
        raise typer.BadParameter(
            f"--only: no part is called {', '.join(unknown)}; there are {', '.join(bench_.PARTS)}"
        )
    if vectors not in ("real", "synthetic"):
        raise typer.BadParameter("--vectors is `real` or `synthetic`")
    sets, given = read_sets(questions or [])
    setup = Setup(
        config=config_of(home, cache, model, dictionary, threads),
        news=news,
        articles=articles,
        clients=clients,
        asked=asked,
        sets=sets,
        given=given,
        synthetic=vectors == "synthetic",
        seed=seed,
        fresh=fresh,
        lines=Lines(),
    )
    bench_show.show(bench_.run(setup, parts, out))


@app.command("make-questions")
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

    server = _model_server("llm", llm_url, llm_model, llm_key)
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


def _deliver(report: dict[str, Any], out: Path | None, as_json: bool, show: Any) -> None:  # noqa: ANN401 a function
    """Write the result file, and print it as JSON or as tables."""
    if out is not None:
        from eval.run import write

        write(out, report)
    if as_json:
        print(json.dumps(report, ensure_ascii=False, indent=1))
    else:
        show(report)


if __name__ == "__main__":
    main()

"""The command line of the evaluation. Exit status: 0 done, 1 failed, 2 wrong usage or a bad set.

    python -m eval run SET --home DIR       ask a question set and score the answers
    python -m eval report RESULT            one HTML page of a result file
    python -m eval retrieval SET...         search for the paragraphs of SQuAD-format sets
    python -m eval compare A B              two result files, question by question
    python -m eval make-questions           drafts of questions on an archive
    python -m eval feedback --home DIR      readers' verdicts as drafts of a question set
    python -m eval bench --news FILE        speed and memory beside named peers
    python -m eval engines [SET]...         the embedded engine and a server's: do they agree?
    python -m eval torture                  kill, fail and damage archives: what do they lose?

Everything slow is imported inside the commands, so that --help answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from eval import commands, commands_engines
from eval.options import AsJson, Cache, Dictionary, Model, Out, Threads, can_write, deliver
from rag import processors

app = typer.Typer(
    name="python -m eval",
    help="Scores Wenju's retrieval, answers, citations and refusals.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command()(commands.run)
app.command()(commands.report)
app.command("make-questions")(commands.make_questions)
app.command()(commands.feedback)
app.command()(commands.torture)
app.command()(commands_engines.engines)


def main() -> None:
    """Run the command line and exit with its status."""
    debug = "--debug" in sys.argv
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    processors.share()
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
    deliver(retrieval_.report(rows, settings, brief=brief), out, as_json, show.show_retrieval)


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
    deliver(comparison, out, as_json, show.show_comparison)
    fallen = compare_.fallen(comparison) if gate else []
    for line in fallen:
        print(f"eval: fallen: {line}", file=sys.stderr)
    if fallen:
        raise typer.Exit(1)


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
    copies: Annotated[
        int, typer.Option(min=1, help="Take the archive so many times over, varied each time.")
    ] = 1,
    seed: Annotated[int, typer.Option(help="Draws other questions and articles.")] = 1,
    fresh: Annotated[bool, typer.Option("--fresh", help="Make the archives anew.")] = False,
    out: Annotated[
        Path | None, typer.Option("--json", help="Write the results here.", callback=can_write)
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
    if copies > 1 and (not only or "build" in parts):
        raise typer.BadParameter("--copies: name the parts with --only; `build` is none of them")
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
        copies=copies,
        lines=Lines(),
    )
    bench_show.show(bench_.run(setup, parts, out))


if __name__ == "__main__":
    main()

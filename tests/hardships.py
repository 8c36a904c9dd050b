"""`python tests/hardships.py SCENE FOLDER CACHE`: an archive on a disk that fails; what came of it.

Run by test_hardships.py in a mount namespace, so that what is mounted goes with the process, or
without the rights that let root read and write everything. It prints one JSON object.
"""

import contextlib
import gc
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import httpx2
import wenju_fake  # noqa: F401 the stand-in for the model
from serving import serving

from api import cli
from eval.torture_archive import Expected, name_of, problems, question_of, text_of

Json = dict[str, Any]
SIZE = 24  # megabytes of the disk


class Scene:
    """One home, the command line on it, and a server beside."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self.cache, self.home = folder, cache, folder / "home"
        self.sources = folder.parent / "sources"
        self.sources.mkdir(exist_ok=True)
        os.environ["WENJU_CACHE"] = str(cache)
        self.address = ""

    def cli(self, *arguments: str) -> Json:
        """The real command line: status and what it said."""
        out, err = io.StringIO(), io.StringIO()
        sys.argv = ["wenju", *arguments, "--home", str(self.home)]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                cli.main()
            except SystemExit as end:
                status = end.code
        gc.collect()  # what a process closes by ending
        return {"status": status, "out": out.getvalue(), "err": err.getvalue()}

    def add(self, number: int) -> Json:
        path = self.sources / name_of(number)
        path.write_text(text_of(number), encoding="utf-8")
        return self.cli("add", str(path))

    def first(self) -> str:
        """The id of an article."""
        listed = self.cli("articles", "--json")
        return json.loads(listed["out"])["articles"][0]["id"] if not listed["status"] else "0" * 16

    def commands(self) -> Json:
        """What each command comes to now."""
        return {
            "add": self.add(2),
            "ask": self.cli("ask", question_of(1)),
            "articles": self.cli("articles"),
            "delete": self.cli("delete", self.first()),
            "keys": self.cli("keys", "create", "desk"),
            "backup": self.cli("backup", str(self.folder / "backup.tar")),
        }

    def asked(self) -> Json:
        """What the server says to a question and to an article."""
        with httpx2.Client(base_url=self.address, timeout=60) as client:
            found = client.post("/v1/search", json={"question": question_of(1), "top_k": 1})
            answer = client.post("/v1/ask", json={"question": question_of(1)})
            added = client.post("/v1/articles", json={"name": name_of(3), "text": text_of(3)})
            files = added.json().get("files", [{}])
            return {
                "search": found.status_code,
                "first": found.json().get("passages", [{"text": ""}])[0]["text"],
                "ask": answer.status_code,
                "add": added.status_code,
                "outcome": files[0].get("outcome", ""),
                "error": added.json().get("error", {}),
                "ready": client.get("/readyz").status_code,
            }

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        log = self.folder.parent / "server.log"  # this disk has room
        with serving(self.home, self.cache, log) as (self.address, _):
            yield

    def kept(self, *numbers: int) -> list[str]:
        """What is wrong in the end; the first may be gone, as its deletion may have been begun."""
        expected = Expected(frozenset(numbers), open=numbers[0])
        return problems(self.home, self.cache, expected, list(numbers[1:]))


def _mounted(scene: Scene) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "tmpfs", scene.folder],
                   check=True)  # fmt: skip


def full(scene: Scene) -> Json:
    """The disk fills up while an archive is served, and when it is not."""
    _mounted(scene)
    result: Json = {"before": scene.add(1)}
    filler = scene.folder / "filler"

    def fill() -> None:
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"0" * 4096):
                pass

    with scene.serving():
        fill()
        result["served"] = scene.asked()
        filler.unlink()
        result["again"] = scene.asked()
    fill()
    result["commands"] = scene.commands()
    filler.unlink()
    result["after"] = scene.add(2)
    return result | {"problems": scene.kept(1, 2, 3)}


def read_only(scene: Scene) -> Json:
    """The disk is mounted to be read only; a server starts on it and finds it writable later."""
    _mounted(scene)
    result: Json = {"before": scene.add(1)}

    def remount(how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", scene.folder], check=True)

    remount("ro")
    result["commands"] = scene.commands()
    with scene.serving():
        result["served"] = scene.asked()
        remount("rw")
        result["again"] = scene.asked()
    result["after"] = scene.add(2)
    return result | {"problems": scene.kept(1, 2, 3)}


def permission(scene: Scene) -> Json:
    """The right to write is taken away while an archive is served, and given back."""
    result: Json = {"before": scene.add(1)}

    def rights(folder: int, file: int) -> None:
        for path in [scene.home, *scene.home.rglob("*")]:
            path.chmod(folder if path.is_dir() else file)

    with scene.serving():
        rights(0o555, 0o444)
        result["served"] = scene.asked()
        result["commands"] = scene.commands()
        rights(0o755, 0o644)
        result["again"] = scene.asked()
    result["after"] = scene.add(2)
    return result | {"problems": scene.kept(1, 2, 3)}


SCENES: dict[str, Callable[[Scene], Json]] = {
    "full": full, "read_only": read_only, "permission": permission,
}  # fmt: skip

if __name__ == "__main__":
    folder, cache = Path(sys.argv[2]), Path(sys.argv[3])
    json.dump(SCENES[sys.argv[1]](Scene(folder, cache)), sys.stdout, ensure_ascii=False)

"""Serves a small archive and sends schemathesis' requests to it: `api_check.py ST ARGUMENT…`.

The server is the real one, with an encoder that needs no model.

Ends with schemathesis' own exit status, or 1 where the server wrote an unexpected error.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WENJU = [sys.executable, "tests/wenju_fake.py"]
ARTICLE = (
    "---\ntitle: 试验田\nauthors: 王一\ndate: 2024-05-20\n---\n\n今年全县建成试验田三十二块。\n"
)


def main(command: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        return check(command, Path(folder))


def check(command: list[str], folder: Path) -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    (folder / "a.md").write_text(ARTICLE, encoding="utf-8")
    home = ["--home", str(folder / "home")]
    env = {**os.environ, "WENJU_CACHE": str(folder)}
    subprocess.run([*WENJU, "add", str(folder / "a.md"), *home], cwd=ROOT, env=env, check=True)
    server = [*WENJU, "serve", "--port", str(port), *home]
    log = ROOT / ".api-check.log"
    with log.open("w") as out:
        process = subprocess.Popen(server, cwd=ROOT, env=env, stdout=out, stderr=subprocess.STDOUT)
        try:
            wait(url, process)
            done = subprocess.run(
                [command[0], "--config-file", "schemathesis.toml", "run", f"{url}/openapi.json",
                 "--checks", "all", "--request-timeout", "120", "--max-response-time", "60",
                 "--no-color", "--seed", "1", *command[1:]],
                cwd=ROOT, check=False,
            )  # fmt: skip
        finally:
            process.terminate()
            process.wait(30)
    if "unexpected error" in log.read_text(encoding="utf-8"):
        print(log.read_text(encoding="utf-8"))
        return 1
    return done.returncode


def wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while True:
        assert process.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(f"{url}/healthz", timeout=5).close()  # noqa: S310 our own server
        except OSError:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.2)
        else:
            return


sys.exit(main(sys.argv[1:]))

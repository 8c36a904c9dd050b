"""Driving the chat page in Debian's chromium, and serving it for that.

A page that is opened through `Browsing` fails its test on any console error, uncaught exception or
failed request, unless the test said beforehand that it expects one.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Playwright,
    Request,
    expect,
    sync_playwright,
)

ROOT = Path(__file__).resolve().parent.parent
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
LOCALES = {"zh": "zh-CN", "en": "en-GB"}

expect.set_options(timeout=30_000)


def chromium(playwright: Playwright) -> Browser:
    """Debian's chromium; without it CI fails, and other machines skip with the reason."""
    path = shutil.which("chromium")
    if path is None:
        reason = "chromium is not installed (apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return playwright.chromium.launch(executable_path=path, args=ARGUMENTS)


@contextmanager
def started() -> Iterator[Browser]:
    """A browser for as long as the block runs."""
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        yield browser
        browser.close()


class Browsing:
    """Opens pages and collects what goes wrong in them.

    Attributes:
        problems: what went wrong, in words.
        allowed: regular expressions of problems that the test provokes on purpose.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.problems: list[str] = []
        self.allowed: list[str] = []

    def open(
        self,
        url: str,
        language: str = "zh",
        width: int = 1024,
        height: int = 768,
        scheme: str = "light",
        still: bool = True,
    ) -> Page:
        """A page in a fresh profile, its language, width and colours as asked for."""
        context = self._browser.new_context(
            locale=LOCALES[language],
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type] # "light" or "dark"
            reduced_motion="reduce" if still else "no-preference",
            permissions=["clipboard-read", "clipboard-write"],
        )
        page = context.new_page()
        self._watch(page)
        page.goto(url)
        return page

    def _watch(self, page: Page) -> None:
        def said(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                self.problems.append(f"console: {message.text}")

        page.on("console", said)
        page.on("pageerror", lambda error: self.problems.append(f"exception: {error}"))

        def failed(request: Request) -> None:
            # ERR_ABORTED is the browser's own doing: the page was left, a question was stopped, or
            # a script had read a streamed body to its end a moment before the network said so (7 of
            # 40 times here). What breaks off by itself has another name, and shows in the page.
            if request.failure != "net::ERR_ABORTED":
                self.problems.append(f"request: {request.url} {request.failure}")

        page.on("requestfailed", failed)

    def close(self) -> None:
        """Close every page and fail on what went wrong.

        Raises:
            AssertionError: something went wrong that was not allowed.
        """
        for context in self._browser.contexts:
            context.close()
        bad = [p for p in self.problems if not any(re.search(a, p) for a in self.allowed)]
        assert not bad, bad


def stop_the_clock(page: Page) -> None:
    """Let no time go by in the page from here on, so that no notice goes before it is clicked."""
    page.clock.install()
    page.clock.pause_at(time.time() + 60)


def words(page: Page) -> Callable[..., str]:
    """The page's own words: `say("archive.count", n=3)` in the language that it shows."""

    def say(key: str, **values: str | int) -> str:
        script = "async ([k, v]) => (await import('/static/i18n.js')).t(k, v)"
        said: str = page.evaluate(script, [key, values])
        return said

    return say


def tab_to(page: Page, wanted: Locator, key: str = "Tab", most: int = 90) -> None:
    """Press Tab until something has the focus, as a reader without a mouse does.

    Raises:
        AssertionError: it is not reached.
    """
    for _ in range(most):
        if wanted.evaluate("node => node === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{wanted} is not reached by {key}")


@contextmanager
def served(home: Path, log: Path) -> Iterator[str]:
    """The real `wenju serve` in a process of its own; gives its address.

    Its output goes to a file: a pipe that nobody reads would stop it once full.
    """
    command = [sys.executable, "-m", "api.cli", "serve", "--home", str(home), "--port", "0"]
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield _ready(process, log)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ready(process: subprocess.Popen[bytes], log: Path, seconds: float = 240) -> str:
    """Wait until the server answers /readyz; its address stands in its first lines."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"wenju serve ended with {process.returncode}:\n{log.read_text()}")
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
        if found and _answers(f"{found[0]}/readyz"):
            return found[0]
        time.sleep(0.2)
    pytest.fail(f"wenju serve was not ready after {seconds} seconds:\n{log.read_text()}")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=60) as response:  # noqa: S310 our own server
            return response.status == 200
    except OSError:
        return False

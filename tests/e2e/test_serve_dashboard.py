"""The dashboard in a real browser: live, honest when it is not, within its own strict policy."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

DEADLINE_S = 60.0


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"waited {DEADLINE_S:.0f} s for {what}"
        time.sleep(0.05)


@contextlib.contextmanager
def controller(data: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    shoal = Path(sys.executable).parent / "shoal"
    arguments = ["--listen", "127.0.0.1:0", "--listen-devices", "127.0.0.1:0", "--mqtt", "off"]
    with subprocess.Popen([str(shoal), "serve", "--data", str(data), *arguments]) as process:
        try:
            until((data / "endpoints.json").exists, "the controller")
            yield process, json.loads((data / "endpoints.json").read_text())["http"]
        finally:
            process.kill()


@contextlib.contextmanager
def browser(folder: Path, address: str) -> Iterator[Callable[[], str]]:
    """A browser on `address`; yields what reads the page's title."""
    folder.mkdir()
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    options += ["--disable-background-networking", "--remote-debugging-port=0"]
    options += [f"--user-data-dir={folder}", "--enable-logging=stderr"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            ["chromium", *options, address], stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        try:
            file = folder / "DevToolsActivePort"
            until(lambda: file.exists() and len(file.read_text().split()) > 1, "the browser")
            port = file.read_text().split()[0]

            def title() -> str:
                targets = httpx.get(f"http://127.0.0.1:{port}/json/list", trust_env=False).json()
                return next((str(t["title"]) for t in targets if t["type"] == "page"), "")

            yield title
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.needs_program("chromium", package="chromium")
def test_the_page_is_live_says_when_it_is_not_and_keeps_its_own_policy(tmp_path: Path) -> None:
    with (
        controller(tmp_path / "data") as (process, address),
        browser(tmp_path / "browser", f"{address}/") as title,
    ):
        until(lambda: title() == "Shoal", "the page to be live")
        log = (tmp_path / "browser" / "log").read_text(errors="replace")
        assert "CONSOLE" not in log, log
        process.kill()
        until(lambda: title().startswith("Shoal: stale"), "the page to say that it is stale")

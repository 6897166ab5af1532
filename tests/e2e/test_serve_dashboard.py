"""The dashboard in a real browser: live, and within its own strict policy."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

DEADLINE_S = 60.0


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    shoal = Path(sys.executable).parent / "shoal"
    arguments = ["--listen", "127.0.0.1:0", "--listen-devices", "127.0.0.1:0", "--mqtt", "off"]
    process = subprocess.Popen([str(shoal), "serve", "--data", str(tmp_path), *arguments])
    end = time.monotonic() + DEADLINE_S
    while not (tmp_path / "endpoints.json").exists():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    yield json.loads((tmp_path / "endpoints.json").read_text())["http"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE_S) == 0


@pytest.mark.needs_program("chromium", package="chromium")
def test_the_page_goes_live_without_breaking_its_own_policy(address: str, tmp_path: Path) -> None:
    document = {
        "apiVersion": "shoal/v1",
        "kind": "Deployment",
        "metadata": {"name": "digits"},
        "spec": {"model": "digits", "selector": {}},
    }
    httpx.post(f"{address}/api/v1/apply", json=document, trust_env=False).raise_for_status()
    browser = subprocess.run(
        [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            f"--user-data-dir={tmp_path / 'browser'}",
            "--enable-logging=stderr",
            "--timeout=5000",
            "--dump-dom",
            f"{address}/",
        ],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert '<span id="badge" class="badge live" role="status">live</span>' in browser.stdout
    assert "default/digits" in browser.stdout
    assert "CONSOLE" not in browser.stderr, browser.stderr

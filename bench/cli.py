"""How long a command line takes: its start, and lists of a large fleet, page by page.

The peer of a start is a bare interpreter; the peer of a list reads the same pages with urllib and
prints their names, which is the least that any client could do.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import fleet, report

_SHOAL = (sys.executable, "-m", "shoal.cli.main")
_BARE = (sys.executable, "-c", "pass")
_ARGPARSE = (
    sys.executable,
    "-c",
    "import argparse; p = argparse.ArgumentParser(); p.add_argument('--x'); p.parse_args([])",
)
_DEVICES = 10_000
_LIST_PAIRS = 5
_LEAST = """
import json, sys, urllib.request
token = ""
while token is not None:
    with urllib.request.urlopen(f"{sys.argv[1]}/api/v1/devices?continue={token}") as answer:
        page = json.load(answer)
    print("\\n".join(one["metadata"]["name"] for one in page["items"]))
    token = page["continue"]
"""
# Nobody listens on port 1, so this is the whole way to the first refused connection.
_NOWHERE = ("--server", "http://127.0.0.1:1")


def _timed(*command: str) -> Callable[[], float]:
    """A measurement of one run of `command` from start to exit, in milliseconds."""

    def run() -> float:
        start_s = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return (time.perf_counter() - start_s) * 1000

    return run


def rows(pairs: int) -> Iterator[report.Row]:
    """Start-up of the help, of a verb's help, of documentation, of a request that fails."""
    for what, line in (
        ("shoal --help", ("--help",)),
        ("shoal get --help", ("get", "--help")),
        ("shoal explain model", ("explain", "model")),
        ("shoal get devices (nobody there)", (*_NOWHERE, "get", "devices")),
    ):
        yield report.compared(
            f"{what} / python -c pass", _timed(*_SHOAL, *line), _timed(*_BARE), pairs
        )
    yield report.compared(
        "shoal --help / argparse", _timed(*_SHOAL, "--help"), _timed(*_ARGPARSE), pairs
    )


def lists(pairs: int) -> Iterator[report.Row]:
    """Lists of 10,000 devices in every output, and completion of their names."""
    with (
        tempfile.TemporaryDirectory(prefix="shoal-bench-") as folder,
        fleet.serving(Path(folder), _DEVICES) as address,
    ):
        least = _timed(sys.executable, "-c", _LEAST, address)
        shoal = (*_SHOAL, "--server", address, "get", "devices")
        for more in ((), ("-o", "json"), ("-o", "name"), ("--limit", "100")):
            what = " ".join(("shoal get devices", *more))
            yield report.compared(
                f"{what} / urllib, {_DEVICES} devices", _timed(*shoal, *more), least, pairs
            )


def main() -> None:
    """Runs the benchmark."""
    chosen = report.options(__doc__ or "")
    every = (*rows(chosen.pairs), *lists(min(chosen.pairs, _LIST_PAIRS)))
    report.show("cli", ("shoal", "typer", "httpx", "pydantic"), every, chosen.output)


if __name__ == "__main__":
    main()

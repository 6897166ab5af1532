"""How long a command line takes to start: `shoal` beside a bare interpreter and argparse."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from bench import report

_SHOAL = (sys.executable, "-m", "shoal.cli.main")
_BARE = (sys.executable, "-c", "pass")
_ARGPARSE = (
    sys.executable,
    "-c",
    "import argparse; p = argparse.ArgumentParser(); p.add_argument('--x'); p.parse_args([])",
)
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


def main() -> None:
    """Runs the benchmark."""
    chosen = report.options(__doc__ or "")
    report.show("cli", ("shoal", "typer", "httpx", "pydantic"), rows(chosen.pairs), chosen.output)


if __name__ == "__main__":
    main()

"""Peak memory of a model, measured in a fresh child while other work goes on."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from shoal.compressor.sources.rows import Array

RUNS: Final = 20
_TIMEOUT_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """`peak_bytes` is the model's: VmHWM after 20 runs minus RSS after importing the runtime.

    `stage_bytes` are the same for each stage of a staged variant, empty for any other.
    """

    peak_bytes: int
    runtime_rss_bytes: int
    stage_bytes: tuple[int, ...] = ()


class MeasuringError(Exception):
    """The child that measures died: the model fails in a fresh process."""


class Measuring:
    """A running measurement; `result` waits for it, `stop` ends it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def result(self) -> Memory:
        """The figures, when the child is done.

        Raises:
            MeasuringError: the child failed or hung.
        """
        try:
            out, err = self._process.communicate(timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.stop()
            raise MeasuringError(f"no end after {_TIMEOUT_S:.0f} s in a fresh process") from None
        if self._process.returncode != 0:
            last = err.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
            raise MeasuringError(f"failed in a fresh process: {last[0][:300]}")
        figures = json.loads(out)
        runtime = figures["runtime_rss_bytes"]
        return Memory(
            peak_bytes=figures["peak_bytes"] - runtime,
            runtime_rss_bytes=runtime,
            stage_bytes=tuple(peak - runtime for peak in figures["stage_bytes"]),
        )

    def stop(self) -> None:
        """Ends the child, whatever it does."""
        self._process.kill()
        self._process.communicate()


def start(model: Path, feed_path: Path, threads: int, runs: int = RUNS) -> Measuring:
    """Starts measuring the model file `model` with the row stored at `feed_path`."""
    command = [
        sys.executable,
        "-m",
        "shoal.compressor.evaluate.memory_child",
        str(model),
        str(feed_path),
        str(threads),
        str(runs),
    ]
    pipe = subprocess.PIPE
    return Measuring(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe))


def store_feed(feed: dict[str, Array], path: Path) -> None:
    """Writes one row for the measuring children."""
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **feed)

"""Latency of a candidate beside the source, robust against whatever else the machine does.

Both run in one process on one thread, in alternating blocks, so that a slow spell of the machine
falls on both. Each round gives one ratio of medians; the answer is the median over rounds. The
candidate's milliseconds are the source's, measured once, times the ratios: figures of candidates
that were measured minutes apart stay comparable.
"""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from shoal.compressor.passes.protocol import Effort
from shoal.compressor.sources.rows import Array

_WARM_RUNS: Final = 10
_BLOCK_S: Final = 0.004  # a block long enough for a steady median, short enough to alternate often
_BLOCK_RUNS: Final = (5, 50)

Run = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds of one inference at batch 1."""

    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Candidate over source; below 1 is faster. `p50` is the report's `latency_ratio`."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """How long to measure: whole rounds until the time is spent, within bounds."""

    least: int
    most: int
    seconds: float


ROUNDS: Final = {
    Effort.QUICK: Rounds(least=11, most=31, seconds=0.25),
    Effort.BALANCED: Rounds(least=21, most=101, seconds=1.0),
    Effort.THOROUGH: Rounds(least=41, most=401, seconds=4.0),
}


def runner(session: Any, feed: dict[str, Array]) -> Run:
    """One inference of `session` on `feed`, as a call without arguments."""
    return lambda: session.run(None, feed)


def single(run: Run, rounds: Rounds) -> Latency:
    """The latency of one thing alone: medians over blocks of each block's p50 and p95."""
    size = _warm(run)
    blocks = [_block(run, size) for _ in _ticks(rounds)]
    return Latency(
        p50_ms=float(np.median([np.quantile(block, 0.50) for block in blocks])) * 1000,
        p95_ms=float(np.median([np.quantile(block, 0.95) for block in blocks])) * 1000,
    )


def ratio(candidate: Run, source: Run, rounds: Rounds) -> Ratio:
    """How many times the source's time the candidate takes.

    The order inside a round alternates, so that neither always runs on the other's warm caches.
    """
    sizes = {candidate: _warm(candidate), source: _warm(source)}
    p50, p95 = [], []
    for tick in _ticks(rounds):
        order = (candidate, source) if tick % 2 else (source, candidate)
        taken = {run: _block(run, sizes[run]) for run in order}
        p50.append(np.quantile(taken[candidate], 0.50) / np.quantile(taken[source], 0.50))
        p95.append(np.quantile(taken[candidate], 0.95) / np.quantile(taken[source], 0.95))
    return Ratio(p50=float(np.median(p50)), p95=float(np.median(p95)))


def _ticks(rounds: Rounds) -> "itertools.takewhile[int]":
    start = time.perf_counter()
    return itertools.takewhile(
        lambda tick: (
            tick < rounds.least
            or (tick < rounds.most and time.perf_counter() - start < rounds.seconds)
        ),
        itertools.count(),
    )


def _warm(run: Run) -> int:
    """Runs per block, after a few that warm caches and arenas."""
    taken = _block(run, _WARM_RUNS)
    least, most = _BLOCK_RUNS
    return int(min(max(_BLOCK_S / max(float(np.median(taken)), 1e-9), least), most))


def _block(run: Run, runs: int) -> list[float]:
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return taken

"""Latency of a candidate beside the source, robust against whatever else the machine does.

Both run in one process on one thread, in alternating blocks, so that a slow spell of the machine
falls on both. A busy neighbour does not slow every network alike: the same int8 net took x1.13 of
float alone and x1.24 beside other work. So the ratio is that of the quietest tenth of the blocks,
which a machine that does nothing else gives in every block (spread of repeated measurements under
load: 0.3 to 1.6 %, medians over all blocks: 3 %). A block's first runs, with the other model's
weights in the caches, are not counted. Which session was opened first, or another session over the
same file, made no difference beyond noise, so there is one of each.

The candidate's milliseconds are the source's, measured once, times the ratios: figures of
candidates that were measured minutes apart stay comparable.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from shoal.compressor.passes.protocol import Effort
from shoal.compressor.sources.rows import Array

_WARM_S: Final = 0.02
_WARM_RUNS: Final = (2, 10)
_BLOCK_S: Final = 0.005  # a block long enough for a steady median, short enough to alternate often
_BLOCK_RUNS: Final = (3, 60)
_UNCOUNTED: Final = 5  # of each block the first fifth, at least one run, warms the caches
_QUIET: Final = 0.1  # the share of blocks that counts as undisturbed
_STEADY: Final = 1.015  # blocks this close to the best one are as good as it
_STEADY_BLOCKS: Final = 4
_PATIENCE: Final = 3.0  # times the time, where no two blocks are alike

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
    """How long to measure: at least `least` rounds, then until `seconds` or `most` are reached."""

    least: int
    most: int
    seconds: float


ROUNDS: Final = {
    Effort.QUICK: Rounds(least=5, most=40, seconds=0.3),
    Effort.BALANCED: Rounds(least=7, most=150, seconds=1.0),
    Effort.THOROUGH: Rounds(least=9, most=600, seconds=4.0),
}


@dataclass(slots=True)
class _Side:
    """One of the two that are compared: its blocks' quantiles so far."""

    run: Run
    runs: int
    p50: list[float] = field(default_factory=list)
    p95: list[float] = field(default_factory=list)

    def measure(self) -> None:
        """One more block."""
        taken = _block(self.run, self.runs + max(self.runs // _UNCOUNTED, 1))[-self.runs :]
        self.p50.append(float(np.quantile(taken, 0.50)))
        self.p95.append(float(np.quantile(taken, 0.95)))

    @property
    def is_steady(self) -> bool:
        """Whether several blocks agree with the fastest one."""
        best = min(self.p50) * _STEADY
        return sum(one <= best for one in self.p50) >= _STEADY_BLOCKS


def runner(session: Any, feed: dict[str, Array]) -> Run:
    """One inference of `session` on `feed`, as a call without arguments."""
    return lambda: session.run(None, feed)


def single(run: Run, rounds: Rounds) -> Latency:
    """The latency of one thing alone: medians over blocks of each block's p50 and p95."""
    side = _warmed(run)
    _take_turns([side], rounds)
    return Latency(
        p50_ms=float(np.median(side.p50)) * 1000,
        p95_ms=float(np.median(side.p95)) * 1000,
    )


def ratio(candidate: Run, source: Run, rounds: Rounds) -> Ratio:
    """How many times the source's time the candidate takes."""
    ours, theirs = _warmed(candidate), _warmed(source)
    _take_turns([ours, theirs], rounds)
    return Ratio(p50=_quiet_ratio(ours.p50, theirs.p50), p95=_quiet_ratio(ours.p95, theirs.p95))


def _quiet_ratio(ours: list[float], theirs: list[float]) -> float:
    """Example: blocks of 1.0, 1.0 and 1.6 ms beside 2.0, 2.1 and 2.0 ms: 1.0 / 2.0."""
    return float(np.quantile(ours, _QUIET) / np.quantile(theirs, _QUIET))


def _take_turns(sides: list[_Side], rounds: Rounds) -> None:
    """Blocks in turn, the order reversed each round, so that neither always follows the other."""
    start = time.perf_counter()
    for tick in range(rounds.most):
        elapsed = time.perf_counter() - start
        if tick >= rounds.least and elapsed >= rounds.seconds:
            steady = all(side.is_steady for side in sides)
            if steady or elapsed >= _PATIENCE * rounds.seconds:
                break
        for side in sides if tick % 2 else reversed(sides):
            side.measure()


def _warmed(run: Run) -> _Side:
    """A side whose caches and arenas are warm, with the number of runs in a block."""
    least, most = _WARM_RUNS
    taken = _block(run, least)
    fewer = int(_WARM_S / max(min(taken), 1e-9))
    taken += _block(run, min(fewer, most - least))
    least, most = _BLOCK_RUNS
    return _Side(run=run, runs=min(max(int(_BLOCK_S / max(min(taken), 1e-9)), least), most))


def _block(run: Run, runs: int) -> list[float]:
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return taken

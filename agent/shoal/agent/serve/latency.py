"""Latency of a candidate beside the active variant, on a machine that does other things too.

Both run alternately in one process, so a slow spell falls on both. Other processes only ever make a
run slower, so of several rounds the best one is nearest to the truth: a limit counts as exceeded
only when every round exceeds it, and the rounds end as soon as nothing is exceeded any more.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shoal.contract.assignment import Preflight

ROUNDS = 8
ROUND_S = 0.5  # a round is cut short by this, for models that take long
RUNS = (10, 60)  # of each side in a round: p95 wants some, a slow model cannot have many
PAUSE_S = 0.02  # grows with every round, to come out of a busy spell

Run = Callable[[], object]
Clock = Callable[[], float]  # seconds from any origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """The best of all rounds; beside an active variant also its p95, and the ratio of both."""

    p50_ms: float
    p95_ms: float
    active_p95_ms: float | None = None
    ratio: float | None = None

    def exceeds(self, limits: Preflight) -> str:
        """What is exceeded, as a sentence; empty where nothing is."""
        budget = limits.budget.latency_p95_ms
        if budget is not None and self.p95_ms > budget:
            return f"p95 is {self.p95_ms:.3f} ms, the budget {budget:g} ms"
        most = limits.max_latency_ratio
        if most is not None and self.ratio is not None and self.ratio > most:
            return (
                f"p95 is {self.ratio:.2f} times that of the active variant "
                f"({self.p95_ms:.3f} ms), at most {most:g} is allowed"
            )
        return ""


def measure(
    candidate: Run, active: Run | None, limits: Preflight, clock: Clock = time.perf_counter
) -> Latency:
    """Rounds until nothing is exceeded, `ROUNDS` at most."""
    best = _round(candidate, active, clock)
    for number in range(1, ROUNDS):
        if not best.exceeds(limits):
            break
        time.sleep(PAUSE_S * number)
        best = _better(best, _round(candidate, active, clock))
    return best


def _round(candidate: Run, active: Run | None, clock: Clock) -> Latency:
    sides = [candidate] if active is None else [candidate, active]
    seconds: list[list[float]] = [[] for _ in sides]
    least, most = RUNS
    ends = clock() + ROUND_S
    for number in range(most):
        if number >= least and clock() > ends:
            break
        # Turn about, so that neither side always finds the other's caches.
        order = range(len(sides)) if number % 2 else reversed(range(len(sides)))
        for side in order:
            started = clock()
            sides[side]()
            seconds[side].append(clock() - started)
    p95_ms = quantile_ms(seconds[0], 0.95)
    if active is None:
        return Latency(p50_ms=quantile_ms(seconds[0], 0.5), p95_ms=p95_ms)
    active_p95_ms = quantile_ms(seconds[1], 0.95)
    return Latency(
        p50_ms=quantile_ms(seconds[0], 0.5),
        p95_ms=p95_ms,
        active_p95_ms=active_p95_ms,
        ratio=p95_ms / active_p95_ms,
    )


def _better(one: Latency, other: Latency) -> Latency:
    return Latency(
        p50_ms=min(one.p50_ms, other.p50_ms),
        p95_ms=min(one.p95_ms, other.p95_ms),
        active_p95_ms=_least(one.active_p95_ms, other.active_p95_ms),
        ratio=_least(one.ratio, other.ratio),
    )


def _least(one: float | None, other: float | None) -> float | None:
    return one if other is None else other if one is None else min(one, other)


def quantile_ms(seconds: Sequence[float], q: float) -> float:
    """The nearest-rank quantile: of 60 values, q 0.95 is the 57th smallest."""
    ordered = sorted(seconds)
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)] * 1000

"""What one device says: its counts become the one number with which it votes.

Every effect is signed so that positive means the candidate is worse, and cumulative since the
switch. A device whose counts are too few gives no effect; `LEAST_SAMPLES` says how many are needed.
"""

import enum
import math
from dataclasses import dataclass


class Effect(enum.StrEnum):
    """The kinds of effects, by what they need."""

    PAIRED = "paired"
    ACCURACY = "accuracy"
    ERROR_RATE = "errorRate"
    LATENCY_P50 = "latency.p50"
    LATENCY_P95 = "latency.p95"
    LATENCY_P99 = "latency.p99"


# A quantile needs about three values beyond it, a rate about one expected error.
LEAST_SAMPLES = {
    Effect.PAIRED: 20,
    Effect.ACCURACY: 30,
    Effect.ERROR_RATE: 60,
    Effect.LATENCY_P50: 10,
    Effect.LATENCY_P95: 60,
    Effect.LATENCY_P99: 300,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many of `n` went wrong."""

    events: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.events <= self.n:
            raise ValueError(f"{self.events} of {self.n} is no count of events")

    @property
    def rate(self) -> float:
        """The share that went wrong; 0 of nothing."""
        return self.events / self.n if self.n else 0.0

    @property
    def noise(self) -> float:
        """The variance of the rate that sampling alone gives, as if one more had gone wrong."""
        return (self.events * (1 - self.rate) + 1) / self.n**2 if self.n else 0.0


def paired(b: int, c: int, n: int) -> float:
    """The drop on `n` shadowed inputs: `b` only the active side got right, `c` only the candidate.

    Raises:
        ValueError: a count is negative, or there are more differences than inputs.
    """
    if min(b, c) < 0 or b + c > n or n == 0:
        raise ValueError(f"{b} worse and {c} better of {n} are no counts of pairs")
    return (b - c) / n


def rate_change(before: Counts, after: Counts) -> float:
    """How much the rate of events rose on this device; each device is its own past.

    Raises:
        ValueError: one side counted nothing.
    """
    if not before.n or not after.n:
        raise ValueError("a change of rates needs counts before and after")
    return after.rate - before.rate


def log_change(before: float, after: float) -> float:
    """How much a positive quantity rose, as a logarithm: 0.095 for 10 %.

    For memory, and for a quantile of latency out of the device's own histograms.

    Raises:
        ValueError: one of the two is not positive and finite.
    """
    if not 0 < before < math.inf or not 0 < after < math.inf:
        raise ValueError(f"a ratio needs positive numbers, not {before} and {after}")
    return math.log(after / before)

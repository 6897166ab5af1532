"""Latency as a base-2 exponential histogram that merges exactly.

Source: OpenTelemetry metrics data model, "ExponentialHistogram"
(https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram). Bucket `i` at
scale `s` holds values in (base**i, base**(i+1)] with base = 2**(2**-s).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from shoal.contract.limits import HISTOGRAM_BUCKETS, HISTOGRAM_SCALE


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """A frozen histogram: sparse buckets, sorted by index; zero has its own count."""

    scale: int = HISTOGRAM_SCALE
    buckets: tuple[tuple[int, int], ...] = ()
    zeros: int = 0
    total: float = 0.0

    @property
    def count(self) -> int:
        """All recorded values."""
        return self.zeros + sum(count for _, count in self.buckets)

    def quantile(self, q: float) -> float | None:
        """The value at share `q` (0 to 1), log-linear inside its bucket; None when empty."""
        count = self.count
        if count == 0:
            return None
        rank = q * count
        seen = float(self.zeros)
        if self.zeros and rank <= seen:
            return 0.0
        for index, n in self.buckets:
            if rank <= seen + n:
                return _bound(self.scale, index + (rank - seen) / n)
            seen += n
        return _bound(self.scale, self.buckets[-1][0] + 1)

    def merge(self, other: "Histogram") -> "Histogram":
        """The histogram of both sets of values, at the coarser scale of the two."""
        scale = min(self.scale, other.scale)
        merged: dict[int, int] = {}
        for side in (self, other):
            shift = side.scale - scale
            for index, n in side.buckets:
                merged[index >> shift] = merged.get(index >> shift, 0) + n
        return _bounded(scale, merged, self.zeros + other.zeros, self.total + other.total)


@dataclass(slots=True)
class Recorder:
    """The growing form of a histogram, for one thread."""

    scale: int = HISTOGRAM_SCALE
    _buckets: dict[int, int] = field(default_factory=dict)
    _zeros: int = 0
    _total: float = 0.0

    def record(self, value: float) -> None:
        """Count one non-negative value.

        Raises:
            ValueError: the value is negative, infinite or not a number.
        """
        if not 0 <= value < math.inf:
            raise ValueError(f"a histogram holds finite values from 0 up, not {value}")
        self._total += value
        if value == 0:
            self._zeros += 1
            return
        index = math.ceil(math.log2(value) * 2**self.scale) - 1
        self._buckets[index] = self._buckets.get(index, 0) + 1

    def freeze(self) -> Histogram:
        """Everything recorded so far."""
        return _bounded(self.scale, self._buckets, self._zeros, self._total)


def merge_all(histograms: Iterable[Histogram]) -> Histogram:
    """The histogram of all values in all of them; empty for none."""
    result = Histogram()
    for one in histograms:
        result = result.merge(one)
    return result


def _bounded(scale: int, buckets: dict[int, int], zeros: int, total: float) -> Histogram:
    """Halve the resolution until the span fits the limit, as OpenTelemetry's downscale does."""
    while buckets and max(buckets) - min(buckets) >= HISTOGRAM_BUCKETS:
        halved: dict[int, int] = {}
        for index, n in buckets.items():
            halved[index >> 1] = halved.get(index >> 1, 0) + n
        buckets, scale = halved, scale - 1
    return Histogram(scale=scale, buckets=tuple(sorted(buckets.items())), zeros=zeros, total=total)


def _bound(scale: int, index: float) -> float:
    return float(2.0 ** (index * 2.0**-scale))

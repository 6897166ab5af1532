"""Seeded latencies: devices differ by 30 %, requests by 50 %, and time shifts all devices together.

Lognormal. After the switch every device's level moves by its own 3 % and, in both arms alike, by a
drift of 3 % that the rollout did not cause: the time of day, the heat.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.gating.streams import Counts, Liars, Rng, arrivals, liars
from shoal.contract.histogram import Histogram
from shoal.contract.limits import HISTOGRAM_SCALE

Logs = npt.NDArray[np.float64]

_LEVEL = math.log(50.0)  # milliseconds
_DEVICES, _REQUESTS, _SHIFT, _DRIFT = 0.3, 0.5, 0.03, 0.03
_LIE = math.log(10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Latencies whose level the switch raises by the factor `ratio`."""

    devices: int
    ratio: float = 1.0
    liars: Liars = Liars.NONE
    looks: int = 60
    samples: int = 1200
    before: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyArm:
    """Bucket counts: (devices, buckets) before, cumulative (looks, devices, buckets) after.

    Bucket 0 has the index `lowest`.
    """

    before: Counts
    after: Counts
    lowest: int

    def histogram(self, counts: Counts) -> Histogram:
        """The production histogram of one row of buckets."""
        filled = np.flatnonzero(counts)
        buckets = zip((filled + self.lowest).tolist(), counts[filled].tolist(), strict=True)
        return Histogram(scale=HISTOGRAM_SCALE, buckets=tuple(buckets))


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyStream:
    """Both arms on the same looks."""

    candidate: LatencyArm
    baseline: LatencyArm


def latency(setting: Latency, rng: Rng) -> LatencyStream:
    """One rollout's latencies."""
    drift = rng.normal(0, _DRIFT)
    shift = np.full(setting.devices, math.log(setting.ratio))
    lie = {Liars.WORSE: _LIE, Liars.BETTER: -_LIE, Liars.SUBTLE: math.log(1.2)}
    shift[: liars(setting.devices, setting.liars)] += lie.get(setting.liars, 0.0)
    return LatencyStream(
        candidate=_arm(setting, shift + drift, rng),
        baseline=_arm(setting, np.full(2 * setting.devices, drift), rng),
    )


def _arm(setting: Latency, shift: Logs, rng: Rng) -> LatencyArm:
    size = len(shift)
    level = rng.normal(_LEVEL, _DEVICES, size)
    moved = level + rng.normal(0, _SHIFT, size) + shift
    new = arrivals(setting.looks, size, setting.samples, rng)
    rows = np.repeat(np.arange(new.size), new.ravel())
    after = _buckets(rng.normal(moved[rows % size], _REQUESTS))
    rows_before = np.repeat(np.arange(size), setting.before)
    before = _buckets(rng.normal(level[rows_before], _REQUESTS))
    lowest = int(min(before.min(), after.min()))
    width = int(max(before.max(), after.max())) - lowest + 1
    counted = np.bincount(rows * width + after - lowest, minlength=new.size * width)
    return LatencyArm(
        before=np.bincount(rows_before * width + before - lowest, minlength=size * width).reshape(
            size, width
        ),
        after=counted.reshape(setting.looks, size, width).cumsum(axis=0),
        lowest=lowest,
    )


def _buckets(logs: Logs) -> Counts:
    indexes: Counts = np.ceil(logs / math.log(2) * 2**HISTOGRAM_SCALE).astype(np.int64) - 1
    return indexes

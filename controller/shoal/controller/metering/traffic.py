"""Telemetry counted while it comes in, by deployment: sums that only grow while this runs."""

import math
from collections import Counter
from dataclasses import dataclass, field

from shoal.contract.histogram import Histogram
from shoal.contract.telemetry import TelemetryBatch, TelemetryWindow
from shoal.controller.domain import tallies
from shoal.controller.domain.tallies import Tally
from shoal.controller.reconcile.cache import Cache
from shoal.controller.store.port import StoredWindow, Tallies, TelemetryStore

# Upper bounds in powers of two of a millisecond. A bucket of a device's histogram never lies on
# both sides of one, so that nothing is lost but resolution.
_FIRST, _LAST = -4, 14
_SCALES = range(-10, 21)  # those of OpenTelemetry; a device cannot make us raise two to any power
BOUNDS_S = tuple(2.0**power / 1000 for power in range(_FIRST, _LAST + 1))


@dataclass(slots=True)
class Served:
    """What the devices of one deployment did since the controller started.

    `latencies` counts by the place in `BOUNDS_S`; one past its end are those beyond all bounds.
    """

    requests: int = 0
    errors: int = 0
    labelled: int = 0
    correct: int = 0
    latencies: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    latency_ms: float = 0.0

    def add(self, window: TelemetryWindow) -> None:
        """Count a window; one that contradicts itself adds nothing."""
        tally = tallies.of_window(window)
        self.requests += tally.requests
        self.errors += tally.errors
        self.labelled += tally.labelled
        self.correct += tally.correct
        total = window.latency_ms.total
        # A counter that falls once reads as a restart: a device must not be able to cause it.
        if tally == Tally() or not 0 <= total < math.inf or window.latency_ms.scale not in _SCALES:
            return
        self.latency_ms += total
        self.latencies[0] += window.latency_ms.zeros
        for place, count in _placed(window.latency_ms):
            self.latencies[place] += count


class Traffic:
    """A `TelemetryStore` that counts what it is given; `cache` knows which deployments there are.

    What a device makes up is not counted, so that it cannot fill the memory with names.
    """

    def __init__(self, inner: TelemetryStore, cache: Cache) -> None:
        self._inner = inner
        self._cache = cache
        self._served: dict[str, Served] = {}
        self.batches: Counter[str] = Counter(kept=0, repeated=0)

    def served(self, deployment: str) -> Served:
        """The sums of one deployment, named `namespace/name`."""
        return self._served.get(deployment) or Served()

    async def ingest(self, batch: TelemetryBatch, received_ms: int) -> bool:
        """See `TelemetryStore.ingest`."""
        kept = await self._inner.ingest(batch, received_ms)
        self.batches["kept" if kept else "repeated"] += 1
        for window in batch.windows if kept else ():
            if self._exists(window.deployment):
                self._served.setdefault(window.deployment, Served()).add(window)
        return kept

    async def windows(self, deployment: str | None, since_ms: int) -> list[StoredWindow]:
        """See `TelemetryStore.windows`."""
        return await self._inner.windows(deployment, since_ms)

    async def mark(self, deployment: str, epoch_ms: int) -> None:
        """See `TelemetryStore.mark`."""
        await self._inner.mark(deployment, epoch_ms)

    async def tallies(self, deployment: str, since: int) -> Tallies:
        """See `TelemetryStore.tallies`."""
        return await self._inner.tallies(deployment, since)

    async def forget(self, deployment: str) -> None:
        """See `TelemetryStore.forget`."""
        self._served.pop(deployment, None)
        await self._inner.forget(deployment)

    def _exists(self, deployment: str) -> bool:
        namespace, _, name = deployment.partition("/")
        return self._cache.get("Deployment", namespace, name) is not None


def _placed(histogram: Histogram) -> list[tuple[int, int]]:
    """The places in `BOUNDS_S` of a histogram's buckets, with their counts.

    A bucket belongs to the bound that its own upper bound does not exceed.
    """
    up, down = max(-histogram.scale, 0), max(histogram.scale, 0)
    placed = []
    for index, count in histogram.buckets:
        power = -((-(index + 1) << up) >> down)  # (index + 1) / 2**scale, rounded up
        placed.append((min(max(power, _FIRST), _LAST + 1) - _FIRST, count))
    return placed

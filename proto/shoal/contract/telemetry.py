"""Telemetry: what serving looked like in one window, per deployment and variant."""

from dataclasses import dataclass

from shoal.contract.digest import Digest
from shoal.contract.histogram import Histogram


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryWindow:
    """One window of one slot; counts are of this window alone.

    `start_ms` is UTC milliseconds since the epoch. `latency_ms` leaves out failed requests and the
    first few of a slot, which found cold caches. `labelled` requests had their label fed back in
    this window, `correct` of them were right. `classes` counts predicted classes as (class, count),
    `confidences` how sure the answers were as (whole percent, count).

    `shadowed` requests were answered by the previous variant too, `shadow_differed` of them
    differently. Of `paired` labelled ones among them the previous variant alone was right on
    `paired_worse`, the serving one alone on `paired_better`. `scored` labels were numbers; the two
    errors are sums over them.
    """

    deployment: str
    variant: Digest
    generation: int
    start_ms: int
    duration_ms: int
    requests: int
    errors: int
    latency_ms: Histogram
    labelled: int = 0
    correct: int = 0
    classes: tuple[tuple[int, int], ...] = ()
    rss_bytes: int = 0
    confidences: tuple[tuple[int, int], ...] = ()
    shadowed: int = 0
    shadow_differed: int = 0
    paired: int = 0
    paired_worse: int = 0
    paired_better: int = 0
    scored: int = 0
    absolute_error: float = 0.0
    squared_error: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryBatch:
    """Windows of one device; (boot_id, sequence) makes ingest idempotent.

    `sent_ms` is the device's clock when it sent the batch, 0 where it did not say: who receives it
    can tell how far that clock is off.
    """

    device: str
    boot_id: str
    sequence: int
    windows: tuple[TelemetryWindow, ...]
    sent_ms: int = 0

"""What live traffic said of one variant on one device: counts that only ever grow.

A tally is merged field by field from telemetry windows. Every field is an integer (a sum or a
maximum), so that no order of arrival, no repetition of a merge and no restart in between can change
a single bit of what follows from it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace

from shoal.contract.digest import Digest
from shoal.contract.histogram import Histogram
from shoal.contract.limits import LARGEST_ERROR
from shoal.contract.telemetry import TelemetryBatch, TelemetryWindow

MILLION = 1_000_000
CLOCK_OFF_MS = 60_000  # less may as well be the time that the batch was on its way

Counted = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Sums over windows; the fields are named after those of `TelemetryWindow`.

    `windows` counts those whose memory is known; `memory_bytes` sums their resident
    memory and `memory_peak_bytes` is the largest. `last_ms` is the end of the last window. Errors
    of numeric labels are in millionths.
    """

    requests: int = 0
    errors: int = 0
    latency_ms: Histogram = field(default_factory=Histogram)
    labelled: int = 0
    correct: int = 0
    shadowed: int = 0
    shadow_differed: int = 0
    paired: int = 0
    paired_worse: int = 0
    paired_better: int = 0
    scored: int = 0
    absolute_error: int = 0
    squared_error: int = 0
    classes: Counted = ()
    confidences: Counted = ()
    windows: int = 0
    memory_bytes: int = 0
    memory_peak_bytes: int = 0
    last_ms: int = 0

    def merge(self, other: "Tally") -> "Tally":
        """The tally of both; which of the two comes first makes no difference."""
        added = {name: getattr(self, name) + getattr(other, name) for name in _ADDED}
        largest = {name: max(getattr(self, name), getattr(other, name)) for name in _LARGEST}
        return Tally(
            **added,
            **largest,
            latency_ms=self.latency_ms.merge(other.latency_ms),
            classes=_added(self.classes, other.classes),
            confidences=_added(self.confidences, other.confidences),
        )


_LARGEST = ("memory_peak_bytes", "last_ms")
_ADDED = tuple(one.name for one in fields(Tally) if one.type is int and one.name not in _LARGEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyKey:
    """Whose tally it is: windows that began at `epoch_ms` or later, before the next epoch."""

    deployment: str
    epoch_ms: int
    device: str
    variant: Digest


def on_our_clock(batch: TelemetryBatch, received_ms: int) -> TelemetryBatch:
    """The batch with its windows at the times that our clock showed, as far as that can be told.

    A device whose clock is an hour behind, sent at 11:00 and received at 12:00, has all its windows
    moved by an hour, those that waited in its spool too. No window ends after it was received.
    """
    off_ms = received_ms - batch.sent_ms if batch.sent_ms else 0
    shift_ms = off_ms if abs(off_ms) > CLOCK_OFF_MS else 0

    def moved(window: TelemetryWindow) -> TelemetryWindow:
        latest_ms = max(received_ms - window.duration_ms, 0)
        start_ms = min(max(window.start_ms + shift_ms, 0), latest_ms)
        return window if start_ms == window.start_ms else replace(window, start_ms=start_ms)

    return replace(batch, windows=tuple(map(moved, batch.windows)))


def of_window(window: TelemetryWindow) -> Tally:
    """The tally of one window; empty where it contradicts itself."""
    if not _is_sound(window):
        return Tally()
    # While two variants are in memory at once the process says nothing of either (0 bytes).
    weighed = window.requests > 0 and window.rss_bytes > 0
    return Tally(
        requests=window.requests,
        errors=window.errors,
        # The sum of all latencies is the one float of a histogram: it would depend on the order.
        latency_ms=replace(window.latency_ms, total=0.0),
        labelled=window.labelled,
        correct=window.correct,
        shadowed=window.shadowed,
        shadow_differed=window.shadow_differed,
        paired=window.paired,
        paired_worse=window.paired_worse,
        paired_better=window.paired_better,
        scored=window.scored,
        absolute_error=round(window.absolute_error * MILLION),
        squared_error=round(window.squared_error * MILLION),
        classes=window.classes,
        confidences=window.confidences,
        windows=1 if weighed else 0,
        memory_bytes=window.rss_bytes if weighed else 0,
        memory_peak_bytes=window.rss_bytes if weighed else 0,
        last_ms=window.start_ms + window.duration_ms,
    )


def of_batch(
    batch: TelemetryBatch, epochs_ms: Mapping[str, Iterable[int]]
) -> dict[TallyKey, Tally]:
    """What a batch adds to each tally; windows outside every epoch of their deployment to none."""
    sums: dict[TallyKey, Tally] = {}
    for window in batch.windows:
        epoch = epoch_of(epochs_ms.get(window.deployment, ()), window.start_ms)
        if epoch is None:
            continue
        key = TallyKey(
            deployment=window.deployment,
            epoch_ms=epoch,
            device=batch.device,
            variant=window.variant,
        )
        sums[key] = sums.get(key, Tally()).merge(of_window(window))
    return sums


def epoch_of(epochs_ms: Iterable[int], start_ms: int) -> int | None:
    """The epoch that a window belongs to by its own start; None before the first that is kept.

    With epochs 100 and 200 a window that begins at 199 belongs to 100, one at 200 to 200.
    """
    return max((one for one in epochs_ms if one <= start_ms), default=None)


def _is_sound(window: TelemetryWindow) -> bool:
    most = 2.0 * window.scored  # twice, as sums are rounded
    return (
        window.errors <= window.requests
        and window.correct <= window.labelled
        and window.shadow_differed <= window.shadowed
        and window.paired_worse + window.paired_better <= window.paired
        and 0 <= window.absolute_error <= most * LARGEST_ERROR
        and 0 <= window.squared_error <= most * LARGEST_ERROR * LARGEST_ERROR
    )


def _added(one: Counted, other: Counted) -> Counted:
    if not one or not other:
        return one or other
    sums = Counter(dict(one))
    sums.update(dict(other))
    return tuple(sorted(sums.items()))

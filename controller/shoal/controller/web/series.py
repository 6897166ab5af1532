"""Telemetry over the last two minutes as rates, quantiles and the points of small pictures.

A window's requests are spread evenly over its time, so that windows of any length draw one line.
The picture ends where telemetry ends, not now: the last window is still on its way.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shoal.contract.histogram import merge_all
from shoal.contract.telemetry import TelemetryWindow

SPAN_S = 120
_BUCKETS = 40
_BUCKET_MS = SPAN_S * 1000 // _BUCKETS
_RECENT = 5  # buckets that the shown figures are of
_WIDTH, _HEIGHT, _INSET = 160.0, 36.0, 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One deployment's figures; each line is the `points` of an SVG polyline, oldest first."""

    key: str
    requests: int
    errors: int
    rate_s: float
    accuracy: float | None
    p95_ms: float | None
    rate_line: str
    p95_line: str


def series(key: str, windows: Sequence[TelemetryWindow]) -> Series:
    """The figures of one deployment's windows."""
    end_ms = max(window.start_ms + window.duration_ms for window in windows)
    starts = [end_ms - (_BUCKETS - i) * _BUCKET_MS for i in range(_BUCKETS)]
    rates = [_rate(windows, start) for start in starts]
    recent = [w for w in windows if w.start_ms + w.duration_ms > starts[-_RECENT]]
    labelled = sum(window.labelled for window in windows)
    return Series(
        key=key,
        requests=sum(window.requests for window in windows),
        errors=sum(window.errors for window in windows),
        rate_s=sum(rates[-_RECENT:]) / _RECENT,
        accuracy=sum(w.correct for w in windows) / labelled if labelled else None,
        p95_ms=_p95(recent),
        rate_line=line(rates),
        p95_line=line([_p95(_inside(windows, start)) for start in starts]),
    )


def line(values: Sequence[float | None]) -> str:
    """The points of a polyline through `values` from zero up; None is left out."""
    top = max((value for value in values if value is not None), default=0.0) or 1.0
    step = _WIDTH / max(1, len(values) - 1)
    points = []
    for i, value in enumerate(values):
        if value is not None:
            y = _HEIGHT - _INSET - (_HEIGHT - 2 * _INSET) * value / top
            points.append(f"{i * step:.1f},{y:.1f}")
    return " ".join(points)


def _rate(windows: Iterable[TelemetryWindow], start_ms: int) -> float:
    """Requests a second in one bucket, from the share of each window that lies in it."""
    return math.fsum(
        window.requests * _overlap_ms(window, start_ms) / max(1, window.duration_ms)
        for window in windows
    ) / (_BUCKET_MS / 1000)


def _inside(windows: Iterable[TelemetryWindow], start_ms: int) -> list[TelemetryWindow]:
    return [window for window in windows if _overlap_ms(window, start_ms) > 0]


def _overlap_ms(window: TelemetryWindow, start_ms: int) -> int:
    end = min(window.start_ms + window.duration_ms, start_ms + _BUCKET_MS)
    return max(0, end - max(window.start_ms, start_ms))


def _p95(windows: Iterable[TelemetryWindow]) -> float | None:
    return merge_all(window.latency_ms for window in windows).quantile(0.95)

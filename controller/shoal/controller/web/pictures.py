"""The picture of a gate: its confidence sequence against its limit.

From left to right on a logarithmic axis the looks so far, by how many samples were in; the band is
the interval, the line the value, the straight line the limit. Ticks at the right edge are single
devices.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 180.0, 56.0
_INSET = 3.0
_RUG = 10.0  # what is kept free at the right edge for single devices
_MARGIN = 0.08  # of the height, above and below everything that is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Coordinates for SVG; `band` and `line` are points of a polygon and a polyline.

    `safe` is where the side within the limit begins and how high it is.
    """

    band: str
    line: str
    dot: tuple[float, float]
    limit_y: float
    safe: tuple[float, float]
    rug: tuple[float, ...]
    words: str


def picture(gate: Mapping[str, Any]) -> Picture | None:
    """The picture of one gate of a Deployment's status; None where nothing was measured yet."""
    interval, value, limit = gate.get("interval"), gate.get("value"), gate.get("limit")
    if not interval or value is None or limit is None:
        return None
    newest = (int(gate.get("samples") or 0), interval[0], value, interval[1])
    # Of looks at as many samples the newest counts: they stand at one place.
    looks = [*{look[0]: look for look in (*_looks(gate), newest)}.values()]
    effects = [float(one) for one in gate.get("effects") or ()]
    scale = _Scale.over([*(n for look in looks for n in look[1:]), limit])
    xs = _across([look[0] for look in looks])
    upper = [(x, scale.y(look[3])) for x, look in zip(xs, looks, strict=True)]
    lower = [(x, scale.y(look[1])) for x, look in zip(xs, looks, strict=True)]
    middle = [(x, scale.y(look[2])) for x, look in zip(xs, looks, strict=True)]
    limit_y = scale.y(limit)
    below = gate.get("bound") == "min"
    return Picture(
        band=_points([*upper, *reversed(lower)]),
        line=_points(middle),
        dot=middle[-1],
        limit_y=limit_y,
        safe=(0.0, limit_y) if below else (limit_y, round(HEIGHT - limit_y, 1)),
        rug=tuple(scale.y(one) for one in effects if scale.holds(one)),
        words=str(gate.get("message") or ""),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    low: float
    high: float

    @classmethod
    def over(cls, values: Sequence[float]) -> "_Scale":
        low, high = min(values), max(values)
        room = (high - low) * _MARGIN or abs(high) * _MARGIN or 1.0
        return cls(low=low - room, high=high + room)

    def y(self, value: float) -> float:
        """From the top, as SVG counts."""
        share = (value - self.low) / (self.high - self.low)
        return round(HEIGHT * (1 - share), 1)

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


def _looks(gate: Mapping[str, Any]) -> list[tuple[int, float, float, float]]:
    return [
        (int(one["samples"]), one["low"], one["value"], one["high"])
        for one in gate.get("path") or ()
    ]


def _across(samples: Sequence[int]) -> list[float]:
    """Where each look stands: 1,000 samples are half-way between 100 and 10,000.

    A lone look is as wide as the picture, so that its band can be seen.
    """
    if len(samples) == 1:
        return [WIDTH - _RUG]
    logs = [math.log(max(one, 1)) for one in samples]
    span = (logs[-1] - logs[0]) or 1.0
    room = WIDTH - _RUG - _INSET
    return [round(_INSET + room * (one - logs[0]) / span, 1) for one in logs]


def _points(points: Sequence[tuple[float, float]]) -> str:
    if len({x for x, _ in points}) == 1:  # one look: draw it from edge to edge
        points = [(_INSET, points[0][1]), *points, (_INSET, points[-1][1])]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)

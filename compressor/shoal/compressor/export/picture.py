"""The Pareto picture as SVG: bytes across (logarithmic), latency over the source's upwards."""

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from shoal.contract import units

_WIDTH: Final = 760
_HEIGHT: Final = 380
_LEFT: Final = 64
_RIGHT: Final = 24
_TOP: Final = 20
_BOTTOM: Final = 48
_RADIUS: Final = 6
_TICKS: Final = 5


def pareto(
    rows: Sequence[Mapping[str, Any]], chosen: str | None, artifact_bytes: int | None
) -> str:
    """An SVG of the report's Pareto rows; every mark carries its figures as a title."""
    if not rows:
        return ""
    sizes = [float(row["bytes"]) for row in rows] + (
        [float(artifact_bytes)] if artifact_bytes else []
    )
    ratios = [float(row["latency_ratio"]) for row in rows]
    across = _Scale(math.log(min(sizes) * 0.8), math.log(max(sizes) * 1.25), _LEFT, _WIDTH - _RIGHT)
    up = _Scale(0.0, max(*ratios, 1.0) * 1.1, _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" ',
        'aria-label="Variants by size and latency">',
        *_axes(across, up),
    ]
    if artifact_bytes:
        x = across.at(math.log(artifact_bytes))
        parts.append(
            f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}">'
            f"<title>artifact budget {units.format_size(artifact_bytes)}</title></line>"
        )
    parts += [_mark(row, across, up, chosen) for row in rows]
    parts.append("</svg>")
    return "".join(parts)


class _Scale:
    """A linear map from values to pixels."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high = low, max(high, low + 1e-9)
        self._start, self._end = start, end

    def at(self, value: float) -> float:
        """The pixel of `value`."""
        share = (value - self.low) / (self.high - self.low)
        return self._start + share * (self._end - self._start)

    def ticks(self) -> list[float]:
        """Evenly spaced values from low to high."""
        return [self.low + (self.high - self.low) * i / (_TICKS - 1) for i in range(_TICKS)]


def _axes(across: _Scale, up: _Scale) -> list[str]:
    floor = _HEIGHT - _BOTTOM
    parts = [
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{floor}" y2="{floor}"/>',
        f'<line class="axis" x1="{_LEFT}" x2="{_LEFT}" y1="{_TOP}" y2="{floor}"/>',
        f'<line class="source" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" ',
        f'y1="{up.at(1):.1f}" y2="{up.at(1):.1f}"><title>as fast as the source</title></line>',
        f'<text x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">size</text>',
        f'<text transform="translate(14 {(_TOP + floor) / 2}) rotate(-90)" ',
        'text-anchor="middle">latency / source</text>',
    ]
    for value in across.ticks():
        label = units.format_size(round(math.exp(value)))
        parts.append(
            f'<text x="{across.at(value):.1f}" y="{floor + 18}" text-anchor="middle">{label}</text>'
        )
    parts += [
        f'<text x="{_LEFT - 8}" y="{up.at(value) + 4:.1f}" text-anchor="end">{value:.2f}</text>'
        for value in up.ticks()
    ]
    return parts


def _mark(row: Mapping[str, Any], across: _Scale, up: _Scale, chosen: str | None) -> str:
    x, y = across.at(math.log(row["bytes"])), up.at(row["latency_ratio"])
    kind = "chosen" if row["digest"] == chosen else "source-point" if row["is_source"] else "point"
    title = html.escape(
        f"{row['recipe']['title']}: {units.format_size(row['bytes'])}, score {row['score']:.4f}, "
        f"latency x{row['latency_ratio']:.2f}"
    )
    return (
        f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS}"><title>{title}</title>'
        "</circle>"
    )

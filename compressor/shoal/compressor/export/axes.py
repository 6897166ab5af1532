"""Frames of the pictures: two scales, ticks, labels and limits, as SVG."""

import html
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shoal.contract import units

WIDTH: Final = 760
HEIGHT: Final = 320
_LEFT: Final = 72
_RIGHT: Final = 24
_TOP: Final = 16
_BOTTOM: Final = 44
_TICKS: Final = 5
ACROSS: Final = (float(_LEFT), float(WIDTH - _RIGHT))
UP: Final = (float(HEIGHT - _BOTTOM), float(_TOP))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A linear map from the values `low` to `high` to the pixels `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, low: float, high: float, pixels: tuple[float, float]) -> "Scale":
        """The scale of a range, which may be empty."""
        return cls(low=low, high=max(high, low + 1e-9), start=pixels[0], end=pixels[1])

    def at(self, value: float) -> float:
        """The pixel of `value`, which stays in the picture."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Evenly spaced values from low to high."""
        return [self.low + (self.high - self.low) * i / (_TICKS - 1) for i in range(_TICKS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The two scales of one picture; `across` is of logarithms of bytes."""

    across: Scale
    up: Scale

    def at(self, log_bytes: float, value: float) -> tuple[float, float]:
        """The place of a mark."""
        return self.across.at(log_bytes), self.up.at(value)


def opening(label: str, height: int = HEIGHT) -> str:
    """The start of an SVG."""
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{html.escape(label)}">'


def drawn(frame: Frame, title: str, write: Callable[[float], str]) -> list[str]:
    """Both axes with their ticks."""
    floor = HEIGHT - _BOTTOM
    parts = [
        f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{floor}" y2="{floor}"/>',
        f'<line class="axis" x1="{_LEFT}" x2="{_LEFT}" y1="{_TOP}" y2="{floor}"/>',
        f'<text x="{(_LEFT + WIDTH) / 2}" y="{HEIGHT - 6}" text-anchor="middle">size</text>',
        f'<text transform="translate(14 {(_TOP + floor) / 2}) rotate(-90)" ',
        f'text-anchor="middle">{html.escape(title)}</text>',
    ]
    for value in frame.across.ticks():
        label = units.format_size(round(math.exp(value)))
        x = frame.across.at(value)
        parts.append(f'<text x="{x:.1f}" y="{floor + 18}" text-anchor="middle">{label}</text>')
    for value in frame.up.ticks():
        y = frame.up.at(value) + 4
        parts.append(f'<text x="{_LEFT - 8}" y="{y:.1f}" text-anchor="end">{write(value)}</text>')
    return parts


def level(frame: Frame, value: float, kind: str, title: str) -> str:
    """A horizontal line at `value`."""
    y = frame.up.at(value)
    return (
        f'<line class="{kind}" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}">'
        f"<title>{html.escape(title)}</title></line>"
    )


def upright(frame: Frame, log_bytes: float, title: str) -> str:
    """A vertical line: a limit of bytes."""
    x = frame.across.at(log_bytes)
    return (
        f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}">'
        f"<title>{html.escape(title)}</title></line>"
    )

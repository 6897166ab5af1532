"""Maintenance windows: when something may start, by a cron line, a duration and a time zone.

The cron line says when the window opens, on the clock of the time zone; it stays open for the
duration of real time. `0 1 * * SUN` for 4h in Europe/Berlin: Sundays from 1:00 to 5:00, and to 6:00
on the clock where it is set forward in between. Cron lines and their rules for days with 23 or 25
hours are those of Debian's cron (cronsim).
"""

import functools
import math
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cronsim import CronSim, CronSimError

_MINUTE_S = 60
_FIELDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When things may start; `opening` of any window that `checked` let pass is defined."""

    cron: str
    duration_s: float
    time_zone: str = "UTC"


def checked(window: Window) -> Window:
    """The window, if it ever opens.

    Raises:
        ValueError: the cron line or the time zone is none, or the window would never be open.
    """
    zone_of(window.time_zone)
    if len(window.cron.split()) != _FIELDS:
        raise ValueError(
            f"{window.cron!r} is not a cron line of minute, hour, day, month and weekday"
        )
    try:
        first = next(CronSim(window.cron, datetime(2024, 1, 1)), None)  # noqa: DTZ001 - any calendar
    except CronSimError as error:
        raise ValueError(f"{window.cron!r} is not a cron line: {error}") from None
    if first is None:
        raise ValueError(f"{window.cron!r} names a day that no calendar has: it would never open")
    if window.duration_s <= 0:
        raise ValueError("a window of no duration is never open")
    return window


def zone_of(name: str) -> zoneinfo.ZoneInfo:
    """The time zone with this name.

    Raises:
        ValueError: there is none.
    """
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone, such as UTC or Europe/Berlin") from None


def closes_at(window: Window, now: float) -> float | None:
    """When the opening of `now` ends at the earliest; None while the window is closed."""
    last = _last_start(window, math.floor(now / _MINUTE_S))
    end = None if last is None else last + window.duration_s
    return None if end is None or end <= now else end


def opens_at(window: Window, now: float) -> float | None:
    """When the window opens next after `now`; None where no calendar has such a day again."""
    return _next_start(window, math.floor(now / _MINUTE_S))


def is_open(window: Window | None, now: float) -> bool:
    """Whether something may start; no window is always open."""
    return window is None or closes_at(window, now) is not None


# Openings begin on full minutes, so within one minute the answer does not change; a pass asks it
# once for each device.
@functools.lru_cache(maxsize=4096)
def _last_start(window: Window, minute: int) -> float | None:
    """The newest opening that began by the start of this minute since the epoch."""
    return next((one for one in _starts(window, minute, back=True) if one <= minute * 60), None)


@functools.lru_cache(maxsize=4096)
def _next_start(window: Window, minute: int) -> float | None:
    """The first opening that begins after the start of this minute since the epoch."""
    return next((one for one in _starts(window, minute, back=False) if one > minute * 60), None)


def _starts(window: Window, minute: int, *, back: bool) -> Iterator[float]:
    # Where clocks are set, the line repeats or leaves out an hour: the first one offered may lie on
    # the wrong side of now, and the callers go on to the next.
    seconds = minute * _MINUTE_S + (1 if back else 0)
    at = datetime.fromtimestamp(seconds, zone_of(window.time_zone))
    for start in CronSim(window.cron, at, reverse=back):
        yield start.timestamp()

"""Durations, sizes and percents as people write them (contracts: section 2).

Durations `ms s m h d`; sizes `B KB MB GB` (1000) and `KiB MiB GiB` (1024).
"""

import math
import re
from fractions import Fraction

_DURATION_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE_BYTES = {
    "B": 1,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z%]*)\s*")
_LONGEST_S = 100 * 366 * 86_400.0
_LARGEST_BYTES = 1 << 62


def parse_duration_s(text: str) -> float:
    """Seconds in `text`, such as `30s`, `1.5h` or `250ms`.

    Raises:
        ValueError: no number, a unit other than ms, s, m, h, d, or more than a hundred years.
    """
    number, unit = _split(text, "a duration", "30s, 5m, 250ms")
    if unit not in _DURATION_S:
        raise ValueError(f"{text!r} is not a duration; units are ms, s, m, h, d (for example 30s)")
    seconds = float(number) * _DURATION_S[unit]
    if seconds > _LONGEST_S:
        raise ValueError(f"{text!r} is longer than a hundred years")
    return seconds


def parse_size_bytes(text: str) -> int:
    """Bytes in `text`, such as `24KiB`, `1.5MB` or `512B`; part bytes round down.

    Raises:
        ValueError: no number, an unknown unit, or more than any disk has.
    """
    number, unit = _split(text, "a size", "24KiB, 1MB")
    if unit not in _SIZE_BYTES:
        raise ValueError(
            f"{text!r} is not a size; units are B, KB, MB, GB, KiB, MiB, GiB (for example 24KiB)"
        )
    size_bytes = math.floor(Fraction(number) * _SIZE_BYTES[unit])
    if size_bytes > _LARGEST_BYTES:
        raise ValueError(f"{text!r} is more than {_LARGEST_BYTES} bytes")
    return size_bytes


def parse_percent(text: str) -> float:
    """The share in `text`, such as `10%`, as a number from 0 to 1.

    Raises:
        ValueError: not a number followed by `%`, or outside 0 % to 100 %.
    """
    number, unit = _split(text, "a percent", "10%")
    share = float(number) / 100
    if unit != "%" or not 0 <= share <= 1:
        raise ValueError(f"{text!r} is not a percent from 0% to 100% (for example 10%)")
    return share


def format_size(size_bytes: int) -> str:
    """For people, with three digits at most: 24576 is `24 KiB`, 1500 is `1.46 KiB`."""
    if size_bytes < 1024:
        return f"{size_bytes} B"
    size = float(size_bytes)
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1000 or unit == "GiB":
            return f"{size:.3g} {unit}" if size < 1000 else f"{size:.0f} {unit}"
    raise RuntimeError("unreachable: the loop ends with GiB")


def _split(text: str, what: str, example: str) -> tuple[str, str]:
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not {what} (for example {example})")
    return match[1], match[2]

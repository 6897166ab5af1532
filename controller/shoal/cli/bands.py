"""A gate's confidence sequence as one line of text, against its limit.

    ··━━━━━●━━━━━·················┃··  0.97 to 1.12, limit 1.5

The thick part is the interval, the dot the value, the bar the limit. With few devices it is wide;
it shrinks as samples come in, and the gate is decided when the bar lies outside.
"""

from collections.abc import Mapping
from typing import Any, Final

_CELLS: Final = 32
_MARGIN: Final = 0.06
_GROUND, _INSIDE, _VALUE, _LIMIT = "·", "━", "●", "┃"


def band(gate: Mapping[str, Any]) -> str:
    """The line of one gate; empty where there is no interval."""
    interval, value, limit = gate.get("interval"), gate.get("value"), gate.get("limit")
    if not interval or value is None or limit is None:
        return ""
    low, high = float(interval[0]), float(interval[1])
    ends = (min(low, value, limit), max(high, value, limit))
    room = (ends[1] - ends[0]) * _MARGIN or 1.0
    start, span = ends[0] - room, ends[1] - ends[0] + 2 * room

    def cell(number: float) -> int:
        return min(_CELLS - 1, max(0, int(_CELLS * (number - start) / span)))

    cells = [_GROUND] * _CELLS
    for at in range(cell(low), cell(high) + 1):
        cells[at] = _INSIDE
    cells[cell(value)] = _VALUE
    cells[cell(limit)] = _LIMIT
    least = "at least" if gate.get("bound") == "min" else "limit"
    return f"{''.join(cells)}  {_number(low)} to {_number(high)}, {least} {_number(limit)}"


def _number(value: float) -> str:
    return f"{value:.3g}"

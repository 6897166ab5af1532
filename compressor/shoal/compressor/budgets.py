"""Budgets as people write them, on the command line and in a profile's manifest."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from shoal.compressor import errors
from shoal.contract import units
from shoal.contract.budget import Budget
from shoal.contract.problem import InvalidError
from shoal.contract.reason import Reason

LIMITS: Final = ("artifact", "memory", "latency")
EXAMPLE: Final = "for example artifact=500KiB,memory=64MiB,latency=5ms"


def read(given: Mapping[str, Any], field: str) -> Budget:
    """The budget of what `given` says of each limit; what is absent or None is unlimited.

    Raises:
        InvalidError: no size or duration, or one that nothing can meet.
    """
    return Budget(
        artifact_bytes=_limit(given, "artifact", units.parse_size_bytes, field),
        memory_bytes=_limit(given, "memory", units.parse_size_bytes, field),
        latency_p95_ms=_limit(given, "latency", _milliseconds, field),
    )


def _limit(
    given: Mapping[str, Any], name: str, parse: Callable[[str], Any], field: str
) -> Any | None:
    value = given.get(name)
    if value is None:
        return None
    try:
        limit = parse(str(value))
    except (ValueError, OverflowError) as error:
        raise wrong(f"{name}: {error}", field) from None
    if not 0 < limit < math.inf:
        raise wrong(f"{name}: nothing can meet a limit of {value}", field)
    return limit


def _milliseconds(text: str) -> float:
    return units.parse_duration_s(text) * 1000


def wrong(message: str, field: str) -> InvalidError:
    """The error for a budget that is none."""
    return errors.invalid(Reason.INVALID, message, field=field, hint=EXAMPLE)

"""How a constraint was missed, in words and in the units people write."""

from shoal.contract import units

_NAMES = {
    "min_score": "score",
    "artifact_bytes": "artifact",
    "memory_bytes": "memory",
    "latency_ms_p95": "p95 latency",
}


def describe(constraint: str, nearest: float, limit: float) -> str:
    """`memory is 10.7 MiB at best, the limit is 10 MiB`; a score has a floor instead."""
    return _sentence(constraint, f"{_figure(constraint, nearest)} at best", limit)


def describe_one(constraint: str, value: float, limit: float) -> str:
    """The same of one variant: `memory is 10.7 MiB, the limit is 10 MiB`."""
    return _sentence(constraint, _figure(constraint, value), limit)


def _sentence(constraint: str, value: str, limit: float) -> str:
    bound = "floor" if constraint == "min_score" else "limit"
    name = _NAMES.get(constraint, constraint)
    return f"{name} is {value}, the {bound} is {_figure(constraint, limit)}"


def _figure(constraint: str, value: float) -> str:
    if constraint.endswith("_bytes"):
        return units.format_size(round(value))
    return f"{value:.4g} ms" if constraint.startswith("latency") else f"{value:.4f}"

"""Which variant of an archive a budget picks: one rule for the compressor and the controller.

The rule (contracts: section 3): among the points that meet floor and budget, the best by the
objective. For `accuracy`, points whose validation intervals overlap the best one's are equal, and
ties go by agreement with the source, then latency, then bytes; for the other objectives ties go by
latency, then bytes; the digest settles what is left. With objective latency or accuracy a point
slower than the source is not taken while the source itself meets artifact and memory budget.
Latencies within noise of one another count as equal: those within 5 % of the lowest are one step,
those within 5 % of the lowest that is left the next, and so on.
"""

import enum
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shoal.contract.budget import Budget
from shoal.contract.digest import Digest

SLOWER = 1.03  # measured ratio above which a point counts as slower than the source
ROUNDING = 1e-9  # a floor computed as 0.8 - 0.1 is a hair above 0.7, and a score of 0.7 meets it
_WITHIN_NOISE = 1.05


class Objective(enum.StrEnum):
    """What "best" means among the points that fit."""

    ACCURACY = "accuracy"
    LATENCY = "latency"
    BYTES = "bytes"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One measured variant of an archive.

    `score` is on the evaluation rows and decides the floor; `validation_score` with its interval is
    on the search's own split and decides the choice. `agreement` says how closely it answers like
    the source, 1 for the source itself. Latency in milliseconds.
    """

    digest: Digest
    bytes: int
    score: float
    validation_score: float
    validation_interval: tuple[float, float]
    agreement: float
    latency_p95_ms: float
    latency_ratio: float
    peak_memory_bytes: int
    is_source: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """The variant nearest to one limit, and by how much it missed it."""

    constraint: str
    limit: float
    nearest: float
    missed_by: float
    digest: Digest


def ranked(
    points: Sequence[Point], budget: Budget, min_score: float, objective: Objective
) -> tuple[Point, ...]:
    """All feasible points, best first: the choice and then what it may fall to."""
    fitting = [p for p in points if not misses(p, budget, min_score)]
    if objective in {Objective.LATENCY, Objective.ACCURACY} and _source_fits(points, budget):
        fitting = [p for p in fitting if p.is_source or p.latency_ratio <= SLOWER]
    steps = latency_steps([p.latency_p95_ms for p in fitting])
    if objective is not Objective.ACCURACY:
        return tuple(sorted(fitting, key=lambda p: _key(p, objective, steps)))
    order: list[Point] = []
    while fitting:
        best = max(fitting, key=lambda p: (p.validation_score, p.agreement))
        tied = [p for p in fitting if p.validation_interval[1] >= best.validation_interval[0]]
        order.extend(sorted(tied, key=lambda p: _key(p, objective, steps)))
        fitting = [p for p in fitting if p not in tied]
    return tuple(order)


def nearest(points: Sequence[Point], budget: Budget, min_score: float) -> tuple[Miss, ...]:
    """For each constraint that stands in the way, the point that comes closest to meeting it.

    The closest is looked for among the points that miss the fewest other constraints. Example: a
    misses the score, b the bytes: a is nearest for the score and b for the bytes.
    """
    missed = {p.digest: misses(p, budget, min_score) for p in points}
    result = []
    for name in ("min_score", "artifact_bytes", "memory_bytes", "latency_ms_p95"):
        others = {digest: len(found.keys() - {name}) for digest, found in missed.items()}
        fewest = min(others.values(), default=0)
        near = {digest: missed[digest] for digest, count in others.items() if count == fewest}
        if not near or any(name not in found for found in near.values()):
            continue
        best = min(near, key=lambda digest: (near[digest][name][1], digest))
        limit, by = near[best][name]
        value = limit - by if name == "min_score" else limit + by
        result.append(Miss(constraint=name, limit=limit, nearest=value, missed_by=by, digest=best))
    return tuple(result)


def misses(point: Point, budget: Budget, min_score: float) -> dict[str, tuple[float, float]]:
    """Which constraints a point misses: name to (limit, positive miss)."""
    missed: dict[str, tuple[float, float]] = {}
    if point.score < min_score - ROUNDING:
        missed["min_score"] = (min_score, min_score - point.score)
    for name, limit, value in (
        ("artifact_bytes", budget.artifact_bytes, point.bytes),
        ("memory_bytes", budget.memory_bytes, point.peak_memory_bytes),
        ("latency_ms_p95", budget.latency_p95_ms, point.latency_p95_ms),
    ):
        if limit is not None and value > limit:
            missed[name] = (limit, value - limit)
    return missed


def _source_fits(points: Sequence[Point], budget: Budget) -> bool:
    unlimited = Budget(artifact_bytes=budget.artifact_bytes, memory_bytes=budget.memory_bytes)
    return any(p.is_source and not misses(p, unlimited, p.score) for p in points)


def latency_steps(latencies_ms: Iterable[float]) -> dict[float, int]:
    """Which latencies count as equal: 1.00, 1.04 and 1.06 ms are steps 0, 0 and 1."""
    steps: dict[float, int] = {}
    step, lowest = -1, -math.inf
    for latency_ms in sorted(latencies_ms):
        if step < 0 or latency_ms > lowest * _WITHIN_NOISE:
            step, lowest = step + 1, latency_ms
        steps[latency_ms] = step
    return steps


def _key(
    point: Point, objective: Objective, steps: Mapping[float, int]
) -> tuple[float, float, float, str]:
    latency = float(steps[point.latency_p95_ms])
    first = {
        Objective.ACCURACY: -point.agreement,
        Objective.LATENCY: latency,
        Objective.BYTES: float(point.bytes),
        Objective.MEMORY: float(point.peak_memory_bytes),
    }[objective]
    return (first, latency, float(point.bytes), point.digest)

"""The Pareto front of measured candidates, and the choice from it."""

import math
from collections.abc import Sequence
from typing import Final

from shoal.compressor.search.values import Candidate
from shoal.contract.choice import Point

_LATENCY_STEP: Final = math.log(1.05)  # differences below 5 % are noise
_MEMORY_STEP: Final = 1 << 20  # and so is a mebibyte of a process's peak


def point(candidate: Candidate) -> Point:
    """What the rule of choice may look at."""
    return Point(
        digest=candidate.digest,
        bytes=candidate.bytes,
        score=candidate.scores.score,
        validation_score=candidate.scores.validation_score,
        validation_interval=candidate.scores.validation_interval,
        agreement=candidate.scores.validation_agreement,
        latency_p95_ms=candidate.costs.p95_ms,
        latency_ratio=candidate.costs.latency_ratio,
        peak_memory_bytes=candidate.costs.peak_memory_bytes,
        is_source=candidate.is_source,
    )


def front(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The candidates that no other beats, largest first; the source always stays.

    One beats another when it is no worse in validation score, bytes, latency and memory, and better
    in one. Latency and memory count in steps as wide as their noise.
    """
    distinct = {c.digest: c for c in sorted(candidates, key=lambda c: c.is_source)}
    kept = [
        one
        for one in distinct.values()
        if one.is_source or not any(_beats(other, one) for other in distinct.values())
    ]
    return tuple(sorted(kept, key=lambda c: (-c.bytes, c.digest)))


def _beats(one: Candidate, other: Candidate) -> bool:
    ours, theirs = _merits(one), _merits(other)
    if ours == theirs:
        return (one.bytes, one.digest) < (other.bytes, other.digest)
    return all(a <= b for a, b in zip(ours, theirs, strict=True))


def _merits(candidate: Candidate) -> tuple[float, float, float, float]:
    """Smaller is better in each."""
    return (
        -candidate.scores.validation_score,
        candidate.bytes,
        round(math.log(candidate.costs.p95_ms) / _LATENCY_STEP),
        candidate.costs.peak_memory_bytes // _MEMORY_STEP,
    )

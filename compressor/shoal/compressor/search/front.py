"""The Pareto front of measured candidates, and the choice from it."""

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from shoal.compressor.search.floor import Floor
from shoal.compressor.search.values import Candidate, Scored
from shoal.contract.choice import Point, latency_steps
from shoal.contract.digest import Digest

_MEMORY_STEP: Final = 1 << 20  # a mebibyte of a process's peak is noise
Merits = tuple[float, float, int, int, int, Digest]

_DIGITS: Final = 6  # what the report keeps, so that its readers see the same order


def point(candidate: Candidate, floor: Floor) -> Point:
    """What the rule of choice may look at."""
    return Point(
        digest=candidate.digest,
        bytes=candidate.bytes,
        score=floor.judged(candidate.scores),
        validation_score=candidate.scores.validation_score,
        validation_interval=candidate.scores.validation_interval,
        agreement=candidate.scores.validation_agreement,
        latency_p95_ms=candidate.costs.p95_ms,
        latency_ratio=candidate.costs.latency_ratio,
        peak_memory_bytes=candidate.costs.peak_memory_bytes,
        is_source=candidate.is_source,
    )


def untimed_point(scored: Scored, floor: Floor) -> Point:
    """A point for what was refused before it was timed: its latency and memory are unknown."""
    return Point(
        digest=scored.digest,
        bytes=scored.bytes,
        score=floor.judged(scored.scores),
        validation_score=scored.scores.validation_score,
        validation_interval=scored.scores.validation_interval,
        agreement=scored.scores.validation_agreement,
        latency_p95_ms=math.inf,
        latency_ratio=math.inf,
        peak_memory_bytes=sys.maxsize,
    )


def front(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The candidates that no other beats, largest first; the source always stays.

    One beats another when it is no worse in validation score, agreement with the source, bytes,
    latency and memory, and better in one: whatever the rule of choice looks at, and so whatever any
    budget may ask for. Latency and memory count in steps as wide as their noise.
    """
    distinct = {c.digest: c for c in sorted(candidates, key=lambda c: c.is_source)}
    steps = latency_steps(one.costs.p95_ms for one in distinct.values())
    merits = {digest: _merits(one, steps) for digest, one in distinct.items()}
    kept = [
        one
        for digest, one in distinct.items()
        if one.is_source
        or not any(_beats(merits[other], merits[digest]) for other in distinct if other != digest)
    ]
    return tuple(sorted(kept, key=lambda c: (-c.bytes, c.digest)))


def _beats(ours: Merits, theirs: Merits) -> bool:
    """Whether `ours` is no worse in any; the digest at the end settles equals."""
    if ours[:-1] == theirs[:-1]:
        return ours < theirs
    return all(a <= b for a, b in zip(ours[:-1], theirs[:-1], strict=True))


def _merits(candidate: Candidate, steps: Mapping[float, int]) -> Merits:
    """Smaller is better in each."""
    return (
        -candidate.scores.validation_score,
        -round(candidate.scores.validation_agreement, _DIGITS),
        candidate.bytes,
        steps[candidate.costs.p95_ms],
        candidate.costs.peak_memory_bytes // _MEMORY_STEP,
        candidate.digest,
    )

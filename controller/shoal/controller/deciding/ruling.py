"""What became of every variant of an archive in one cohort: chosen, a fall, outranked, ruled out.

Who ranks is `contract.choice`, with the same arguments as at the freezing; here its answer is told.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from shoal.contract import choice, shortfall
from shoal.contract.choice import Objective, Point
from shoal.contract.digest import Digest
from shoal.controller.domain.archive import ClassArchive, ModelView
from shoal.controller.domain.revisions import CohortContent
from shoal.controller.domain.rollout import CohortProgress, Quarantined, RolloutRecord
from shoal.controller.planning import naming


class Fate(enum.StrEnum):
    """What became of a variant in a cohort."""

    CHOSEN = "chosen"
    REFUSED = "refused"
    MAY_FALL_TO = "mayFallTo"
    OUTRANKED = "outranked"
    RULED_OUT = "ruledOut"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """One variant with the figures that were judged, and why it came where it is."""

    digest: Digest
    fate: Fate
    why: str
    bytes: int
    score: float
    latency_p95_ms: float
    peak_memory_bytes: int


def rulings(
    record: RolloutRecord, model: ModelView | None, content: CohortContent
) -> tuple[Ruling, ...]:
    """Every variant of the cohort's archive, the best first; none where the archive is gone."""
    archive = model.archive(content.profile_class) if model else None
    if model is None or archive is None:
        return ()
    order = archive.ranked(content.budget, model.objective)
    places = {one.digest: place for place, one in enumerate(order)}
    bench = _Bench(
        content=content,
        progress=record.cohort(content.cohort) or CohortProgress(cohort=content.cohort),
        bad={one.digest: one for one in record.quarantine if one.cohort == content.cohort},
        archive=archive,
        objective=model.objective,
        places=places,
    )
    held = {one.digest: one for one in archive.figures(content.budget)}
    points = sorted(
        (held.get(one.digest, one) for one in archive.points),
        key=lambda one: (places.get(one.digest, len(order)), one.bytes),
    )
    return tuple(_ruling(bench, one) for one in points)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """What one cohort's variants are judged by."""

    content: CohortContent
    progress: CohortProgress
    bad: Mapping[Digest, Quarantined]
    archive: ClassArchive
    objective: Objective
    places: Mapping[Digest, int]


def _ruling(bench: _Bench, point: Point) -> Ruling:
    fate, why = _fate(bench, point)
    return Ruling(
        digest=point.digest,
        fate=fate,
        why=why,
        bytes=point.bytes,
        score=point.score,
        latency_p95_ms=point.latency_p95_ms,
        peak_memory_bytes=point.peak_memory_bytes,
    )


def _fate(bench: _Bench, point: Point) -> tuple[Fate, str]:
    if point.digest in bench.content.variants:
        return _frozen(bench, bench.content.variants.index(point.digest))
    bad = bench.bad.get(point.digest)
    if bad is not None and bad.lifted_at is None:
        return Fate.QUARANTINED, f"failed here under revision {bad.revision} ({bad.reason})"
    refusal = bench.archive.refusal(point.digest, bench.content.budget)
    if refusal:
        return Fate.RULED_OUT, f"on a scout: {refusal}"
    missed = choice.misses(point, bench.content.budget, bench.archive.min_score)
    if missed:
        return Fate.RULED_OUT, "; ".join(
            shortfall.describe_one(name, limit - by if name == "min_score" else limit + by, limit)
            for name, (limit, by) in missed.items()
        )
    if point.digest not in bench.places:
        ratio = f"{point.latency_ratio:.2f} times the source's latency"
        return Fate.RULED_OUT, f"slower than the source: {ratio}, {choice.SLOWER:g} is allowed"
    place = bench.places[point.digest] + 1
    return Fate.OUTRANKED, f"number {place} of {len(bench.places)} by {bench.objective}"


def _frozen(bench: _Bench, place: int) -> tuple[Fate, str]:
    """A variant of the frozen list, by its place in it."""
    last, step = len(bench.content.variants) - 1, bench.progress.step
    if place == step:
        return Fate.CHOSEN, _chosen(bench, place)
    if place < step:
        return Fate.REFUSED, "a device refused it at preflight, and the cohort fell past it"
    return Fate.MAY_FALL_TO, f"fall {place - step} of {last - step}"


def _chosen(bench: _Bench, step: int) -> str:
    points, fit = len(bench.archive.points), "fits" if len(bench.places) == 1 else "fit"
    fitting = f"{len(bench.places)} of {naming.counted(points, 'variant')} {fit}"
    if step:
        return f"{fitting}; fallen to after {step} refused at preflight"
    return f"best by {bench.objective} where {fitting}"

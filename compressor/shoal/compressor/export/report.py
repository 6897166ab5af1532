"""report.json: the shape of contracts section 3, from values (no file is touched here)."""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from shoal.compressor.evaluate.environment import Machine
from shoal.compressor.job import Job
from shoal.compressor.rejections import Rejection
from shoal.compressor.search.floor import Floor
from shoal.compressor.search.front import point, untimed_point
from shoal.compressor.search.values import Archive, Beaten, Candidate, Rejected
from shoal.contract import choice, digest
from shoal.contract.choice import SLOWER, Miss
from shoal.contract.profile import ClassProfile
from shoal.contract.reason import Reason

_DIGITS: Final = 6  # digits kept of scores and milliseconds: more would be noise
_INTERRUPTED: Final = {
    "reason": "Interrupted",
    "message": "interrupted before anything that fits was found",
    "hint": "run it again: it goes on from what is cached",
    "nearest": (),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the report tells of the run besides its archive."""

    job: Job
    floor: Floor
    metric: str
    validation: Mapping[str, Any]
    output: str
    machine: Machine
    profile: ClassProfile
    warnings: tuple[str, ...]
    seconds: float
    origin: Mapping[str, Any] | None


def compose(
    archive: Archive, front: Sequence[Candidate], order: Sequence[str], setting: Setting
) -> dict[str, Any]:
    """The whole report but golden set and references, which are files and added by the writer.

    `order` holds the digests of the points that meet floor and budget, best first.
    """
    rows = [_row(candidate, setting) for candidate in front]
    chosen = next((row for row in rows if [row["digest"]] == list(order[:1])), None)
    budget = setting.job.budget
    report: dict[str, Any] = {
        "source": {
            "digest": archive.source.digest,
            "bytes": archive.source.bytes,
            "score": _number(setting.floor.shown(archive.source.score)),
            "validation_score": _number(setting.floor.shown(archive.source.validation_score)),
            "latency_ms": _latency(archive.source.p50_ms, archive.source.p95_ms),
            "peak_memory_bytes": archive.source.peak_memory_bytes,
            "origin": setting.origin,
        },
        "metric": setting.metric,
        "smaller_is_better": setting.floor.smaller_is_better,
        "objective": setting.job.objective.value,
        "output": setting.output,
        "profile": {"class": setting.profile.name, **asdict(setting.profile)},
        "floor": {
            "min_score": _number(setting.floor.shown(setting.floor.min_score)),
            "kind": "proven" if setting.floor.proven else "measured",
        },
        "constraints": {
            "min_score": _number(setting.floor.shown(setting.floor.min_score)),
            "artifact_bytes": budget.artifact_bytes,
            "memory_bytes": budget.memory_bytes,
            "latency_ms_p95": budget.latency_p95_ms,
        },
        "validation": dict(setting.validation),
        "chosen": chosen,
        "order": list(order),
        "pareto": rows,
        "rejected": [_rejected(one) for one in archive.rejected],
        "dominated": [],
        "sensitivity": [asdict(layer) for layer in archive.layers],
        "warnings": list(setting.warnings),
        "interrupted": archive.interrupted,
        "environment": _environment(archive, setting),
    }
    _add_beaten(report, archive, front, setting)
    if chosen is None:
        report["error"] = no_feasible_variant(archive, setting)
    return report


def no_feasible_variant(archive: Archive, setting: Setting) -> dict[str, Any]:
    """The error of a run that found nothing to choose: what came nearest to each constraint.

    One that was interrupted missed none: it did not look for long enough.
    """
    if archive.interrupted:
        return dict(_INTERRUPTED)
    floor = setting.floor
    points = [point(candidate, floor) for candidate in archive.candidates]
    points += [untimed_point(one.scored, floor) for one in archive.rejected if one.scored]
    misses = [
        miss
        for miss in choice.nearest(points, setting.job.budget, floor.min_score)
        if math.isfinite(miss.nearest) and miss.nearest < sys.maxsize
    ]
    names = ", ".join(miss.constraint for miss in misses) or "floor and budget together"
    return {
        "reason": Reason.NO_FEASIBLE_VARIANT.value,
        "message": f"no variant meets every constraint: {names}",
        "hint": "loosen what was missed by least, or allow more --methods or --effort",
        "nearest": [_miss(miss, floor) for miss in misses],
    }


def _miss(miss: Miss, floor: Floor) -> dict[str, Any]:
    is_score = miss.constraint == "min_score"
    limit, nearest = (
        floor.shown(value) if is_score else value for value in (miss.limit, miss.nearest)
    )
    return {
        **asdict(miss),
        "limit": _number(limit),
        "nearest": _number(nearest),
        "missed_by": _number(miss.missed_by),
    }


def _row(candidate: Candidate, setting: Setting) -> dict[str, Any]:
    scores, costs, floor = candidate.scores, candidate.costs, setting.floor
    row: dict[str, Any] = {
        "digest": candidate.digest,
        "file": f"variants/{digest.hex_of(candidate.digest)}.{candidate.format}",
        "runtime": candidate.format.runtime,
        "recipe": {"title": candidate.recipe.title, **candidate.recipe.to_json()},
        "bytes": candidate.bytes,
        "score": _number(floor.shown(scores.score)),
        "score_interval": [_number(bound) for bound in floor.shown_interval(scores.interval)],
        "floor_proven": floor.is_proven(scores),
        "validation_score": _number(floor.shown(scores.validation_score)),
        "validation_interval": [
            _number(bound) for bound in floor.shown_interval(scores.validation_interval)
        ],
        "validation_agreement": _number(scores.validation_agreement),
        "latency_ms": _latency(costs.p50_ms, costs.p95_ms),
        "latency_ratio": _number(costs.latency_ratio),
        "peak_memory_bytes": costs.peak_memory_bytes,
        "parity": {"agreement": _number(scores.agreement), "max_abs": scores.max_abs},
        "is_source": candidate.is_source,
        "notes": list(candidate.notes),
    }
    if costs.forecast is not None:
        row["latency_predicted"] = True
        row["latency_interval_ms"] = [
            _number(costs.forecast.low_ms),
            _number(costs.forecast.high_ms),
        ]
        row["latency_basis"] = costs.forecast.basis
    stages = [note["stages"] for note in candidate.notes if "stages" in note]
    if stages:
        row["stages"] = stages[-1]
    if costs.latency_ratio > SLOWER and not candidate.is_source:
        row["slower_than_source"] = True
    return row


def _add_beaten(
    report: dict[str, Any], archive: Archive, front: Sequence[Candidate], setting: Setting
) -> None:
    """Candidates beside the front: what does not fit or is slower says so, the rest is beaten."""
    kept = {candidate.digest for candidate in front}
    for candidate in archive.candidates:
        if candidate.digest in kept:
            continue
        recipe = {"title": candidate.recipe.title, **candidate.recipe.to_json()}
        over = _over_budget(candidate, setting)
        if over:
            report["rejected"].append(
                {"recipe": recipe, "reason": Rejection.DOES_NOT_FIT.value, "detail": over}
            )
        elif candidate.costs.latency_ratio > SLOWER:
            detail = f"latency x{candidate.costs.latency_ratio:.2f}, and another is as small"
            report["rejected"].append(
                {"recipe": recipe, "reason": Rejection.SLOWER_THAN_SOURCE.value, "detail": detail}
            )
        else:
            figures = _row(candidate, setting)
            kept_keys = ("digest", "recipe", "bytes", "score", "latency_ratio")
            report["dominated"].append({key: figures[key] for key in kept_keys})
    for one in archive.beaten:
        report["dominated"].append(_beaten(one, setting))


def _beaten(beaten: Beaten, setting: Setting) -> dict[str, Any]:
    """A row of what was not timed: another is better in everything that a budget may ask."""
    return {
        "digest": beaten.scored.digest,
        "recipe": {"title": beaten.recipe.title, **beaten.recipe.to_json()},
        "bytes": beaten.scored.bytes,
        "score": _number(setting.floor.shown(beaten.scored.scores.score)),
        "latency_ratio": None,
        "by": beaten.by.title,
    }


def _over_budget(candidate: Candidate, setting: Setting) -> str:
    budget, costs = setting.job.budget, candidate.costs
    over = [
        f"{name} {value:g} is over {limit:g}"
        for name, limit, value in (
            ("artifact bytes", budget.artifact_bytes, candidate.bytes),
            ("memory bytes", budget.memory_bytes, costs.peak_memory_bytes),
            ("latency p95 ms", budget.latency_p95_ms, costs.p95_ms),
        )
        if limit is not None and value > limit
    ]
    return ", ".join(over)


def _rejected(rejected: Rejected) -> dict[str, Any]:
    row: dict[str, Any] = {
        "recipe": {"title": rejected.recipe.title, **rejected.recipe.to_json()},
        "reason": rejected.reason.value,
        "detail": rejected.detail,
    }
    if rejected.scored is not None:
        row["bytes"] = rejected.scored.bytes
        row["score"] = _number(rejected.scored.scores.score)
    return row


def _environment(archive: Archive, setting: Setting) -> dict[str, Any]:
    return {
        "cpu": setting.machine.cpu,
        "isa": list(setting.machine.isa),
        "threads": setting.job.runtime.threads,
        "runtime_rss_bytes": archive.source.runtime_rss_bytes,
        "versions": {name: version for name, version in setting.machine.versions if version},
        "seed": setting.job.seed,
        "seconds": round(setting.seconds, 3),
    }


def _latency(p50_ms: float, p95_ms: float) -> dict[str, float]:
    return {"p50": _number(p50_ms), "p95": _number(p95_ms)}


def _number(value: float) -> float:
    return round(value, _DIGITS)

"""What one device says of one gate: its effect, and the counts behind it.

Every effect is positive where the candidate is worse. Relative gates compare a device with its own
past, absolute ones with the limit; shadow answers are pairs and need neither.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from shoal.controller.domain.evidence import Source
from shoal.controller.domain.gating import Bound, GateSpec, Metric
from shoal.controller.domain.live import Sample
from shoal.controller.gates import effects, engine
from shoal.controller.gates.effects import LEAST_SAMPLES, Counts, Effect

_QUANTILES = {
    Metric.LATENCY_P50: (0, Effect.LATENCY_P50),
    Metric.LATENCY_P95: (1, Effect.LATENCY_P95),
    Metric.LATENCY_P99: (2, Effect.LATENCY_P99),
}
_LEAST_WINDOWS = 3  # of memory: one number a window, and it hardly moves


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One device's effect from so many samples.

    `pair` is (worse, better, n) where sampling alone gives it a least noise, `change` the counts
    before and after.
    """

    effect: float
    samples: int
    pair: tuple[int, int, int] | None = None
    change: tuple[Counts, Counts] | None = None


Read = Callable[[GateSpec, Sample | None, Sample], Reading | None]


def read(
    gate: GateSpec, source: Source, before: Sample | None, after: Sample | None, score: str = ""
) -> Reading | None:
    """What the device says; None where it has too few samples, or no past where one is needed.

    `score` is the Model's own metric, which a gate on quality asks for.
    """
    if after is None:
        return None
    if source is Source.SHADOW:
        return _shadow(gate, after)
    if gate.metric is Metric.QUALITY:
        reader = _SCORES.get((score, gate.kind))
    else:
        reader = _READERS.get(gate.metric)
    return None if reader is None else reader(gate, before, after)


def relative(gate: GateSpec) -> bool:
    """Whether devices are compared with their own past, and so with those not updated yet."""
    drifts = gate.metric is Metric.DRIFT
    return drifts or gate.kind in {Bound.MAX_DROP, Bound.MAX_RATIO}


def base_rate(befores: Iterable[Sample | None]) -> float | None:
    """The share of requests that failed before the rollout; each device has one vote here too.

    None where no device has had enough requests.
    """
    least = LEAST_SAMPLES[Effect.ERROR_RATE]
    counts = [one for one in map(_failed, befores) if one is not None and one.n >= least]
    return engine.trimmed_mean([one.rate for one in counts]) if counts else None


def _shadow(gate: GateSpec, after: Sample) -> Reading | None:
    if gate.metric is Metric.AGREEMENT:
        pair = (after.shadow_differed, 0, after.shadowed)
    else:
        pair = (after.paired_worse, after.paired_better, after.paired)
    if pair[2] < max(gate.min_samples, LEAST_SAMPLES[Effect.PAIRED]):
        return None
    return Reading(effect=effects.paired(*pair), samples=pair[2], pair=pair)


def _accuracy(gate: GateSpec, before: Sample | None, after: Sample) -> Reading | None:
    """Wrong answers among labelled ones."""
    return _rate(gate, Effect.ACCURACY, _wrong(before), _wrong(after))


def _errors(gate: GateSpec, before: Sample | None, after: Sample) -> Reading | None:
    return _rate(gate, Effect.ERROR_RATE, _failed(before), _failed(after))


def _rate(
    gate: GateSpec, effect: Effect, before: Counts | None, after: Counts | None
) -> Reading | None:
    least = max(gate.min_samples, LEAST_SAMPLES[effect])
    if after is None or after.n < least:
        return None
    if not relative(gate):
        # `min` is about what is right: at least 0.9 right is at most 0.1 wrong.
        return Reading(effect=after.rate, samples=after.n, pair=(after.events, 0, after.n))
    if before is None or before.n < least:
        return None
    change = (before, after)
    return Reading(effect=effects.rate_change(*change), samples=after.n, change=change)


def _wrong(sample: Sample | None) -> Counts | None:
    if sample is None:
        return None
    return Counts(events=sample.labelled - sample.correct, n=sample.labelled)


def _failed(sample: Sample | None) -> Counts | None:
    return None if sample is None else Counts(events=sample.errors, n=sample.requests)


def _latency(gate: GateSpec, before: Sample | None, after: Sample) -> Reading | None:
    place, effect = _QUANTILES[gate.metric]
    least = max(gate.min_samples, LEAST_SAMPLES[effect])
    now = _quantile(after, place, least)
    if now is None:
        return None
    if not relative(gate):
        return _ratio(gate.limit, now, after.answered)
    was = _quantile(before, place, least)
    return None if was is None else _ratio(was, now, after.answered)


def _quantile(sample: Sample | None, place: int, least: int) -> float | None:
    if sample is None or sample.latency_ms is None or sample.answered < least:
        return None
    return sample.latency_ms[place]


def _memory(gate: GateSpec, before: Sample | None, after: Sample) -> Reading | None:
    if after.windows < _LEAST_WINDOWS:
        return None
    if not relative(gate):
        return _ratio(gate.limit, float(after.memory_peak_bytes), after.windows)
    if before is None or before.windows < _LEAST_WINDOWS:
        return None
    return _ratio(before.memory_bytes, after.memory_bytes, after.windows)


def _ratio(was: float, now: float, samples: int) -> Reading | None:
    if not (was > 0 and now > 0):
        return None
    return Reading(effect=effects.log_change(was, now), samples=samples)


def _confidence(gate: GateSpec, before: Sample | None, after: Sample) -> Reading | None:
    if after.confident < gate.min_samples:
        return None
    if not relative(gate):
        return Reading(effect=1 - after.confidence, samples=after.confident)
    if before is None or before.confident < gate.min_samples:
        return None
    return Reading(effect=before.confidence - after.confidence, samples=after.confident)


def _drift(gate: GateSpec, before: Sample | None, after: Sample) -> Reading | None:
    del before  # the distance to it was taken where the counts of classes are
    if after.drift is None or after.requests < gate.min_samples:
        return None
    return Reading(effect=after.drift, samples=after.requests)


def _mae(gate: GateSpec, before: Sample | None, after: Sample) -> Reading | None:
    return _distance(gate, before, after, lambda one: one.absolute_error)


def _mse(gate: GateSpec, before: Sample | None, after: Sample) -> Reading | None:
    return _distance(gate, before, after, lambda one: one.squared_error)


def _distance(
    gate: GateSpec, before: Sample | None, after: Sample, total: Callable[[Sample], float]
) -> Reading | None:
    """The mean error on numeric labels, smaller being better."""
    least = max(gate.min_samples, LEAST_SAMPLES[Effect.ACCURACY])
    if after.scored < least:
        return None
    now = total(after) / after.scored
    if not relative(gate):
        return Reading(effect=now, samples=after.scored)
    if before is None or before.scored < least:
        return None
    return _ratio(total(before) / before.scored, now, after.scored)


_READERS: dict[Metric, Read] = {
    Metric.ACCURACY: _accuracy,
    Metric.ERROR_RATE: _errors,
    Metric.LATENCY_P50: _latency,
    Metric.LATENCY_P95: _latency,
    Metric.LATENCY_P99: _latency,
    Metric.MEMORY: _memory,
    Metric.CONFIDENCE: _confidence,
    Metric.DRIFT: _drift,
}

# By the Model's own metric; the API refuses a gate on quality by any other, and by other limits.
_SCORES: dict[tuple[str, Bound], Read] = {
    ("top1", Bound.MAX_DROP): _accuracy,
    ("top1", Bound.MIN): _accuracy,
    ("mae", Bound.MAX): _mae,
    ("mae", Bound.MAX_RATIO): _mae,
    ("mse", Bound.MAX): _mse,
    ("mse", Bound.MAX_RATIO): _mse,
}

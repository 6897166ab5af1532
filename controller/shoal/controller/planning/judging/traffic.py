"""The device engine on live traffic: what updated devices did against those not updated yet.

Relative gates are differences in differences: each device against its own past, and the candidate's
devices against the others, so that a common drift (the time of day, the heat) is no regression.
Without the other side a device's own past may hold a rollout and never take it back.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from shoal.controller.domain.evidence import GateVerdict, Source, Verdict, Width
from shoal.controller.domain.evidence import Scope as Whose
from shoal.controller.domain.gating import GateSpec, Metric
from shoal.controller.gates import engine
from shoal.controller.gates.engine import MIN_DEVICES, Design, Estimate
from shoal.controller.planning.judging import captions, readings
from shoal.controller.planning.judging.readings import Reading
from shoal.controller.planning.judging.scales import Scale
from shoal.controller.planning.judging.sides import MIN_COVERAGE, Scene
from shoal.controller.planning.view import Member

_BUCKET = math.log(2.0 ** (2.0**-5))  # a quantile is known to a bucket of the histogram, 2.2 %
_STEP = 0.01  # a confidence is counted in whole percents
_EFFECTS_SHOWN = 21
_NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sides:
    """Readings of both sides with the devices they are from; `other` is None for one-sided ones."""

    ours: tuple[tuple[str, Reading], ...]
    other: tuple[Reading, ...] | None

    @property
    def effects(self) -> list[float]:
        return [one.effect for _, one in self.ours]


def judge(scene: Scene, gate: GateSpec, source: Source, alpha: float) -> GateVerdict:
    """What live evidence from this source says of the gate now."""
    sides = _sides(scene, gate, source)
    scale = Scale(gate=gate, base=scene.cohort.progress.base_rate or 0.0)
    design = scale.design(alpha)
    estimate = _estimate(sides, scale, design)
    verdict = engine.verdict(estimate, design) if scene.decides else Verdict.INCONCLUSIVE
    covered = len(sides.ours) >= MIN_COVERAGE * len(scene.enrolled)
    if verdict is Verdict.PASS and not covered:
        verdict = Verdict.INCONCLUSIVE
    past = None if scene.decides else _own_past(scene, sides, scale, design)
    # Where the other side ran out, not where there never was one.
    holds = past is not None and past.low > design.margin and scene.last and scene.can_decide
    seen = estimate if scene.decides or estimate is not None else past
    judged = GateVerdict(
        metric=gate.metric,
        cohort=scene.cohort.id,
        verdict=verdict,
        limit=gate.limit,
        bound=gate.kind,
        gate=gate.key,
        source=source,
        alpha=alpha,
        samples=sum(one.samples for _, one in sides.ours),
        scope=_scope(scene, sides, seen),
        effects=_thinned(sorted(float(f"{scale.shown(one):.6g}") for one in sides.effects)),
        baseline=_baseline(sides, scale),
        advisory=not scene.decides and not holds,
        holds=holds,
    )
    told = captions.tell(_measured(judged, seen, scale, design), scene)
    return captions.baseless(told) if scale.baseless and sides.ours else told


def _measured(
    judged: GateVerdict, estimate: Estimate | None, scale: Scale, design: Design
) -> GateVerdict:
    if estimate is None:
        return judged
    return replace(
        judged,
        value=scale.shown(estimate.value),
        interval=scale.interval(estimate.low, estimate.high),
        width=Width(
            sampling=estimate.shares.sampling,
            devices=estimate.shares.devices,
            liars=estimate.shares.liars,
            data_factor=engine.data_factor(estimate, design),
        ),
    )


def _sides(scene: Scene, gate: GateSpec, source: Source) -> _Sides:
    ours = _readings(scene, gate, source, scene.updated, candidate=True)
    if source is Source.SHADOW or not readings.relative(gate):
        return _Sides(ours=ours, other=None)
    other = _readings(scene, gate, source, scene.others, candidate=False)
    return _Sides(ours=ours, other=tuple(one for _, one in other))


def _readings(
    scene: Scene, gate: GateSpec, source: Source, members: Sequence[Member], *, candidate: bool
) -> tuple[tuple[str, Reading], ...]:
    found = []
    for member in members:
        seen = scene.evidence.get(member.name)
        if seen is None:
            continue
        before = seen.before
        served = scene.variant if candidate else before.variant if before else None
        if candidate and before is not None and before.variant == served and not scene.unchanged:
            if gate.metric is Metric.DRIFT:
                continue  # the distance is to what served last, which is the candidate itself
            before = seen.earlier  # it switched under an earlier spec of the same rollout
        one = readings.read(gate, source, before, seen.since(served), scene.score)
        if one is not None:
            found.append((member.name, one))
    return tuple(found)


def _estimate(sides: _Sides, scale: Scale, design: Design) -> Estimate | None:
    other = None if sides.other is None else [one.effect for one in sides.other]
    return engine.compare(sides.effects, other, design, floor=_floor(sides, scale))


def _own_past(scene: Scene, sides: _Sides, scale: Scale, design: Design) -> Estimate | None:
    """The updated devices against their own past, or the limit, alone."""
    if len(scene.updated) < MIN_DEVICES:
        return None
    alone = _Sides(ours=sides.ours, other=None)
    return engine.compare(alone.effects, None, design, floor=_floor(alone, scale))


def _floor(sides: _Sides, scale: Scale) -> float:
    """The least variance of the estimate: devices that agree by luck prove nothing."""
    return _arm_floor([one for _, one in sides.ours], scale) + _arm_floor(sides.other or (), scale)


def _arm_floor(found: Sequence[Reading], scale: Scale) -> float:
    if not found:
        return 0.0
    pairs = [one.pair for one in found if one.pair is not None]
    if pairs:
        return engine.paired_floor(pairs)
    changes = [one.change for one in found if one.change is not None]
    if changes:
        return engine.rate_floor(changes)
    # Rounding to steps of this size, before and after: two uniform errors of step^2 / 12 each.
    step = _BUCKET if scale.logarithmic else _STEP
    return step**2 / 6 / len(found)


def _scope(scene: Scene, sides: _Sides, estimate: Estimate | None) -> Whose:
    trimmed = () if estimate is None else estimate.trimmed
    return Whose(
        enrolled=len(scene.enrolled),
        devices=len(sides.ours),
        baseline=len(sides.other or ()),
        trimmed=tuple(sides.ours[at][0] for at in trimmed[:_NAMES_SHOWN]),
    )


def _baseline(sides: _Sides, scale: Scale) -> float | None:
    """The middle of the devices not updated yet, in the terms of the limit."""
    if not sides.other:
        return None
    effects = sorted(one.effect for one in sides.other)
    return scale.shown(effects[len(effects) // 2])


def _thinned(values: Sequence[float]) -> tuple[float, ...]:
    """At most so many of sorted values, evenly, with both ends."""
    if len(values) <= _EFFECTS_SHOWN:
        return tuple(values)
    last = len(values) - 1
    return tuple(values[round(i * last / (_EFFECTS_SHOWN - 1))] for i in range(_EFFECTS_SHOWN))

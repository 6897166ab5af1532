"""Gates on one cohort: what each says now of each source of evidence (gates.md).

A gate may have several sources: accuracy is decided by the golden set for fleets of any size, and
shadow answers and labels may fail it where devices are many. The chance of a false failure is split
evenly over all tests of all gates, and over cohorts; promotion needs every gate, so the chance of a
false pass is not split.
"""

from collections.abc import Iterator
from dataclasses import replace

from shoal.controller.domain.evidence import GateVerdict, Source, Verdict
from shoal.controller.domain.gating import Bound, GateSpec, Metric
from shoal.controller.domain.rollout import CohortProgress
from shoal.controller.domain.strategy import Ppm
from shoal.controller.planning.judging import (
    ballots,
    incidents,
    latching,
    queries,
    readings,
    sides,
    traffic,
)
from shoal.controller.planning.judging.sides import Scene
from shoal.controller.planning.view import CohortView, View

_LABELLED = frozenset({Metric.ACCURACY, Metric.QUALITY})


def collect(view: View, cohort: CohortView) -> CohortProgress:
    """The progress with new ballots, who is pardoned, and what is fixed before the first look."""
    progress, scene = ballots.collect(view, cohort), Scene(view=view, cohort=cohort)
    if progress.pardon:
        struck = {*progress.pardoned, *incidents.struck(scene)}
        progress = replace(progress, pardon=False, pardoned=tuple(sorted(struck)))
    if progress.wave < 0:
        return progress
    if progress.live is None:
        progress = replace(progress, live=sides.might_decide(scene))
    if progress.base_rate is None:
        befores = (one.before for one in scene.evidence.values())
        progress = replace(progress, base_rate=readings.base_rate(befores))
    return progress


def judge(view: View, cohort: CohortView) -> tuple[GateVerdict, ...]:
    """What every gate says now, with what holds on from the looks before."""
    scene = Scene(view=view, cohort=cohort)
    tests = sum(len(tested(scene, gate)) for gate in view.strategy.gates)
    now = [one for gate in view.strategy.gates for one in _judge(scene, gate, tests)]
    return latching.latch(cohort.progress.verdicts, now, last=scene.last)


def sources(gate: GateSpec, shadow: Ppm) -> tuple[Source, ...]:
    """Where the evidence of a gate comes from; `shadow` is the share of requests answered twice."""
    if gate.metric is Metric.PROMETHEUS:
        return (Source.QUERY,)
    if gate.counts:
        return (Source.COUNT,)
    if gate.metric is Metric.RESTARTS:
        return (Source.INCIDENTS,)
    found: list[Source] = []
    if gate.answers:
        found.append(Source.GOLDEN)
    paired = gate.metric is Metric.ACCURACY and gate.kind is Bound.MAX_DROP
    if shadow and (paired or gate.metric is Metric.AGREEMENT):
        found.append(Source.SHADOW)
    if gate.metric in _LABELLED:
        found.append(Source.LABELS)
    return tuple(found) or (Source.TRAFFIC,)


def tested(scene: Scene, gate: GateSpec) -> tuple[Source, ...]:
    """The sources that can fail the gate in this cohort by statistics: each costs alpha."""
    counted = {Source.COUNT, Source.QUERY}
    able = {Source.GOLDEN} if not scene.can_decide else set(Source) - counted
    return tuple(one for one in sources(gate, scene.view.strategy.shadow_ppm) if one in able)


def _judge(scene: Scene, gate: GateSpec, tests: int) -> Iterator[GateVerdict]:
    alpha = scene.alpha(gate, tests)
    asked = sources(gate, scene.view.strategy.shadow_ppm)
    if gate.answers and not (scene.can_decide or scene.evidence):
        asked = asked[:1]  # nothing live will be heard of: most passes of small fleets
    of_source = {one: _of(scene, gate, one, alpha) for one in asked}
    golden = of_source.get(Source.GOLDEN)
    if golden is None:
        yield from of_source.values()
        return
    answered = ballots.usable(scene, gate)
    live = [one for one in of_source.values() if one is not golden]
    decided = any(one.verdict is not Verdict.INCONCLUSIVE and not one.advisory for one in live)
    # Without a golden set that can tell, live evidence alone decides where it does.
    yield golden if answered or not decided else replace(golden, advisory=True)
    for one in live:
        if not scene.can_decide and one.interval is None:
            continue  # it can say nothing in this rollout
        silent = answered and one.verdict is not Verdict.FAIL and not one.holds
        why = "the golden set decides" if answered else "nothing was heard yet"
        yield _quiet(one, why) if silent or not one.samples else one


def _quiet(one: GateVerdict, why: str) -> GateVerdict:
    """A live source beside the golden set that has nothing to say against the candidate."""
    if one.advisory:
        return one
    return replace(one, advisory=True, message=f"advisory ({why}): {one.message}")


def _of(scene: Scene, gate: GateSpec, source: Source, alpha: float) -> GateVerdict:
    if source is Source.GOLDEN:
        return ballots.judge(scene, gate, alpha)
    if source is Source.COUNT:
        return incidents.count(scene, gate)
    if source is Source.INCIDENTS:
        return incidents.judge(scene, gate, alpha)
    if source is Source.QUERY:
        return queries.judge(scene, gate)
    return traffic.judge(scene, gate, source, alpha)

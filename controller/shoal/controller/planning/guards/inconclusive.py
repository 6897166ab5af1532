"""Guard 11: a gate without a verdict prolongs the soak, up to maxSoak; then onInconclusive."""

from collections.abc import Mapping
from dataclasses import dataclass

from shoal.contract.reason import Reason
from shoal.controller.domain.evidence import GateVerdict
from shoal.controller.domain.gating import OnInconclusive
from shoal.controller.planning import allocating
from shoal.controller.planning.decisions import Decision, Held, Settled
from shoal.controller.planning.guards import failing
from shoal.controller.planning.guards.failing import Failure
from shoal.controller.planning.view import CohortView, View


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    cohort: CohortView
    gate: GateVerdict
    until: float
    action: OnInconclusive


def decide(view: View) -> Decision | None:
    """Prolong, or do what the gate asks once the longest soak is over; never advance."""
    current = view.current
    if current is None or not current.result.open:
        return None
    undecided = [one for cohort in view.open for one in _undecided(view, cohort)]
    if not undecided:
        return None
    over = [one for one in undecided if view.now >= one.until]
    message = failing.sentence([_failure(one) for one in over or undecided])
    if not over:
        go = allocating.allowed(view)
        return Settled(reason=Reason.GATE_INCONCLUSIVE, message=message, go=go)
    back = [one for one in over if one.action is OnInconclusive.ROLLBACK]
    if not back:
        return Held(reason=Reason.GATE_INCONCLUSIVE, message=message)
    return failing.take_back(view, current, [_failure(one) for one in back])


def soaked_until(view: View, cohort: CohortView) -> float | None:
    """When the longest soak of the cohort's wave ends; None while its devices are not finished.

    Devices confirm after `soak`, so `maxSoak - soak` is left: finished at 100, soak 30 s, maxSoak
    300 s: 370.
    """
    spec, finished = view.wave_spec(cohort), cohort.progress.finished_at
    return None if finished is None else finished + spec.max_soak_s - spec.soak_s


def _failure(one: _Open) -> Failure:
    return Failure(
        cohort=one.cohort,
        reason=Reason.GATE_INCONCLUSIVE,
        message=f"{one.gate.metric}: {one.gate.message}",
    )


def _undecided(view: View, cohort: CohortView) -> list[_Open]:
    until = soaked_until(view, cohort)
    if until is None or not cohort.judging or cohort.progress.returning:
        return []
    actions = {one.key: one.on_inconclusive for one in view.strategy.gates}
    return [
        _Open(cohort=cohort, gate=one, until=until, action=_action(one, actions))
        for one in cohort.progress.verdicts
        if one.blocks and one.gate in actions
    ]


def _action(gate: GateVerdict, actions: Mapping[str, OnInconclusive]) -> OnInconclusive:
    """A device's own past never takes a rollout back (design: section 6.5)."""
    return OnInconclusive.HOLD if gate.holds else actions[gate.gate]

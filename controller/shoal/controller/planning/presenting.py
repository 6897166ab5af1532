"""The status of a deployment in values; every figure comes from the view, nothing is decided."""

from shoal.contract.reason import Reason
from shoal.controller.domain.outcomes import Blocked, Outcome
from shoal.controller.domain.plan import CohortStatus, RolloutStatus, WaveStatus
from shoal.controller.domain.revisions import WaveRecord, WaveState
from shoal.controller.planning import conditions, targets, waves
from shoal.controller.planning.guards import inconclusive
from shoal.controller.planning.view import CohortView, View


def status_of(view: View) -> RolloutStatus:
    """What people see of this moment."""
    record, current = view.record, view.current
    members = view.members
    standing = record.hold or record.waiting
    return RolloutStatus(
        revision=current.number if current else 0,
        model_revision=current.content.model_revision if current else 0,
        result=current.result if current else None,
        reason=standing.reason if standing else (current.reason if current else ""),
        message=standing.message if standing else (current.message if current else ""),
        paused=record.paused_at is not None,
        following=conditions.following(view),
        selected=len(members),
        reachable=sum(not one.device.lost for one in members),
        counts=waves.counts(members),
        cohorts=_cohorts(view),
        wave=record.wave,
        waves=_waves(view),
        blocked=_blocked(view),
        conditions=conditions.conditions_of(view),
        quarantine=record.quarantine,
    )


def _cohorts(view: View) -> tuple[CohortStatus, ...]:
    names = view.current.content.names if view.current else {}
    return tuple(_cohort(one, names[one.id]) for one in view.cohorts)


def _cohort(cohort: CohortView, name: str) -> CohortStatus:
    content, step = cohort.content, cohort.progress.step
    return CohortStatus(
        cohort=cohort.id,
        name=name,
        profile=content.profile,
        profile_class=content.profile_class,
        devices=len(cohort.members),
        variant=targets.variant_of(content, cohort.progress),
        fallbacks=content.variants[step + 1 :],
        misses=content.misses,
        reason=content.reason,
        wave=cohort.progress.wave,
    )


def _waves(view: View) -> tuple[WaveStatus, ...]:
    if view.current is None:
        return ()
    return tuple(_wave(view, one, i) for i, one in enumerate(view.current.waves))


def _wave(view: View, wave: WaveRecord, index: int) -> WaveStatus:
    """The wave going on with the numbers of now, later ones with their size, earlier as written."""
    until = None
    if wave.state in {WaveState.ACTIVE, WaveState.HELD} and view.running:
        wave = waves.shown(view, wave)
        ends = [inconclusive.soaked_until(view, one) for one in view.open]
        until = max((one for one in ends if one is not None), default=None)
    devices = wave.devices
    if wave.state in {WaveState.PENDING, WaveState.SKIPPED}:
        devices = sum(one.size(index) for one in view.cohorts if one.feasible)
    return WaveStatus(
        name=wave.name,
        devices=devices,
        state=wave.state,
        started_at=wave.started_at,
        soaked_until=until,
        counts=wave.counts,
        gates=wave.gates,
        promoted_by=wave.promoted_by,
    )


def _blocked(view: View) -> tuple[Blocked, ...]:
    """Every device that went wrong, by name."""
    wrong = {Outcome.FAILED, Outcome.REFUSED, Outcome.TIMED_OUT, Outcome.NO_FEASIBLE_VARIANT}
    return tuple(
        Blocked(
            device=one.name,
            outcome=one.outcome,
            reason=one.state.reason or _reason_of(one.outcome),
            message=one.state.message,
        )
        for one in sorted(view.members, key=lambda one: one.name)
        if one.outcome in wrong
    )


def _reason_of(outcome: Outcome) -> str:
    return Reason.NO_FEASIBLE_VARIANT if outcome is Outcome.NO_FEASIBLE_VARIANT else outcome.value

"""Guard 5: hard stops, failed gates and too many failures, also while paused.

Under eight devices on either side (updated, not yet updated) statistics are out of reach, so one
failed start or local rollback stops the rollout, and so do two first incidents more than among the
devices not updated. From eight on it takes more failures than allowed, or g + 2 incidents with none
on the other side, g = 5 % of the updated rounded up (gates.md section 4).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from shoal.contract.reason import Reason
from shoal.controller.domain.evidence import Source, Verdict
from shoal.controller.domain.fleet import CohortId
from shoal.controller.domain.revisions import Proven, Result, Revision, WaveState
from shoal.controller.domain.strategy import Action, Scope
from shoal.controller.planning import naming, transitions, waves
from shoal.controller.planning.decisions import Decision, Held, Moved, warning
from shoal.controller.planning.judging import incidents
from shoal.controller.planning.judging.sides import Scene
from shoal.controller.planning.view import CohortView, Member, View


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What went wrong in one cohort."""

    cohort: CohortView
    reason: Reason
    message: str


def decide(view: View) -> Decision | None:
    """Do what onFailure asks where a cohort failed."""
    current = view.current
    if current is None or not current.result.open:
        return None
    failures = [one for cohort in view.open for one in _failures(view, cohort)]
    if not failures:
        return None
    if view.strategy.on_failure is Action.HOLD:
        return Held(reason=failures[0].reason, message=sentence(failures))
    return take_back(view, current, failures)


def take_back(view: View, current: Revision, failures: list[Failure]) -> Decision:
    """Return to what was there before: everything, or with scope cohort only what failed.

    What was complete once is held instead, as nothing takes it back by itself.
    """
    held = Held(reason=failures[0].reason, message=sentence(failures))
    failed = {one.cohort.id: one.cohort for one in failures}
    if current.completed_at is not None or current.origin.returns:
        # Only a cohort that joined later is taken back from content that was complete.
        late = {key for key, one in failed.items() if not _is_proven(current, one)}
        return _revert(view, failures, late) if late else held
    others = [one for one in view.cohorts if _stays(one) and one.id not in failed]
    if view.strategy.scope is Scope.COHORT and others:
        return _revert(view, failures, set(failed))
    why = transitions.Why(
        result=Result.ROLLED_BACK, reason=failures[0].reason, message=held.message
    )
    record = waves.stamped(view, WaveState.FAILED)
    record = transitions.quarantine(record, tuple(failed), why, view.now)
    return transitions.give_up(record, why, view.now)


def _failures(view: View, cohort: CohortView) -> list[Failure]:
    if cohort.progress.returning or cohort.progress.wave < 0:
        return []
    return [
        *_failed_gates(cohort),
        *_hard_stops(view, cohort),
        *_too_many(view, cohort),
    ]


def _failed_gates(cohort: CohortView) -> list[Failure]:
    found = []
    for one in cohort.progress.verdicts:
        if one.verdict is Verdict.FAIL and not one.advisory and not one.waived:
            hard = one.source is Source.COUNT
            reason = Reason.HARD_STOP if hard else Reason.GATE_FAILED
            found.append(
                Failure(
                    cohort=cohort,
                    reason=reason,
                    message=f"{one.name or one.metric}: {one.message}",
                )
            )
    return found


def _hard_stops(view: View, cohort: CohortView) -> list[Failure]:
    return [
        Failure(cohort=cohort, reason=Reason.HARD_STOP, message=one.message)
        for one in incidents.hard_stops(Scene(view=view, cohort=cohort))
    ]


def _too_many(view: View, cohort: CohortView) -> list[Failure]:
    """More failures than allowed; 10 % of a canary of one device is none."""
    allowed = view.strategy.max_failures.down(len(cohort.in_wave))
    if len(cohort.failures) <= allowed:
        return []
    first = cohort.failures[0].state
    message = (
        f"{len(cohort.failures)} of {naming.counted(len(cohort.in_wave), 'device')} failed,"
        f" {allowed} allowed: "
        f"{_names(cohort.failures)} ({first.reason or cohort.failures[0].outcome}: {first.message})"
    )
    return [Failure(cohort=cohort, reason=Reason.TOO_MANY_FAILURES, message=message)]


def _revert(view: View, failures: list[Failure], which: set[CohortId]) -> Moved:
    """Take these cohorts alone back; the others go on."""
    why = transitions.Why(
        result=Result.ROLLED_BACK, reason=failures[0].reason, message=sentence(failures)
    )
    record = transitions.quarantine(view.record, tuple(which), why, view.now)
    events = []
    for failure in failures:
        progress = record.cohort(failure.cohort.id)
        if failure.cohort.id in which and progress is not None and not progress.reverted:
            record = record.with_cohort(replace(progress, reverted=True, finished_at=None))
            message = f"{sentence([failure])}; this cohort alone is taken back"
            events.append(warning(Reason.COHORT_REVERTED, message))
    return Moved(record=record, events=tuple(events))


def _stays(cohort: CohortView) -> bool:
    return cohort.feasible and bool(cohort.members) and not cohort.progress.reverted


def _is_proven(current: Revision, cohort: CohortView) -> bool:
    variant = cohort.content.variants[cohort.progress.step]
    return Proven(cohort=cohort.id, variant=variant) in current.proven


def sentence(failures: list[Failure]) -> str:
    """What went wrong in which cohort, for people."""
    return "; ".join(f"cohort {one.cohort.content.profile}: {one.message}" for one in failures)


def _names(members: Iterable[Member]) -> str:
    return naming.listed([one.name for one in members])

"""Guard 13: the next wave, or complete; cohorts that are behind catch up first."""

from collections.abc import Iterable
from dataclasses import replace

from shoal.contract.reason import Reason
from shoal.controller.domain.revisions import Proven, Result, Revision, WaveState
from shoal.controller.domain.rollout import CohortProgress, RolloutRecord
from shoal.controller.planning import allocating, naming, transitions, waves
from shoal.controller.planning.decisions import Decision, Moved, Settled, normal
from shoal.controller.planning.view import CohortView, View


def decide(view: View) -> Decision:
    """Always applies: every wave is judged well, or nothing is going on."""
    current = view.current
    if current is None or not current.result.open:
        return Settled(go=allocating.allowed(view))
    if not view.open and not any(_judged_before(one) for one in view.cohorts):
        return _nobody(view)
    behind = [
        one for one in view.open if one.progress.canary or one.progress.wave < view.record.wave
    ]
    if behind:
        record = _proven(view, current, behind)
        for cohort in behind:
            record = record.with_cohort(_climbed(cohort))
        return Moved(record=record)
    if view.record.wave + 1 < len(view.strategy.waves) and view.open:
        return _next_wave(view, current)
    if view.open and not any(one.in_wave for one in view.cohorts):
        return _no_wave()
    return _complete(view, current) if _anything_stays(view, current) else _nothing_left(view)


def _judged_before(cohort: CohortView) -> bool:
    return bool(cohort.members) and (cohort.progress.done or cohort.progress.reverted)


def _anything_stays(view: View, current: Revision) -> bool:
    if view.returning or current.completed_at is not None:
        return True
    return any(one.members and one.feasible and not one.progress.reverted for one in view.cohorts)


def _nothing_left(view: View) -> Moved:
    """The cohorts that went on have lost their devices: what was taken back is all there is."""
    names = naming.listed([one.content.profile for one in view.cohorts if one.progress.reverted])
    why = transitions.Why(
        result=Result.ROLLED_BACK,
        reason=Reason.COHORT_REVERTED,
        message=f"no device is left but those of what was taken back: cohort {names}",
    )
    return transitions.give_up(waves.stamped(view, WaveState.FAILED), why, view.now)


def _nobody(view: View) -> Settled:
    """No cohort has a device to judge: that is never "100 %"."""
    if view.members:
        return Settled(
            reason=Reason.MODEL_NOT_READY,
            message="the selected devices have no variant yet; their search goes on",
        )
    return Settled(reason=Reason.NO_DEVICES, message="the selector matches no device")


def _no_wave() -> Settled:
    """Every wave was empty: nothing was rolled out, and nothing is complete."""
    return Settled(
        reason=Reason.NO_DEVICES,
        message="the selectors of the waves pick none of the devices",
    )


def _next_wave(view: View, current: Revision) -> Moved:
    coming = view.record.wave + 1
    record = _proven(view, current, view.open)
    events = []
    # Events are counted by their text: without the revision two rollouts would be one event.
    which = f"revision {current.number}: wave"
    if view.record.wave >= 0 and current.waves[view.record.wave].state is not WaveState.SKIPPED:
        record = waves.stamped(_with(view, record), WaveState.COMPLETE)
        done = current.waves[view.record.wave].name
        events.append(normal(Reason.WAVE_COMPLETE, f"{which} {done} is complete"))
    name = view.strategy.waves[coming].name
    if waves.adds(view, coming):
        devices = sum(one.reach(coming) for one in view.open)
        wave = replace(current.waves[coming], state=WaveState.ACTIVE, started_at=view.now)
        started = f"{which} {name} started: {naming.counted(devices, 'device')}"
        events.append(normal(Reason.WAVE_STARTED, started))
    else:
        wave = replace(
            current.waves[coming], state=WaveState.SKIPPED, started_at=view.now, ended_at=view.now
        )
        events.append(normal(Reason.WAVE_SKIPPED, f"{which} {name} adds no device: skipped"))
    record = replace(transitions.with_wave(record, coming, wave), wave=coming)
    for cohort in view.open:
        record = record.with_cohort(_climbed(cohort))
    return Moved(record=record, events=tuple(events))


def _climbed(cohort: CohortView) -> CohortProgress:
    """The next wave of a cohort, or the rest of this one after its canary.

    Every cohort has a canary (design: section 6 point 4). Waves of 100 % with a selector, then
    50 %: a cohort of 20 that the selector picks none of has one device in the second, then 10.
    """
    wave = cohort.progress.wave + (not cohort.progress.canary)
    canary = wave > 0 and not cohort.in_wave and cohort.reach(wave) > 1
    return replace(cohort.progress, wave=wave, finished_at=None, waived=None, canary=canary)


def _complete(view: View, current: Revision) -> Moved:
    record = _proven(view, current, view.open)
    record = waves.ended(_with(view, record))
    for cohort in view.open:
        record = record.with_cohort(replace(cohort.progress, done=True, waived=None))
    taken_back = [one.content.profile for one in view.cohorts if one.progress.reverted]
    message = f"taken back: cohort {', '.join(taken_back)}" if taken_back else ""
    record = record.with_current(
        result=Result.COMPLETE,
        reason=Reason.COMPLETE,
        message=message,
        ended_at=view.now,
        completed_at=current.completed_at if current.completed_at is not None else view.now,
    )
    event = normal(Reason.COMPLETE, f"revision {current.number} is complete")
    return Moved(record=replace(record, hold=None, waiting=None), events=(event,))


def _proven(view: View, current: Revision, passed: Iterable[CohortView]) -> RolloutRecord:
    """The record in which the variants of these cohorts are proven; the newest comes last.

    A cohort that has had no device in a wave yet has proven nothing.
    """
    added = [
        Proven(cohort=one.id, variant=one.content.variants[one.progress.step])
        for one in passed
        if one.progress.wave >= 0 and one.in_wave
    ]
    kept = tuple(one for one in current.proven if one not in added)
    return view.record.with_current(proven=(*kept, *added))


def _with(view: View, record: RolloutRecord) -> View:
    """The view with another record, its cohorts as they were."""
    return replace(view, record=record)

"""Fold what devices said into the record, before any guard decides.

Everything here is level-triggered and idempotent: the same snapshot folded twice is the same
record. Stamps of time are set only where something changed.
"""

from dataclasses import dataclass, replace

from shoal.contract.limits import COHORTS_PER_REVISION
from shoal.contract.reason import Reason
from shoal.controller.domain.fleet import DeviceView
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.domain.plan import PlanEvent
from shoal.controller.domain.revisions import Result, Revision, WaveState
from shoal.controller.domain.rollout import (
    CohortProgress,
    DeviceRecord,
    Progress,
    RolloutRecord,
)
from shoal.controller.domain.snapshot import Snapshot
from shoal.controller.planning import (
    clocks,
    freezing,
    gates,
    looking,
    naming,
    standing,
    transitions,
)
from shoal.controller.planning.decisions import Moved, normal, warning
from shoal.controller.planning.looking import look
from shoal.controller.planning.view import View

# How far each outcome is: progress is measured by them, and by nothing else.
_DISTANCE = {
    Outcome.FETCHING: 1,
    Outcome.PREFLIGHT: 2,
    Outcome.SOAKING: 3,
    Outcome.CONFIRMED: 4,
}


# How often a device that was lost is given its time anew, until it confirmed or is told anew. One
# that comes and goes for ever would never time out.
_RETURNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The view under the record with everything that devices showed since, and what is news."""

    view: View
    events: tuple[PlanEvent, ...]


def observe(snapshot: Snapshot, record: RolloutRecord) -> Observed:
    """Fold in what devices showed."""
    events: tuple[PlanEvent, ...] = ()
    view = look(snapshot, clocks.caught_up(record, snapshot.now))
    for fold in _FOLDS:
        moved = fold(view)
        events = (*events, *moved.events)
        view = looking.again(view, moved.record)
    return Observed(view=looking.under(view, _marked(view)), events=events)


def _devices(view: View) -> Moved:
    """Forget deleted devices; note who was lost and who came back, whose time then starts anew."""
    seen = {one.name: one for one in view.snapshot.devices}

    def note(known: DeviceRecord, device: DeviceView) -> DeviceRecord:
        home = device.cohort.id if device.cohort else None
        if known.regroup and known.told is not None and known.told.cohort == home:
            known = replace(known, regroup=False)
        if known.lost == device.lost:
            return known
        if device.lost or known.returns >= _RETURNS:
            return replace(known, lost=device.lost)
        returns = known.returns + (not known.confirmed)
        return replace(known, lost=False, since=view.now, returns=returns)

    devices = tuple(
        note(one, seen[one.device]) for one in view.record.devices if one.device in seen
    )
    strayed = tuple(one.device for one in devices if _strayed(view.current, one, seen[one.device]))
    return Moved(record=replace(view.record, devices=devices, strayed=strayed))


def _strayed(current: Revision | None, known: DeviceRecord, device: DeviceView) -> bool:
    """Whether its cohort in the current revision would be another one today."""
    told = known.told
    if current is None or told is None or told.revision != current.number:
        return False
    return device.cohort is not None and current.content.home(device.cohort) != told.cohort


def _retries(view: View) -> Moved:
    """A retry is for what failed: a device that is still at it goes on with what it was told."""
    current, going_on = view.current, set()
    if current is None:
        return Moved(record=view.record)
    for cohort in view.cohorts:
        for member in cohort.members:
            if member.known is None or not member.known.again:
                continue
            at_it = replace(member.known, again=False)
            state = standing.of(view.now, current, cohort.progress, member.device, at_it)
            if not state.outcome.failure:
                going_on.add(member.name)
    if not going_on:
        return Moved(record=view.record)
    return Moved(
        record=view.record.map_devices(
            lambda one: replace(one, again=False) if one.device in going_on else one
        )
    )


def _late_cohorts(view: View) -> Moved:
    """Add the cohorts that have devices now and an archive, but no place in the content yet.

    So does one that has a place but no variant, as its search had failed by no fault of the input,
    once a later try of the search succeeds.
    """
    current = view.current
    if current is None or current.result not in {Result.ACTIVE, Result.HELD, Result.COMPLETE}:
        return Moved(record=view.record)
    model = view.snapshot.model_view(current.content.model_revision)
    record, events = view.record, []
    for key in freezing.keys(view.snapshot):
        if len(current.content.cohorts) >= COHORTS_PER_REVISION:
            break
        archive = model.archive(key.profile_class) if model else None
        if model is None or archive is None or not archive.settled:
            continue
        frozen = current.content.of(key.id)
        if frozen is None and not any(one.device.cohort == key for one in view.loose):
            continue
        if frozen is not None and frozen.variants:
            continue
        added = freezing.choose(key, archive, model, record.set_aside)
        if frozen is not None and not added.variants:
            continue
        others = (one for one in current.content.cohorts if one.cohort != key.id)
        cohorts = (*others, added)
        current = replace(current, content=replace(current.content, cohorts=cohorts))
        progress = CohortProgress(cohort=key.id, alpha_turn=record.next_alpha_turn)
        record = record.with_revision(current).with_cohort(progress)
        how = "with a canary of its own" if added.variants else f"without a variant: {added.reason}"
        message = f"cohort {key.profile} joined revision {current.number} {how}"
        events.append(normal(Reason.STARTED, message))
    return Moved(record=record, events=tuple(events))


def _confirmations(view: View) -> Moved:
    """Latch who is observed running what it was told; another digest revokes it."""
    members = {one.name: one.device for one in view.members}

    def latch(known: DeviceRecord) -> DeviceRecord:
        device = members.get(known.device)
        if device is None or known.told is None:
            return known
        seen = standing.confirmed(device, known, known.told)
        if known.confirmed == seen:
            return known
        return replace(known, confirmed=seen, since=known.since if seen else view.now)

    return Moved(record=view.record.map_devices(latch))


def _reopened(view: View) -> Moved:
    """Reopen the last wave of a finished cohort of which a confirmed device runs something else.

    A device that joined after completion and has not confirmed yet reopens nothing; it is a debt.
    """
    record, current = view.record, view.current
    if current is None or current.result.tombstone:
        return Moved(record=record)
    before = {one.device for one in view.snapshot.record.devices if one.confirmed}
    events = []
    for cohort in view.cohorts:
        revoked = [
            one.name
            for one in cohort.members
            if one.name in before
            and one.known is not None
            and not one.known.confirmed
            and one.in_wave
            and not one.device.lost
        ]
        if cohort.progress.done and revoked:
            record = record.with_cohort(replace(cohort.progress, done=False, finished_at=None))
            message = f"{naming.listed(revoked)} no longer runs what was confirmed"
            events.append(warning(Reason.REOPENED, message))
    if current.result is Result.COMPLETE and look(view.snapshot, record).open:
        last = len(current.waves) - 1
        record = record.with_current(result=Result.ACTIVE, reason="", message="", ended_at=None)
        wave = replace(current.waves[last], state=WaveState.ACTIVE, ended_at=None)
        record = transitions.with_wave(record, last, wave)
    return Moved(record=record, events=tuple(events))


def _falls(view: View) -> Moved:
    """Let a cohort fall to its next digest when a device refuses the one it has.

    It starts again at its canary, and the wave does not fail by it. Content that was complete does
    not fall: a refusal of it is a failure of that device.
    """
    record, events = view.record, []
    for cohort in view.open:
        left = cohort.progress.step + 1 < len(cohort.content.variants)
        refused = [one for one in cohort.judged if one.outcome is Outcome.REFUSED]
        if not refused or not left or cohort.progress.returning:
            continue
        fallen = replace(
            cohort.progress,
            step=cohort.progress.step + 1,
            wave=0,
            finished_at=None,
            waived=None,
            canary=False,
            ballots=(),
            verdicts=(),
            alpha_turn=record.next_alpha_turn,
            pardoned=(),
            live=None,  # another variant: whether there is a past to compare it with is asked anew
        )
        record = record.with_cohort(fallen)
        first = refused[0]
        events.append(
            warning(
                Reason.VARIANT_FELL,
                f"{first.name} refused the variant of cohort {cohort.content.profile}"
                f" ({first.state.reason}: {first.state.message}); the next starts at the canary",
            )
        )
    return Moved(record=record, events=tuple(events))


def _evidence(view: View) -> Moved:
    """Collect golden answers, judge the gates, and stamp the end of each cohort's work.

    What was given up is judged no more: its devices are led away, and evidence of that is none.
    """
    record = view.record
    if view.current is None or view.current.result.tombstone:
        return Moved(record=record)
    for cohort in view.cohorts:
        progress = cohort.progress
        if cohort.open and not progress.returning:
            progress = gates.collect(view, cohort)
            cohort = replace(cohort, progress=progress)  # noqa: PLW2901 - judged with the new ballots
        finished = cohort.open and progress.wave >= 0 and not cohort.unfinished
        if not finished:
            stamp = progress.finished_at if progress.done else None
        else:
            stamp = progress.finished_at if progress.finished_at is not None else view.now
        progress = replace(progress, finished_at=stamp)
        if cohort.open and not progress.returning:
            cohort = replace(cohort, progress=progress)  # noqa: PLW2901 - and with the new stamp
            progress = replace(progress, verdicts=gates.judge(view, cohort))
        record = record.with_cohort(progress)
    return Moved(record=record)


def _marked(view: View) -> RolloutRecord:
    """Move the progress mark where the rollout got further than ever."""
    current = view.current
    if current is None:
        return view.record
    told = [one.outcome for one in view.members if one.in_wave]
    mark = (
        current.number,
        sum(one.progress.step for one in view.cohorts),
        sum(one.progress.wave + 1 for one in view.cohorts),
        told.count(Outcome.CONFIRMED),
        sum(_DISTANCE.get(one, 0) for one in told),
    )
    if mark <= view.record.progress.mark:
        return view.record
    return replace(view.record, progress=Progress(mark=mark, at=view.now))


_FOLDS = (
    _devices,
    _late_cohorts,
    _confirmations,
    _reopened,
    _falls,
    _retries,
    _evidence,
)

"""The ways a rollout's record may change its revision: the one path for verbs and the planner.

Each function takes a record and returns the next with what to announce; none of them looks at
devices. Numbers only grow, results of earlier revisions stay, and a return is a new revision with
the old content (design: section 6 points 0 and 7).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shoal.contract.reason import Reason
from shoal.controller.domain.fleet import CohortId
from shoal.controller.domain.revisions import (
    Content,
    Origin,
    Result,
    Revision,
    WaveRecord,
    WaveState,
)
from shoal.controller.domain.rollout import (
    CohortProgress,
    Progress,
    Quarantined,
    RolloutRecord,
)
from shoal.controller.planning import targets
from shoal.controller.planning.decisions import Moved, normal, warning

LIFTED_KEPT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """What ended a revision: its result, and the reason for machines and for people."""

    result: Result
    reason: Reason
    message: str


def start(
    record: RolloutRecord, content: Content, origin: Origin, source: int | None, now: float
) -> Moved:
    """A new revision with this content; one that was going on is superseded by it."""
    record = _superseded(record, now)
    number = record.current.number + 1 if record.current else 1
    model = f"{content.model}@{content.model_revision}"
    revision = Revision(
        number=number,
        origin=origin,
        source=source,
        content=content,
        result=Result.ACTIVE,
        reason="",
        message="",
        started_at=now,
        waves=tuple(WaveRecord(name=one.name) for one in content.strategy.waves),
    )
    feasible = sum(bool(one.variants) for one in content.cohorts)
    cohorts = tuple(
        CohortProgress(cohort=one.cohort, alpha_share=max(feasible, 1)) for one in content.cohorts
    )
    record = replace(
        record.with_revision(revision),
        cohorts=tuple(sorted(cohorts, key=lambda one: one.cohort)),
        wave=-1,
        hold=None,
        waiting=None,
        approved_wave=None,
        progress=Progress(mark=(number,), at=now),
    )
    of_content = f" with the content of revision {source}" if origin.returns else ""
    event = normal(Reason.STARTED, f"revision {number} of {model} started{of_content}")
    return Moved(record=record, events=(event,))


def give_back(record: RolloutRecord, to: targets.Return, origin: Origin, now: float) -> Moved:
    """A new revision with content that was complete: no waves, no gates, proven at once.

    A cohort that was never proven with it starts at its canary, as one that joins later does; one
    in which a variant of it failed stays taken back until that is retried by hand.
    """
    source = to.revision
    moved = start(record, source.content, origin, source.number, now)
    record = moved.record
    last = len(source.content.strategy.waves) - 1
    cohorts = tuple(
        replace(one, reverted=one.cohort in to.failed)
        if step is None
        else replace(one, step=step, wave=last, returning=True)
        for one, step in ((one, to.step(one.cohort)) for one in record.cohorts)
    )
    skipped = tuple(replace(one, state=WaveState.SKIPPED) for one in record.going.waves[:last])
    final = replace(record.going.waves[last], state=WaveState.ACTIVE, started_at=now)
    record = record.with_current(waves=(*skipped, final), proven=source.proven)
    reason = Reason.UNDONE if origin is Origin.UNDO else Reason.ROLLED_BACK
    record = replace(record, cohorts=cohorts, wave=last, suspended=reason)
    return Moved(record=record, events=moved.events)


def give_up(record: RolloutRecord, why: Why, now: float) -> Moved:
    """End the current revision badly and return to what was complete before.

    The first rollout ever has nothing to return to: devices keep what they ran, and a rollback
    becomes a failure. The revision is a tombstone from here on.
    """
    current = record.going
    to = targets.return_from(record, current)
    result = Result.FAILED if to is None and why.result is Result.ROLLED_BACK else why.result
    record = end(record, replace(why, result=result), now)
    event = warning(why.reason, f"revision {current.number} is {result}: {why.message}")
    if to is None:
        record = replace(record, suspended=Reason.ROLLED_BACK)
        return Moved(record=record, events=(event,))
    moved = give_back(record, to, Origin.ROLLBACK, now)
    return Moved(record=moved.record, events=(event, *moved.events))


def end(record: RolloutRecord, why: Why, now: float) -> RolloutRecord:
    """The record with its current revision ended."""
    current = record.going
    failed = WaveState.HELD if why.result is Result.SUPERSEDED else WaveState.FAILED
    waves = tuple(
        replace(one, state=failed, ended_at=now)
        if one.state in {WaveState.ACTIVE, WaveState.HELD}
        else one
        for one in current.waves
    )
    record = record.with_current(
        result=why.result, reason=why.reason, message=why.message, ended_at=now, waves=waves
    )
    return replace(record, hold=None, waiting=None)


def quarantine(
    record: RolloutRecord, cohorts: Sequence[CohortId], why: Why, now: float
) -> RolloutRecord:
    """The record with the variants that these cohorts got set aside until retried by hand."""
    current = record.going
    kept = {(one.cohort, one.digest): one for one in record.quarantine}
    set_aside = record.set_aside
    for progress in record.cohorts:
        content = current.content.of(progress.cohort)
        if progress.cohort in cohorts and content is not None and content.variants:
            digest = content.variants[progress.step]
            if (progress.cohort, digest) in set_aside:
                continue
            kept[progress.cohort, digest] = Quarantined(
                cohort=progress.cohort,
                digest=digest,
                revision=current.number,
                reason=why.reason,
                message=why.message,
                at=now,
            )
    return replace(record, quarantine=tuple(kept[key] for key in sorted(kept)))


def lift(record: RolloutRecord, revision: Revision, by: str, now: float) -> RolloutRecord:
    """The record in which this revision's variants may be chosen again, and who said so."""
    chosen = {(one.cohort, digest) for one in revision.content.cohorts for digest in one.variants}
    lifted = tuple(
        replace(one, lifted_by=by, lifted_at=now)
        if one.holds and (one.cohort, one.digest) in chosen
        else one
        for one in record.quarantine
    )
    # What holds is kept as long as it holds; of what was lifted, the newest are for people to read.
    past = sorted((one for one in lifted if not one.holds), key=lambda one: -(one.lifted_at or 0))
    kept = {*(one for one in lifted if one.holds), *past[:LIFTED_KEPT]}
    return replace(record, quarantine=tuple(one for one in lifted if one in kept))


def with_wave(record: RolloutRecord, index: int, wave: WaveRecord) -> RolloutRecord:
    """The record with one wave of its current revision replaced."""
    waves = record.going.waves
    return record.with_current(waves=(*waves[:index], wave, *waves[index + 1 :]))


def _superseded(record: RolloutRecord, now: float) -> RolloutRecord:
    if record.current is None or not record.current.result.open:
        return record
    why = Why(
        result=Result.SUPERSEDED,
        reason=Reason.SUPERSEDED,
        message=f"revision {record.current.number + 1} took its place",
    )
    return end(record, why, now)

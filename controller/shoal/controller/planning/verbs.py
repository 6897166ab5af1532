"""What operators ask of a rollout: pure changes of its record, refused with a next step.

Pause, resume, promote and retry change the record at once. Abort and undo leave an intent that the
next pass carries out in the order of the guards, since it needs the fleet. All of them go through
the same compare-and-swap as the planner's own record.
"""

from dataclasses import dataclass, replace

from shoal.contract.problem import ConflictError, NotFoundError, Problem
from shoal.contract.reason import Reason
from shoal.controller.domain.evidence import Verdict
from shoal.controller.domain.revisions import Origin, Revision
from shoal.controller.domain.rollout import (
    CohortProgress,
    Intent,
    RolloutRecord,
    Taken,
    Verb,
)
from shoal.controller.planning import refusing, retrying, targets, transitions

# What a wave that does not hold may wait for and a promote ends.
_PROMOTED = (Reason.APPROVAL_MISSING, Reason.GATE_INCONCLUSIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One verb of one operator with its options.

    `to_revision` is for undo, `follow` for resume, and `full` for promote.
    """

    verb: Verb
    to_revision: int | None = None
    follow: bool = False
    full: bool = False
    by: str = ""


def apply(record: RolloutRecord, request: Request, now: float) -> RolloutRecord:
    """The record after the verb.

    Raises:
        ConflictError: the rollout is not in a state in which this can be done.
        NotFoundError: the revision asked for does not exist.
    """
    match request.verb:
        case Verb.PAUSE:
            return pause(record, now, by=request.by)
        case Verb.RESUME:
            return resume(record, now, follow=request.follow)
        case Verb.ABORT:
            return abort(record, now, by=request.by)
        case Verb.PROMOTE:
            return promote(record, now, full=request.full, by=request.by)
        case Verb.RETRY:
            return retrying.retry(record, now, by=request.by)
        case Verb.UNDO:
            return undo(record, now, to_revision=request.to_revision, by=request.by)


def pause(record: RolloutRecord, now: float, *, by: str = "") -> RolloutRecord:
    """Let running devices finish and start nothing new; pausing twice changes nothing."""
    if record.paused_at is not None:
        return record
    return replace(record, paused_at=now, paused_by=by)


def resume(record: RolloutRecord, now: float, *, follow: bool) -> RolloutRecord:
    """Go on; the time in between does not count against the progress deadline.

    With `follow`, a deployment that was undone or rolled back follows its model again, newest
    revision included; and a spec that an undo overtook starts after all.
    """
    if record.paused_at is not None:
        away = now - max(record.paused_at, record.progress.at)
        progress = replace(record.progress, at=record.progress.at + max(away, 0.0))
        record = replace(record, paused_at=None, paused_by="", progress=progress)
    if follow and record.suspended and record.current is not None:
        content, generation = record.current.content, record.taken.generation
        if all(one.content.generation != generation for one in record.revisions):
            generation = content.generation  # an undo came before this spec could start
        taken = Taken(generation=generation, model_revision=content.model_revision)
        record = replace(record, suspended="", taken=taken)
    return record


def abort(record: RolloutRecord, now: float, *, by: str = "") -> RolloutRecord:
    """Give the current revision up for ever and return its devices.

    Raises:
        ConflictError: nothing is going on, or it is already a rollback.
    """
    current = _going_on(record, "abort", "shoal rollout undo takes a finished revision back")
    if current.origin is Origin.ROLLBACK:
        raise refusing.conflict(
            Reason.NOT_IN_PROGRESS,
            f"revision {current.number} is itself a rollback and cannot be aborted",
            "wait for it, or shoal rollout undo --to-revision N",
        )
    return replace(record, intent=Intent(verb=Verb.ABORT, to_revision=None, asked_at=now, by=by))


def promote(
    record: RolloutRecord, now: float, *, full: bool = False, by: str = ""
) -> RolloutRecord:
    """Approve the next wave, or go on from a wave that holds or lacks a verdict.

    What failed so far is waived: it stays in the history and no longer counts. A wave under way is
    not gone past, or asking twice would let a wave go on unproven. A `full` one opens the last wave
    at once, and waits for nothing there; budgets, and the evidence from here on, still decide.

    Raises:
        ConflictError: nothing is going on, or what goes on waits for nobody.
    """
    current = _going_on(record, "promote", "shoal rollout retry starts a failed revision again")
    if current.origin.returns:
        raise refusing.conflict(
            Reason.NOT_IN_PROGRESS,
            f"revision {current.number} returns to earlier content and has no waves to promote",
            "wait for it, or shoal rollout retry",
        )
    if full and record.wave + 1 < len(current.content.strategy.waves):
        intent = Intent(verb=Verb.PROMOTE, to_revision=None, asked_at=now, by=by)
        return replace(record, intent=intent)
    waits = None if record.waiting is None else record.waiting.reason
    if not full and record.hold is None and waits not in _PROMOTED:
        why = record.waiting.message if record.waiting else "its devices are under way"
        paused = record.paused_at is not None
        hint = "shoal rollout resume" if paused else "shoal rollout promote --full waits for none"
        message = f"revision {current.number} waits for nobody to promote it: {why}"
        raise refusing.conflict(Reason.NOT_IN_PROGRESS, message, hint)
    progress = replace(record.progress, at=now)
    record = replace(record, approved_wave=record.wave + 1, progress=progress, waiting=None)
    if waits == Reason.APPROVAL_MISSING:
        return _promoted(record, record.wave + 1, by)
    record = _promoted(record, max(record.wave, 0), by)
    cohorts = tuple(replace(one, waived=one.wave) for one in record.cohorts)
    return forgiven(replace(record, cohorts=cohorts, hold=None))


def _promoted(record: RolloutRecord, wave: int, by: str) -> RolloutRecord:
    """The record in which the wave says who promoted it."""
    return transitions.with_wave(record, wave, replace(record.going.waves[wave], promoted_by=by))


def forgiven(record: RolloutRecord) -> RolloutRecord:
    """The record in which what failed so far no longer counts."""
    record = replace(record, cohorts=tuple(_waived(one) for one in record.cohorts))
    return record.map_devices(lambda one: replace(one, waived=not one.confirmed or one.waived))


def undo(
    record: RolloutRecord, now: float, *, to_revision: int | None, by: str = ""
) -> RolloutRecord:
    """Return to the newest earlier complete content that differs, or to that of `to_revision`.

    Raises:
        ConflictError: there is nothing to return to.
        NotFoundError: no such revision.
    """
    undo_target(record, to_revision)
    intent = Intent(verb=Verb.UNDO, to_revision=to_revision, asked_at=now, by=by)
    return replace(record, intent=intent)


def undo_target(record: RolloutRecord, to_revision: int | None) -> targets.Return:
    """Where an undo goes.

    Raises:
        ConflictError: there is nothing to return to.
        NotFoundError: no such revision.
    """
    current = record.current
    if current is None:
        raise _nothing("nothing was rolled out yet")
    if to_revision is None:
        found = targets.return_from(record, current)
        if found is None:
            raise _nothing(f"no revision before {current.number} was complete with other content")
        return found
    revision = record.revision(to_revision)
    if revision is None:
        raise NotFoundError(
            Problem(
                reason=Reason.NOT_FOUND,
                message=f"{record.deployment} has no revision {to_revision}",
                hint=_history(record),
            )
        )
    if not revision.lasting:
        what = "was never complete" if revision.completed_at is None else "was given up"
        raise _nothing(f"revision {to_revision} {what} ({revision.result})")
    if targets.quarantined(record, revision):
        raise _nothing(f"a variant of revision {to_revision} is in quarantine")
    if revision.content.puts_the_same(current.content) and not current.result.tombstone:
        raise _nothing(f"revision {to_revision} has the content that is current")
    return targets.as_return(record, revision)


def _going_on(record: RolloutRecord, verb: str, hint: str) -> Revision:
    current = record.current
    if current is None or not current.result.open:
        state = f"revision {current.number} is {current.result}" if current else "it has none yet"
        raise refusing.conflict(
            Reason.NOT_IN_PROGRESS, f"no rollout is going on to {verb}: {state}", hint
        )
    return current


def _waived(progress: CohortProgress) -> CohortProgress:
    verdicts = tuple(
        replace(one, waived=True) if one.verdict is Verdict.FAIL else one
        for one in progress.verdicts
    )
    return replace(progress, verdicts=verdicts, pardon=not progress.done)


def _history(record: RolloutRecord) -> str:
    lasting = [str(one.number) for one in record.revisions if one.lasting]
    return f"revisions to return to: {', '.join(lasting) or 'none'}"


def _nothing(message: str) -> ConflictError:
    return refusing.conflict(
        Reason.NOTHING_TO_RETURN_TO, message, "shoal rollout history shows what was complete"
    )

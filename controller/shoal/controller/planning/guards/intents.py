"""Guard 3: an operator's abort, undo or full promote, also while paused."""

from dataclasses import replace

from shoal.contract.problem import ProblemError
from shoal.contract.reason import Reason
from shoal.controller.domain.revisions import Origin, Result, WaveState
from shoal.controller.domain.rollout import Intent, RolloutRecord, Verb
from shoal.controller.planning import transitions, verbs, waves
from shoal.controller.planning.decisions import Decision, Moved, normal, warning
from shoal.controller.planning.view import View


def decide(view: View) -> Decision | None:
    """Carry the intent out, or drop it with a warning where it no longer fits."""
    intent = view.record.intent
    if intent is None:
        return None
    try:
        # The state may have moved since the verb was accepted: ask again.
        if intent.verb is Verb.ABORT:
            verbs.abort(view.record, view.now)
            return _abort(view, intent)
        if intent.verb is Verb.PROMOTE:
            verbs.promote(view.record, view.now, full=True)
            return _promote(view, intent)
        to = verbs.undo_target(view.record, intent.to_revision)
    except ProblemError as error:
        dropped = replace(view.record, intent=None)
        message = f"{intent.verb} was dropped: {error.problem.message}"
        return Moved(record=dropped, events=(warning(Reason.CONFLICT, message),))
    record = _overtaking(view, _without_intent(view, waves.stamped(view, WaveState.HELD)))
    moved = transitions.give_back(record, to, Origin.UNDO, view.now)
    return replace(moved, record=moved.record.with_current(by=intent.by))


def _promote(view: View, intent: Intent) -> Moved:
    """Open the last wave at once; those in between are skipped, and what failed is waived.

    So is the last itself where it adds no device and those of the waves before it have finished.
    """
    last = len(view.strategy.waves) - 1
    opens = waves.adds(view, last) > 0 or any(one.unfinished for one in view.open)
    record = verbs.forgiven(replace(waves.ended(view), intent=None))
    for index in range(view.record.wave + 1, last + 1):
        active = opens and index == last
        state = WaveState.ACTIVE if active else WaveState.SKIPPED
        ended = None if active else view.now
        wave = replace(
            record.going.waves[index],
            state=state,
            started_at=view.now,
            ended_at=ended,
            promoted_by=intent.by,
        )
        record = transitions.with_wave(record, index, wave)
    ahead = tuple(
        one
        if one.reverted or one.done
        else replace(one, wave=last, finished_at=None, waived=None, canary=False)
        for one in record.cohorts
    )
    progress = replace(record.progress, at=view.now)
    record = replace(
        record, cohorts=ahead, wave=last, approved_wave=last, progress=progress, hold=None
    )
    who = intent.by or "an operator"
    message = f"revision {record.going.number}: {who} opened the last wave at once"
    return Moved(record=record, events=(normal(Reason.WAVE_STARTED, message),))


def _abort(view: View, intent: Intent) -> Moved:
    record = _without_intent(view, waves.stamped(view, WaveState.FAILED))
    message = f"aborted by {intent.by or 'an operator'}"
    why = transitions.Why(result=Result.ABORTED, reason=Reason.ABORTED, message=message)
    return transitions.give_up(record, why, view.now)


def _without_intent(view: View, record: RolloutRecord) -> RolloutRecord:
    """The newest model revision counts as taken: only a newer one starts a rollout again."""
    newest = view.snapshot.newest_ready
    known = max(record.taken.model_revision, newest.number if newest else 0)
    return replace(record, intent=None, taken=replace(record.taken, model_revision=known))


def _overtaking(view: View, record: RolloutRecord) -> RolloutRecord:
    """The spec of now counts as taken too: one that still waited for its search starts no more.

    An undo wins over what was applied before it; what is applied after it wins over the undo.
    """
    pin = view.snapshot.pinned
    model = record.taken.model_revision if pin is None else pin
    taken = replace(record.taken, generation=view.snapshot.generation, model_revision=model)
    return replace(record, taken=taken)

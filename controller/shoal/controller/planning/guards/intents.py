"""Guard 3: an operator's abort or undo, also while paused."""

from dataclasses import replace

from shoal.contract.problem import ProblemError
from shoal.contract.reason import Reason
from shoal.controller.domain.revisions import Origin, Result, WaveState
from shoal.controller.domain.rollout import RolloutRecord, Verb
from shoal.controller.planning import transitions, verbs, waves
from shoal.controller.planning.decisions import Decision, Moved, warning
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
            return _abort(view)
        to = verbs.undo_target(view.record, intent.to_revision)
    except ProblemError as error:
        dropped = replace(view.record, intent=None)
        message = f"{intent.verb} was dropped: {error.problem.message}"
        return Moved(record=dropped, events=(warning(Reason.CONFLICT, message),))
    record = _without_intent(view, waves.stamped(view, WaveState.HELD))
    return transitions.give_back(record, to, Origin.UNDO, view.now)


def _abort(view: View) -> Moved:
    record = _without_intent(view, waves.stamped(view, WaveState.FAILED))
    why = transitions.Why(
        result=Result.ABORTED, reason=Reason.ABORTED, message="aborted by an operator"
    )
    return transitions.give_up(record, why, view.now)


def _without_intent(view: View, record: RolloutRecord) -> RolloutRecord:
    """The newest model revision counts as taken: only a newer one starts a rollout again."""
    newest = view.snapshot.newest_ready
    known = max(record.taken.model_revision, newest.number if newest else 0)
    return replace(record, intent=None, taken=replace(record.taken, model_revision=known))

"""Guard 4: a newer approved revision supersedes at any stage; the first one starts here too."""

from dataclasses import replace

from shoal.controller.domain.archive import ModelView
from shoal.controller.domain.revisions import Origin, WaveState
from shoal.controller.domain.rollout import Taken
from shoal.controller.planning import freezing, transitions, waves
from shoal.controller.planning.decisions import Decision
from shoal.controller.planning.view import View


def decide(view: View) -> Decision | None:
    """Start a revision where the spec or the ready model is newer than what was taken up."""
    model = view.snapshot.newest_ready
    if model is None:
        return None
    newer_spec = view.snapshot.generation > view.record.taken.generation
    if not newer_spec and not _newer_model(view, model):
        return None
    content = freezing.content_of(replace(view.snapshot, record=view.record), model)
    if isinstance(content, freezing.NotYet):
        return None
    taken = Taken(generation=view.snapshot.generation, model_revision=model.number)
    record = replace(waves.stamped(view, WaveState.HELD), taken=taken, suspended="")
    origin = Origin.SPEC if newer_spec else Origin.MODEL
    return transitions.start(record, content, origin, None, view.now)


def _newer_model(view: View, model: ModelView) -> bool:
    """A pinned deployment is led back to its pin; a following one only ever goes forward."""
    if view.snapshot.pinned is not None:
        return model.number != view.record.taken.model_revision
    return model.number > view.record.taken.model_revision

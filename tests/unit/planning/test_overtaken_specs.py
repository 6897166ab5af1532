"""An undo wins over what was applied before it, also over what still waited for a search."""

from dataclasses import replace

from shoal.controller.domain.archive import ArchiveState, ClassArchive, ModelView
from shoal.controller.domain.rollout import Verb
from tests.unit.planning.builders import CLASS, OTHER_CLASS, SMALL, a_model, an_archive
from tests.unit.planning.worlds import Make, World, a_second_rollout

_ELSEWHERE = replace(SMALL, profile_class=OTHER_CLASS, profile="elsewhere")


def a_world_whose_search_goes_on(make: Make) -> World:
    """Revision 2 is complete, and a new spec waits for the search of a device's new class."""
    world = a_second_rollout(make)
    world.finish()
    world.change("small-0", cohort=_ELSEWHERE)
    world.edit(device_timeout_s=700.0)
    world.turn(1.0)
    assert world.plan.status.revision == 2
    return world


def end_of_the_search(world: World) -> None:
    archives = (an_archive(2), an_archive(2, OTHER_CLASS))
    world.models = (world.models[0], a_model(2, *archives))


def test_an_undo_wins_over_a_spec_that_waited_for_its_search(make: Make) -> None:
    world = a_world_whose_search_goes_on(make)
    world.ask(Verb.UNDO)
    world.finish()
    end_of_the_search(world)
    world.finish()
    assert (world.plan.status.revision, world.plan.status.model_revision) == (3, 1)
    assert not world.plan.status.following


def test_a_spec_applied_after_the_undo_wins_over_it(make: Make) -> None:
    world = a_world_whose_search_goes_on(make)
    world.ask(Verb.UNDO)
    world.finish()
    world.edit(device_timeout_s=800.0)
    end_of_the_search(world)
    world.finish()
    assert (world.plan.status.revision, world.plan.status.model_revision) == (4, 2)


def test_resume_with_follow_takes_up_the_spec_that_was_overtaken(make: Make) -> None:
    world = a_world_whose_search_goes_on(make)
    world.ask(Verb.UNDO, to_revision=1)
    world.finish()
    end_of_the_search(world)
    world.ask(Verb.RESUME, follow=True)
    world.finish()
    current = world.record.going
    assert (current.number, current.content.generation) == (4, world.generation)


def test_an_undo_wins_over_a_pin_that_was_not_ready(make: Make) -> None:
    world = a_second_rollout(make)
    world.finish()
    searched = ClassArchive(profile_class=CLASS, state=ArchiveState.SEARCHING)
    coming: ModelView = replace(a_model(3, searched), ready=False)
    world.models = (*world.models, coming)
    world.pinned = 3
    world.edit()
    world.turn(1.0)
    world.ask(Verb.UNDO)
    world.finish()
    world.models = (*world.models[:2], a_model(3))
    world.finish()
    assert (world.plan.status.revision, world.plan.status.model_revision) == (3, 1)
    world.ask(Verb.RESUME, follow=True)
    world.finish()
    assert (world.plan.status.revision, world.plan.status.model_revision) == (4, 3)

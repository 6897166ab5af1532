from dataclasses import replace

from shoal.controller.domain.archive import ArchiveState, ClassArchive
from shoal.controller.domain.revisions import Origin
from shoal.controller.domain.snapshot import Conflict
from tests.unit.planning.builders import (
    ACCURACY,
    CLASS,
    LARGE,
    OTHER_CLASS,
    SMALL,
    WRONG,
    a_model,
    a_strategy,
    an_archive,
    devices_of,
    variant,
)
from tests.unit.planning.worlds import Make, World, a_complete_world, a_second_rollout


def conditions(world: World) -> dict[str, tuple[bool, str]]:
    return {one.type: (one.status, one.reason) for one in world.plan.status.conditions}


def test_a_following_deployment_takes_up_each_ready_model_revision(make: Make) -> None:
    world = a_complete_world(make)
    world.models = (*world.models, replace(a_model(2), ready=False))
    world.turn(1.0)
    assert world.plan.status.revision == 1
    world.models = (world.models[0], a_model(2))
    world.finish()
    current = world.record.revisions[-1]
    assert (current.number, current.origin) == (2, Origin.MODEL)
    assert conditions(world)["Following"] == (True, "Following")


def test_a_pinned_deployment_stays_where_it_is_pinned(make: Make) -> None:
    world = make(pinned=1)
    world.publish()
    world.finish()
    assert world.plan.status.model_revision == 1
    assert conditions(world)["Following"] == (False, "Pinned")
    world.pinned, world.generation = 2, 2
    world.finish()
    assert world.plan.status.model_revision == 2
    world.pinned, world.generation = 1, 3
    world.finish()
    assert world.plan.status.model_revision == 1


def test_the_unchanged_spec_changes_nothing(make: Make) -> None:
    world = a_complete_world(make)
    before = world.record
    for _ in range(3):
        world.turn(10_000.0)
    assert world.record == before
    assert world.plan.wake_at is None


def test_a_changed_spec_starts_a_revision(make: Make) -> None:
    world = a_complete_world(make)
    world.edit(device_timeout_s=700.0)
    world.finish()
    assert world.record.revisions[-1].origin is Origin.SPEC
    assert world.record.revisions[-1].content.strategy.device_timeout_s == 700.0


def test_a_newer_model_supersedes_at_any_stage(make: Make) -> None:
    world = a_second_rollout(make)
    world.confirm(*world.fresh())
    world.turn(1.0)
    world.publish()
    world.turn(1.0)
    assert [one.result for one in world.record.revisions] == ["complete", "superseded", "active"]
    world.finish()
    assert {one.revision for one in world.targets().values()} == {3}


def test_a_newer_model_goes_before_the_failure_of_the_present_one(make: Make) -> None:
    world = a_second_rollout(make)
    world.fail(*world.fresh())
    world.publish()
    world.turn(1.0)
    assert [one.result for one in world.record.revisions] == ["complete", "superseded", "active"]


def test_a_rollout_waits_for_the_search_of_every_class_that_can_be_reached(make: Make) -> None:
    other = replace(LARGE, profile_class=OTHER_CLASS, profile="other")
    world = make(fleet=[*devices_of(SMALL, 2), *devices_of(other, 2)])
    world.turn()
    assert (world.status, world.reason) == ("", "ModelNotReady")
    assert conditions(world)["Progressing"] == (False, "ModelNotReady")
    searching = ClassArchive(profile_class=other.profile_class, state=ArchiveState.SEARCHING)
    world.models = (a_model(1, an_archive(1), searching),)
    world.turn(1.0)
    assert not world.record.revisions
    world.models = (a_model(1, an_archive(1), an_archive(1, other.profile_class)),)
    world.finish()
    assert world.status == "complete"
    assert len(world.plan.status.cohorts) == 2


def test_a_lost_class_is_not_waited_for_and_joins_when_it_is_back(make: Make) -> None:
    other = replace(LARGE, profile_class=OTHER_CLASS, profile="other")
    world = make(fleet=[*devices_of(SMALL, 2), *devices_of(other, 2)])
    world.lose("other-0", "other-1")
    world.finish()
    assert world.status == "complete"
    world.find("other-0", "other-1")
    world.turn(1.0)
    assert world.status == "complete"
    world.models = (a_model(1, an_archive(1), an_archive(1, other.profile_class)),)
    world.turn(1.0)
    assert len(world.fresh()) == 1
    world.finish()
    assert len(world.on_revision(1)) == 4


def test_when_no_device_can_be_reached_nothing_starts(make: Make) -> None:
    world = make()
    world.lose(*(one.name for one in world.fleet))
    world.turn()
    assert world.reason == "NoDevices"
    assert "none of the 9 selected devices is reachable" in world.plan.status.message


def test_a_failed_search_leaves_its_cohort_without_a_variant(make: Make) -> None:
    other = replace(LARGE, profile_class=OTHER_CLASS, profile="other")
    failed = ClassArchive(
        profile_class=other.profile_class, state=ArchiveState.FAILED, message="out of memory"
    )
    world = make(
        fleet=[*devices_of(SMALL, 2), *devices_of(other, 2)],
        models=(a_model(1, an_archive(1), failed),),
    )
    world.finish()
    assert world.status == "complete"
    shown = next(one for one in world.plan.status.cohorts if one.name == "other")
    assert shown.reason == "the search failed: out of memory"


def test_a_missing_model_holds(make: Make) -> None:
    world = a_second_rollout(make)
    models, world.models = world.models, ()
    world.confirm(*world.fresh())
    world.turn(1.0)
    assert (world.status, world.reason) == ("held", "ModelNotReady")
    assert not world.fresh()
    world.models = models
    world.finish()
    assert world.status == "complete"


def test_a_model_that_is_not_ready_is_waited_for(make: Make) -> None:
    world = make(models=(replace(a_model(1), ready=False),))
    world.turn()
    assert (world.status, world.reason) == ("", "ModelNotReady")
    assert "digits is not ready yet" in world.plan.status.message
    world = make(models=(a_model(1), replace(a_model(2), ready=False)), pinned=2)
    world.turn()
    assert "digits@2 is not ready yet" in world.plan.status.message


def test_a_pin_to_a_revision_that_is_not_there_says_which_is_the_newest(make: Make) -> None:
    world = make(pinned=99)
    world.turn()
    assert (world.status, world.reason) == ("", "ModelNotReady")
    said = "digits has no revision 99: the newest is 1"
    assert world.plan.status.message == said
    world.pinned, world.generation = 1, 2
    world.finish()
    world.pinned, world.generation = 99, 3
    world.turn()
    following = next(one for one in world.plan.status.conditions if one.type == "Following")
    assert following.message == said


def test_a_conflict_holds_and_names_both(make: Make) -> None:
    world = a_second_rollout(make)
    world.conflict = Conflict(deployment="default/older", devices=("small-0",))
    world.confirm(*world.fresh())
    world.turn(1.0)
    assert (world.status, world.reason) == ("held", "Conflict")
    message = world.plan.status.message
    assert "default/digits" in message
    assert "default/older" in message
    assert conditions(world)["Conflict"] == (True, "Conflict")
    world.conflict = None
    world.finish()
    assert world.status == "complete"


def test_a_profile_of_two_classes_gives_cohorts_with_distinct_names(make: Make) -> None:
    twin = replace(SMALL, profile_class=OTHER_CLASS)
    fleet = [*devices_of(SMALL, 1), replace(devices_of(twin, 1)[0], name="twin-0")]
    world = make(
        fleet=fleet, models=(a_model(1, an_archive(1), an_archive(1, twin.profile_class)),)
    )
    world.finish()
    names = [one.name for one in world.plan.status.cohorts]
    assert len(set(names)) == 2
    assert all(one.startswith("small/") for one in names)


def test_the_choice_and_its_falls_are_the_best_three(make: Make) -> None:
    world = make(fleet=devices_of(LARGE, 1))
    world.turn()
    content = world.record.revisions[0].content.cohorts[0]
    assert content.variants == (variant(1, 300), variant(1, 200), variant(1, 100))
    shown = world.plan.status.cohorts[0]
    assert shown.fallbacks == (variant(1, 200), variant(1, 100))


def test_a_running_rollout_goes_on_while_the_next_model_is_searched(make: Make) -> None:
    world = a_second_rollout(make)
    searching = ClassArchive(profile_class=CLASS, state=ArchiveState.SEARCHING)
    world.models = (*world.models, a_model(3, searching))
    world.finish()
    assert (world.plan.status.revision, world.status) == (2, "complete")


def test_a_running_rollout_goes_on_when_the_pin_is_not_ready(make: Make) -> None:
    world = a_second_rollout(make)
    world.pinned, world.generation = 7, 2
    world.finish()
    assert (world.plan.status.revision, world.status) == (2, "complete")


def test_devices_that_no_search_was_done_for_wait_and_complete_nothing(make: Make) -> None:
    world = make(fleet=devices_of(SMALL, 1))
    world.turn()
    other = replace(LARGE, profile_class=OTHER_CLASS, profile="other")
    world.fleet = devices_of(other, 2)
    world.turn(1.0)
    assert (world.status, world.reason) == ("active", "ModelNotReady")


def test_a_quarantine_that_leaves_nothing_says_so(make: Make) -> None:
    world = make(
        fleet=devices_of(SMALL, 1),
        strategy=a_strategy(gates=(ACCURACY,)),
        models=(a_model(1, an_archive(1, sizes=(100,))),),
    )
    world.turn()
    world.soak("small-0", answers=WRONG)
    world.turn(1.0)
    world.edit(device_timeout_s=601.0)
    world.turn(1.0)
    assert (world.status, world.reason) == ("held", "NoFeasibleVariant")
    assert "1 are in quarantine" in world.plan.status.message


def test_guards_that_all_decline_settle_nothing(make: Make) -> None:
    world = make(guards=())
    world.turn()
    assert not world.plan.desired

from dataclasses import replace

from shoal.contract.report import DeploymentReport, Phase
from shoal.controller.domain.archive import ArchiveState, ClassArchive
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.domain.rollout import Verb
from tests.unit.planning.builders import (
    LARGE,
    NAME,
    OTHER_CLASS,
    SMALL,
    a_model,
    a_strategy,
    a_wave,
    an_archive,
    devices_of,
    share,
    variant,
)
from tests.unit.planning.worlds import Make, World, a_complete_world, a_second_rollout


def counts(world: World) -> dict[str, int]:
    return {one.outcome.value: one.devices for one in world.plan.status.counts}


def test_a_lost_canary_misses_the_quorum_and_holds_until_it_is_back(make: Make) -> None:
    world = a_second_rollout(make)
    canary = world.canaries()["small"]
    others = [one for one in world.fresh() if one != canary]
    world.lose(canary)
    world.confirm(*others)
    world.turn(1.0)
    assert (world.status, world.reason) == ("held", "QuorumMissing")
    assert canary in world.plan.status.message
    world.find(canary)
    world.finish()
    assert world.status == "complete"


def test_lost_devices_are_a_debt_that_converges_to_the_current_revision(make: Make) -> None:
    world = a_complete_world(make, fleet=devices_of(SMALL, 10))
    world.lose("small-0", "small-1", "small-2")
    world.publish()
    world.finish()
    assert world.status == "complete"
    assert len(world.on_revision(2)) == 7
    world.publish()
    world.finish()
    world.find("small-0", "small-1", "small-2")
    world.turn(1.0)
    assert world.fresh() == ["small-0", "small-1", "small-2"]
    assert {one.revision for one in world.targets().values()} == {3}  # never through revision 2


def test_too_few_reachable_devices_hold_the_wave(make: Make) -> None:
    world = a_complete_world(make, fleet=devices_of(SMALL, 10))
    world.lose(*(f"small-{i}" for i in range(6)))
    world.publish()
    world.finish()
    assert (world.status, world.reason) == ("held", "QuorumMissing")
    assert len(world.on_revision(2)) == 4


def test_canaries_are_devices_that_can_be_reached(make: Make) -> None:
    world = a_complete_world(make, fleet=devices_of(SMALL, 10))
    world.lose(*(f"small-{i}" for i in range(4)))
    world.publish()
    world.turn(1.0)
    assert world.fresh()[0] not in {f"small-{i}" for i in range(4)}


def test_the_time_of_a_lost_device_starts_anew_when_it_is_back(make: Make) -> None:
    strategy = a_strategy(device_timeout_s=30.0, quorum_ppm=0)
    world = a_second_rollout(make, strategy=strategy)
    canary = world.fresh()[0]
    world.confirm(*world.fresh()[1:])
    world.turn(1.0)
    world.lose(canary)
    world.turn(500.0)
    assert counts(world)["Unreachable"] == 1
    assert (world.status, world.reason) == ("held", "ThresholdUnmet")  # nobody is no evidence
    world.find(canary)
    world.turn(1.0)
    assert world.status == "active"
    world.finish()
    assert world.status == "complete"


def test_devices_without_a_feasible_variant_are_left_out_of_the_thresholds(make: Make) -> None:
    tiny = devices_of(SMALL, 3)
    budget = type(SMALL.budget)(artifact_bytes=10)
    cohort = type(SMALL)(profile_class=SMALL.profile_class, budget=budget, profile="tiny")
    tiny = devices_of(cohort, 3)
    world = a_complete_world(make, fleet=[*devices_of(LARGE, 3), *tiny])
    assert counts(world) == {"Confirmed": 3, "NoFeasibleVariant": 3}
    shown = next(one for one in world.plan.status.cohorts if one.name == "tiny")
    assert shown.variant is None
    assert (shown.misses[0].constraint, shown.misses[0].missed_by) == ("artifact_bytes", 70)
    assert {one.outcome for one in world.plan.status.blocked} == {Outcome.NO_FEASIBLE_VARIANT}


def test_a_fleet_that_nothing_fits_is_held_with_the_nearest_miss(make: Make) -> None:
    budget = type(SMALL.budget)(artifact_bytes=10)
    cohort = type(SMALL)(profile_class=SMALL.profile_class, budget=budget, profile="tiny")
    world = make(fleet=devices_of(cohort, 2))
    world.turn()
    assert (world.status, world.reason) == ("held", "NoFeasibleVariant")
    assert "artifact is 80 B at best, the limit is 10 B" in world.plan.status.message
    world.fleet = devices_of(LARGE, 2)
    world.finish()
    assert world.status == "complete"


def test_a_cohort_whose_search_succeeds_later_joins_with_a_canary(make: Make) -> None:
    other = replace(SMALL, profile_class=OTHER_CLASS, profile="other")
    failed = ClassArchive(
        profile_class=OTHER_CLASS, state=ArchiveState.FAILED, message="out of memory"
    )
    world = a_complete_world(
        make,
        fleet=[*devices_of(SMALL, 3), *devices_of(other, 3)],
        models=(a_model(1, an_archive(1), failed),),
    )
    assert counts(world) == {"Confirmed": 3, "NoFeasibleVariant": 3}
    world.models = (a_model(1, an_archive(1), an_archive(1, OTHER_CLASS)),)
    world.turn(1.0)
    assert len(world.pending()) == 1
    world.finish()
    assert world.status == "complete"
    assert world.plan.status.revision == 1
    assert counts(world) == {"Confirmed": 6}


def test_a_device_that_is_no_longer_selected_is_withdrawn(make: Make) -> None:
    world = a_complete_world(make)
    world.change("small-0", selected=False)
    plan = world.turn(1.0)
    assert plan.withdrawals == ("small-0",)
    assert "small-0" not in world.targets()
    generation = next(one.generation for one in world.record.devices if one.device == "small-0")
    world.change("small-0", selected=True)
    world.turn(1.0)
    assert world.told("small-0").generation == generation + 1


def test_a_deleted_device_is_forgotten(make: Make) -> None:
    world = a_complete_world(make)
    world.fleet = world.fleet[1:]
    world.turn(1.0)
    assert world.record.device("small-0") is None
    assert world.status == "complete"


def test_a_deleted_deployment_withdraws_everything(make: Make) -> None:
    world = a_second_rollout(make)
    world.deleted = True
    plan = world.turn(1.0)
    assert len(plan.withdrawals) == 9
    assert not plan.desired
    assert plan.removed


def test_a_deleted_deployment_is_deleted_though_an_undo_is_asked_for(make: Make) -> None:
    world = a_second_rollout(make)
    world.ask(Verb.UNDO)
    world.deleted = True
    world.turn(1.0)
    assert world.plan.status.revision == 2
    assert "Started" not in [one.reason for one in world.plan.events]


def test_a_generation_beyond_ours_is_overtaken(make: Make) -> None:
    world = make(fleet=devices_of(SMALL, 1))
    claimed = DeploymentReport(
        deployment=NAME,
        generation=40,
        revision=9,
        phase=Phase.CONFIRMED,
        variant=variant(9, 9),
        running=variant(9, 9),
        running_generation=40,
    )
    world.change("small-0", report=claimed)
    world.turn()
    assert world.told("small-0").generation == 41
    world.change("small-0", report=replace(claimed, generation=50))
    world.turn(1.0)
    assert world.told("small-0").generation == 51


def test_devices_that_have_not_told_their_hardware_wait(make: Make) -> None:
    world = a_complete_world(make, fleet=devices_of(SMALL, 2))
    world.fleet = [*world.fleet, type(world.fleet[0])(name="mute", cohort=None)]
    world.turn(1.0)
    assert world.status == "complete"
    assert counts(world) == {"Pending": 1, "Confirmed": 2}


def test_in_flight_devices_of_a_small_budget_come_one_after_the_other(make: Make) -> None:
    strategy = a_strategy(waves=(a_wave("all", 100),), max_unavailable=share(10))
    world = make(fleet=devices_of(SMALL, 4), strategy=strategy)
    seen = []
    world.turn()
    while world.pending():
        assert len(world.pending()) == 1
        seen += world.pending()
        world.soak(*world.pending())
        assert not world.turn(1.0).tells
        world.confirm(seen[-1])
        world.turn(1.0)
    assert len(set(seen)) == 4
    assert world.status == "complete"


def test_devices_that_are_down_go_first_where_they_use_up_the_budget(make: Make) -> None:
    world = a_complete_world(make, fleet=devices_of(SMALL, 4))
    world.change("small-2", ready=False)
    world.edit(max_unavailable=share(25))
    world.turn(1.0)
    assert world.fresh() == ["small-2"]
    world.find("small-2")
    world.finish()
    assert world.status == "complete"


def test_a_device_that_is_down_is_no_canary_while_there_is_a_choice(make: Make) -> None:
    world = a_complete_world(make, fleet=devices_of(SMALL, 4))
    world.change("small-2", ready=False)
    world.edit(max_unavailable=share(50))
    world.turn(1.0)
    assert world.fresh() != ["small-2"]


def test_a_device_that_is_back_has_the_whole_deadline_before_it(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(progress_deadline_s=20.0, quorum_ppm=0))
    canary = world.fresh()[0]
    world.confirm(*world.fresh()[1:])
    world.lose(canary)
    world.turn(100.0)
    world.find(canary)
    world.turn(1.0)
    assert world.status == "active"
    world.turn(19.0)
    assert world.status == "active"
    world.turn(1.0)
    assert (world.status, world.reason) == ("held", "ProgressDeadline")

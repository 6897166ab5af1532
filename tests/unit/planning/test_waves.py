from dataclasses import replace

from shoal.contract.report import Phase
from shoal.controller.domain.revisions import WaveState
from shoal.controller.domain.rollout import Verb
from shoal.controller.domain.strategy import Amount, Approval
from tests.unit.planning.builders import (
    ACCURACY,
    LARGE,
    SMALL,
    THREE_WAVES,
    a_strategy,
    a_wave,
    devices_of,
    share,
    variant,
)
from tests.unit.planning.worlds import Make, World, a_complete_world, a_second_rollout


def states(world: World) -> list[WaveState]:
    return [one.state for one in world.plan.status.waves]


def test_nine_devices_in_three_cohorts_take_waves_of_three_six_and_nine(make: Make) -> None:
    world = make()
    world.turn()
    assert [one.devices for one in world.plan.status.waves] == [3, 6, 9]
    told = [len(world.fresh())]
    while world.pending():
        world.confirm(*world.pending())
        world.turn(1.0)
        told.append(len(world.fresh()))
    assert told == [3, 3, 3, 0]
    assert world.status == "complete"
    assert states(world) == [WaveState.COMPLETE] * 3


def test_every_cohort_has_a_canary_and_its_own_variant(make: Make) -> None:
    world = make()
    world.turn()
    assert {one.rsplit("-", 1)[0] for one in world.fresh()} == {"small", "medium", "large"}
    variants = {one.name: one.variant for one in world.plan.status.cohorts}
    assert variants == {
        "small": variant(1, 100),
        "medium": variant(1, 200),
        "large": variant(1, 300),
    }
    for name, target in world.targets().items():
        assert target.variant == variants[name.rsplit("-", 1)[0]]


def test_a_count_is_shared_out_over_the_cohorts_and_rounded_up(make: Make) -> None:
    waves = (replace(THREE_WAVES[0], size=Amount(count=4)), a_wave("all", 100))
    world = make(strategy=a_strategy(waves=waves))
    world.turn()
    assert [one.devices for one in world.plan.status.waves] == [6, 9]  # ceil(4 * 3 / 9) = 2 each


def test_the_next_wave_starts_only_when_every_cohort_confirmed(make: Make) -> None:
    world = make()
    world.turn()
    first, *others = world.fresh()
    world.confirm(*others)
    assert not world.turn(1.0).tells
    world.confirm(first)
    assert len(world.turn(1.0).tells) == 3


def test_confirmed_needs_the_told_digest_and_generation(make: Make) -> None:
    world = make()
    world.turn()
    for name in world.fresh():
        tell = world.told(name)
        world.report(
            name,
            Phase.CONFIRMED,
            running=tell.target.variant,
            running_generation=tell.generation - 1,
        )
    assert not world.turn(1.0).tells
    for name in world.pending() or [one.device for one in world.plan.desired]:
        tell = world.told(name)
        world.report(
            name, Phase.CONFIRMED, running=variant(7, 7), running_generation=tell.generation
        )
    assert not world.turn(1.0).tells
    assert world.plan.status.wave == 0


def test_another_digest_seen_later_revokes_the_confirmation_and_reopens_the_wave(
    make: Make,
) -> None:
    world = a_complete_world(make)
    tell = world.told("small-0")
    world.report(
        "small-0", Phase.CONFIRMED, running=variant(9, 9), running_generation=tell.generation
    )
    world.turn(1.0)
    assert world.status == "active"
    assert states(world)[-1] is WaveState.ACTIVE
    assert "Reopened" in world.events
    world.confirm("small-0")
    world.turn(1.0)
    assert world.status == "complete"
    assert states(world)[-1] is WaveState.COMPLETE


def test_a_revoked_canary_keeps_the_next_wave_from_starting(make: Make) -> None:
    world = make()
    world.turn()
    first, *others = world.fresh()
    world.confirm(first)
    world.turn(1.0)
    tell = world.told(first)
    world.report(first, Phase.CONFIRMED, running=variant(9, 9), running_generation=tell.generation)
    world.confirm(*others)
    assert not world.turn(1.0).tells


def test_an_engine_that_starts_again_revokes_nothing(make: Make) -> None:
    world = a_complete_world(make)
    world.report("small-0", Phase.CONFIRMED, running=None, running_generation=0)
    world.turn(1.0)
    assert world.status == "complete"


def test_a_wave_that_adds_no_device_is_skipped_and_recorded(make: Make) -> None:
    world = a_complete_world(make, fleet=devices_of(SMALL, 1))
    assert states(world) == [WaveState.COMPLETE, WaveState.SKIPPED, WaveState.SKIPPED]
    assert world.events.count("WaveSkipped") == 2


def test_a_wave_that_adds_no_device_waits_for_no_approval(make: Make) -> None:
    waves = (THREE_WAVES[0], a_wave("all", 100, approval=Approval.MANUAL))
    world = a_complete_world(make, fleet=devices_of(SMALL, 1), strategy=a_strategy(waves=waves))
    assert states(world) == [WaveState.COMPLETE, WaveState.SKIPPED]


def test_an_empty_wave_before_one_that_waits_for_approval_is_skipped_at_once(make: Make) -> None:
    waves = (THREE_WAVES[0], a_wave("same", 10), a_wave("all", 100, approval=Approval.MANUAL))
    world = make(fleet=devices_of(SMALL, 3), strategy=a_strategy(waves=waves))
    world.finish()
    assert world.reason == "ApprovalMissing"
    assert states(world) == [WaveState.COMPLETE, WaveState.SKIPPED, WaveState.PENDING]
    world.ask(Verb.PROMOTE, full=True)
    world.finish()
    assert states(world) == [WaveState.COMPLETE, WaveState.SKIPPED, WaveState.COMPLETE]


def test_a_full_promote_skips_a_last_wave_that_adds_no_device(make: Make) -> None:
    strategy = a_strategy(gates=(ACCURACY,))
    world = make(fleet=devices_of(SMALL, 1), strategy=strategy)
    world.turn()
    tell = world.told("small-0")
    world.report(
        "small-0",
        Phase.CONFIRMED,
        running=tell.target.variant,
        running_generation=tell.generation,
    )
    world.turn(1.0)
    assert world.reason == "GateInconclusive"
    world.ask(Verb.PROMOTE, full=True)
    world.finish()
    assert states(world) == [WaveState.COMPLETE, WaveState.SKIPPED, WaveState.SKIPPED]


def test_without_devices_nothing_starts_and_nothing_is_complete(make: Make) -> None:
    world = make(fleet=[])
    world.turn()
    assert (world.status, world.reason) == ("", "NoDevices")
    assert world.events == ["NoDevices"]
    world.fleet = devices_of(SMALL, 1)
    world.finish()
    assert world.status == "complete"


def test_devices_that_all_leave_do_not_make_a_rollout_complete(make: Make) -> None:
    world = make()
    world.turn()
    world.fleet = []
    world.turn(1.0)
    assert (world.status, world.reason) == ("active", "NoDevices")


def test_a_manual_wave_waits_for_promote(make: Make) -> None:
    waves = (THREE_WAVES[0], a_wave("all", 100, approval=Approval.MANUAL))
    world = make(strategy=a_strategy(waves=waves, progress_deadline_s=20.0))
    world.finish()
    world.turn(100.0)
    assert (world.status, world.reason) == ("active", "ApprovalMissing")
    assert len(world.on_revision(1)) == 3
    world.ask(Verb.PROMOTE)
    world.finish()
    assert world.status == "complete"


def test_max_unavailable_bounds_how_many_change_at_once(make: Make) -> None:
    world = a_complete_world(make, strategy=a_strategy(waves=(a_wave("all", 100),)))
    world.edit(max_unavailable=share(25))
    world.publish()
    world.turn(1.0)
    assert len(world.fresh()) == 2  # 25 % of 9, rounded down
    world.confirm(world.fresh()[0])
    world.turn(1.0)
    assert len(world.fresh()) == 1
    world.finish()
    assert world.status == "complete"


def test_max_unavailable_is_at_least_one_device(make: Make) -> None:
    strategy = a_strategy(waves=(a_wave("all", 100),), max_unavailable=share(1))
    world = make(strategy=strategy)
    world.turn()
    assert len(world.fresh()) == 1
    world.finish()
    assert world.status == "complete"


def test_a_device_that_is_not_ready_counts_as_unavailable(make: Make) -> None:
    world = a_complete_world(make, strategy=a_strategy(waves=(a_wave("all", 100),)))
    world.change("small-0", ready=False)
    world.edit(max_unavailable=Amount(count=1))
    world.turn(1.0)
    assert world.fresh() == ["small-0"]  # it costs nothing more


def test_the_choice_is_frozen_when_the_rollout_starts(make: Make) -> None:
    world = make()
    world.turn()
    archive = world.models[0].archives[0]
    better = replace(archive, points=(*archive.points[:2],))
    world.models = (replace(world.models[0], archives=(better,)),)
    world.finish()
    assert {one.variant for one in world.targets().values()} == {
        variant(1, 100),
        variant(1, 200),
        variant(1, 300),
    }


def test_a_cohort_seen_later_has_a_canary_of_its_own(make: Make) -> None:
    world = a_complete_world(make, fleet=devices_of(SMALL, 3))
    world.fleet = [*world.fleet, *devices_of(LARGE, 3)]
    world.turn(1.0)
    assert len(world.fresh()) == 1
    assert world.status == "active"
    world.confirm(*world.fresh())
    world.turn(1.0)
    assert len(world.fresh()) == 1
    world.finish()
    assert world.status == "complete"
    assert len(world.on_revision(1)) == 6


def test_a_device_of_a_known_cohort_converges_at_once(make: Make) -> None:
    world = a_complete_world(make, fleet=devices_of(SMALL, 3))
    world.fleet = [*world.fleet, *devices_of(SMALL, 5)[3:]]
    world.turn(1.0)
    assert world.fresh() == ["small-3", "small-4"]
    assert world.status == "complete"


def test_a_device_keeps_its_cohort_until_the_next_revision(make: Make) -> None:
    world = a_complete_world(make)
    world.change("small-0", cohort=LARGE)
    world.turn(1.0)
    assert not world.fresh()
    world.publish()
    world.finish()
    assert world.targets()["small-0"].variant == variant(2, 300)


def test_two_profiles_with_one_budget_are_one_cohort(make: Make) -> None:
    twin = replace(SMALL, profile="twin")
    world = make(fleet=[*devices_of(SMALL, 2), *devices_of(twin, 2)])
    world.turn()
    assert len(world.plan.status.cohorts) == 1
    assert len(world.fresh()) == 1


def test_canaries_differ_from_revision_to_revision_but_not_by_metric(make: Make) -> None:
    world = a_second_rollout(make, fleet=devices_of(SMALL, 20))
    first = set(world.fresh())
    assert len(first) == 2
    world.finish()
    world.publish()
    world.turn(1.0)
    assert set(world.fresh()) != first

"""Waves by percent, by count and by selector (design: section 6 point 4)."""

from collections.abc import Mapping
from dataclasses import replace

from shoal.controller.domain.fleet import DeviceView
from shoal.controller.domain.revisions import WaveState
from shoal.controller.domain.rollout import Verb
from shoal.controller.domain.selector import selector_from_json
from shoal.controller.domain.strategy import Amount, Approval, WaveSpec
from tests.unit.planning.builders import LARGE, SMALL, a_strategy, a_wave, devices_of
from tests.unit.planning.worlds import Make, World, a_complete_world

HERE: Mapping[str, object] = {"matchLabels": {"site": "lab"}}
LAB = selector_from_json(HERE)
LAB_THEN_ALL = (a_wave("lab", 100, selector=LAB), a_wave("half", 50), a_wave("all", 100))


def a_fleet(*in_the_lab: int, devices: int = 6) -> list[DeviceView]:
    return [
        replace(one, labels=(("site", "lab" if i in in_the_lab else "field"),))
        for i, one in enumerate(devices_of(SMALL, devices))
    ]


def told_in_each_wave(world: World) -> list[list[str]]:
    world.turn()
    told = [world.fresh()]
    while world.pending():
        world.confirm(*world.pending())
        world.turn(1.0)
        told.append(world.fresh())
    return told


def states(world: World) -> list[WaveState]:
    return [one.state for one in world.plan.status.waves]


def test_a_wave_with_a_selector_takes_the_devices_that_it_picks(make: Make) -> None:
    world = make(strategy=a_strategy(waves=LAB_THEN_ALL), fleet=a_fleet(2, 4))
    first, second, third, nothing = told_in_each_wave(world)
    assert first == ["small-2", "small-4"]
    assert (len(second), len(third), nothing) == (1, 3, [])  # half of six are three, two were in
    assert world.status == "complete"
    assert [one.devices for one in world.plan.status.waves] == [2, 3, 6]


def test_the_size_of_a_wave_with_a_selector_is_that_of_what_it_picks(make: Make) -> None:
    waves = (a_wave("some of the lab", 50, selector=LAB), a_wave("all", 100))
    world = make(strategy=a_strategy(waves=waves), fleet=a_fleet(0, 1, 2))
    first, *_ = told_in_each_wave(world)
    assert len(first) == 2
    assert set(first) < {"small-0", "small-1", "small-2"}


def test_a_wave_by_count_and_one_by_percent_go_together(make: Make) -> None:
    waves = (
        WaveSpec(name="two", size=Amount(count=2), soak_s=1.0, max_soak_s=9.0),
        a_wave("all", 100),
    )
    world = make(strategy=a_strategy(waves=waves), fleet=a_fleet())
    assert [len(one) for one in told_in_each_wave(world)] == [2, 4, 0]


def test_a_cohort_that_a_wave_picks_nobody_of_waits_for_the_next(make: Make) -> None:
    world = make(
        strategy=a_strategy(waves=LAB_THEN_ALL), fleet=[*a_fleet(0, 1), *devices_of(LARGE, 2)]
    )
    first, second, *_ = told_in_each_wave(world)
    assert first == ["small-0", "small-1"]
    assert sum("large" in one for one in second) == 1
    assert world.status == "complete"


def test_a_cohort_that_had_no_device_in_a_wave_has_proven_nothing(make: Make) -> None:
    world = make(
        strategy=a_strategy(waves=LAB_THEN_ALL), fleet=[*a_fleet(0, 1), *devices_of(LARGE, 2)]
    )
    world.turn()
    world.confirm(*world.fresh())
    world.turn(1.0)
    assert world.plan.status.wave == 1
    assert {one.cohort for one in world.record.going.proven} == {SMALL.id}


def test_an_empty_wave_is_skipped_and_the_next_one_starts(make: Make) -> None:
    world = make(strategy=a_strategy(waves=LAB_THEN_ALL), fleet=a_fleet())
    world.turn()
    assert states(world)[:2] == [WaveState.SKIPPED, WaveState.ACTIVE]
    world.confirm(*world.fresh())
    world.turn(1.0)
    assert len(world.on_revision(1)) == 3


def test_devices_that_no_wave_picks_stay_as_they_are(make: Make) -> None:
    waves = (a_wave("lab", 100, selector=LAB),)
    world = a_complete_world(make, strategy=a_strategy(waves=waves), fleet=a_fleet(1, 3))
    assert set(world.targets()) == {"small-1", "small-3"}
    world.turn(100.0)
    assert set(world.targets()) == {"small-1", "small-3"}
    world.change("small-5", labels=(("site", "lab"),))
    world.turn(1.0)
    assert world.fresh() == ["small-5"]
    assert world.status == "complete"


def test_a_last_wave_of_half_the_devices_leaves_the_others_alone(make: Make) -> None:
    world = a_complete_world(
        make, strategy=a_strategy(waves=(a_wave("half", 50),)), fleet=a_fleet()
    )
    world.turn(100.0)
    assert len(world.targets()) == 3


def test_a_device_that_was_told_stays_in_its_wave_whatever_its_labels_become(make: Make) -> None:
    world = make(strategy=a_strategy(waves=LAB_THEN_ALL), fleet=a_fleet(2, 4))
    world.turn()
    world.change("small-2", labels=(("site", "field"),))
    world.turn(1.0)
    assert world.plan.status.wave == 0
    assert "small-2" in world.targets()
    world.confirm("small-2", "small-4")
    world.turn(1.0)
    assert world.plan.status.wave == 1


def test_a_cohort_that_no_selector_picked_starts_with_a_canary_of_one(make: Make) -> None:
    """Waves of 100 % of the lab, then 50 %: a cohort of 20 has one device in it, then 10."""
    waves = (LAB_THEN_ALL[0], LAB_THEN_ALL[1], a_wave("all", 100, approval=Approval.MANUAL))
    world = make(strategy=a_strategy(waves=waves), fleet=[*a_fleet(0, 1), *devices_of(LARGE, 20)])
    told = told_in_each_wave(world)
    assert [sum("large" in name for name in one) for one in told] == [0, 1, 9, 0]
    assert (world.reason, world.plan.status.wave) == ("ApprovalMissing", 1)
    world.ask(Verb.PROMOTE)
    world.finish()
    assert world.status == "complete"


def test_a_canary_that_fails_in_the_last_wave_fails_alone(make: Make) -> None:
    waves = (LAB_THEN_ALL[0], a_wave("all", 100))
    fleet = [*a_fleet(0, 1), *devices_of(LARGE, 20)]
    world = a_complete_world(make, strategy=a_strategy(waves=waves), fleet=fleet)
    world.publish()
    world.turn(1.0)
    world.confirm(*world.fresh())
    world.turn(1.0)
    large = [one for one in world.fresh() if "large" in one]
    assert len(large) == 1
    world.fail(*large, reason="LoadFailed")
    world.turn(1.0)
    assert world.record.revisions[1].result == "rolled-back"


def test_a_canary_that_leaves_has_a_successor(make: Make) -> None:
    waves = (LAB_THEN_ALL[0], a_wave("all", 100))
    world = make(strategy=a_strategy(waves=waves), fleet=[*a_fleet(0, 1), *devices_of(LARGE, 4)])
    world.turn()
    world.confirm(*world.fresh())
    world.turn(1.0)
    (first,) = [one for one in world.fresh() if "large" in one]
    world.change(first, selected=False)
    world.turn(1.0)
    (second,) = [one for one in world.fresh() if "large" in one]
    assert second != first
    world.finish()
    assert world.status == "complete"

"""Hard stops are rules of safety: they tell a bad candidate from bad luck, and from an outage."""

import pytest

from shoal.controller.domain.incidents import Incident, IncidentKind
from shoal.controller.domain.rollout import Verb
from shoal.controller.domain.strategy import Action
from tests.unit.planning.builders import SMALL, a_strategy, devices_of
from tests.unit.planning.worlds import Make, World, a_second_rollout


def a_fleet(make: Make, count: int) -> World:
    """The canaries of revision 2 were told."""
    return a_second_rollout(make, strategy=a_strategy(), fleet=devices_of(SMALL, count))


def in_the_last_wave(make: Make, count: int) -> World:
    """Every device runs revision 2, and the last ones have not confirmed yet."""
    world = a_fleet(make, count)
    while world.record.wave < 2:
        world.confirm(*world.pending())
        world.turn(1.0)
    world.soak(*world.pending())
    world.turn(1.0)
    assert world.status == "active"
    return world


def strike(world: World, kind: IncidentKind, *names: str, before: bool = False) -> None:
    """An incident on each device, under the candidate or `before` it."""
    for name in names:
        generation = world.told(name).generation - (1 if before else 0)
        incident = Incident(kind=kind, generation=generation, at=world.now)
        world.change(name, incidents=(incident,))
    world.turn(1.0)


def two_pardoned(make: Make) -> tuple[World, list[str]]:
    """Of four devices with the candidate two had incidents, and a promote went on from them."""
    strategy = a_strategy(on_failure=Action.HOLD)
    world = a_second_rollout(make, strategy=strategy, fleet=devices_of(SMALL, 7))
    while world.record.wave < 1:
        world.confirm(*world.pending())
        world.turn(1.0)
    updated = sorted(world.on_revision(2))
    world.confirm(*world.pending())
    strike(world, IncidentKind.RESTART, *updated[:2])
    assert (world.status, world.reason) == ("held", "HardStop")
    world.ask(Verb.PROMOTE)
    world.turn(1.0)
    assert (world.status, world.record.wave) == ("active", 2)
    return world, updated


def stopped(world: World) -> bool:
    return world.record.revisions[1].reason == "HardStop"


def test_a_failed_start_that_a_large_wave_bore_stops_no_larger_one(make: Make) -> None:
    world = a_fleet(make, 40)
    world.confirm(*world.fresh())
    world.turn(1.0)
    unlucky, *others = world.fresh()
    world.confirm(*others)
    world.fail(unlucky, reason="LoadFailed")
    world.finish(but=[unlucky])
    assert world.record.going.number == 2
    assert world.status == "complete"


@pytest.mark.parametrize("count", [3, 40])
def test_an_outage_where_nobody_is_left_to_compare_with_stops_nothing(
    make: Make, count: int
) -> None:
    world = in_the_last_wave(make, count)
    strike(world, IncidentKind.SILENCE, *(one.name for one in world.fleet))
    assert not stopped(world)


@pytest.mark.parametrize("count", [3, 40])
def test_restarts_stop_in_the_last_wave_too(make: Make, count: int) -> None:
    world = in_the_last_wave(make, count)
    strike(world, IncidentKind.RESTART, *(one.name for one in world.fleet))
    assert stopped(world)


def test_updated_devices_that_fall_silent_while_others_speak_stop_it(make: Make) -> None:
    world = a_fleet(make, 40)
    canaries = world.fresh()
    world.soak(*canaries)
    world.turn(1.0)
    strike(world, IncidentKind.SILENCE, canaries[0])
    assert not stopped(world)
    strike(world, IncidentKind.SILENCE, *canaries[:2])
    assert stopped(world)


def test_an_outage_on_both_sides_stops_nothing(make: Make) -> None:
    world = a_fleet(make, 40)
    world.soak(*world.fresh())
    world.turn(1.0)
    strike(world, IncidentKind.SILENCE, *(one.name for one in world.fleet))
    assert not stopped(world)


def test_what_a_device_had_before_its_update_speaks_for_the_other_side(make: Make) -> None:
    world = in_the_last_wave(make, 40)
    names = [one.name for one in world.fleet]
    strike(world, IncidentKind.RESTART, names[0], before=True)
    strike(world, IncidentKind.RESTART, *names[1:5])
    assert not stopped(world)


def test_silence_speaks_where_it_is_more_frequent_among_the_updated(make: Make) -> None:
    world = a_fleet(make, 15)
    world.confirm(*world.fresh())
    world.turn(1.0)
    updated = sorted(world.on_revision(2))
    world.soak(*world.fresh())
    world.turn(1.0)
    other = next(one.name for one in world.fleet if one.name not in updated)
    strike(world, IncidentKind.SILENCE, other, *updated[:5])
    assert stopped(world)


def test_a_promote_pardons_the_incidents_so_far_and_no_later_ones(make: Make) -> None:
    world, (_, _, third, fourth) = two_pardoned(make)
    first = world.record.cohorts[0].pardoned[0]
    strike(world, IncidentKind.RESTART, third, fourth)
    assert (world.status, world.reason) == ("held", "HardStop")
    assert first not in world.plan.status.message


def test_a_pardon_ends_when_a_device_is_told_anew(make: Make) -> None:
    world, (first, second, *_) = two_pardoned(make)
    world.fail(first, second)
    world.turn(1.0)
    world.ask(Verb.RETRY)
    world.turn(1.0)
    assert world.fresh() == [first, second]
    world.soak(first, second)
    strike(world, IncidentKind.RESTART, first, second)
    assert (world.status, world.reason) == ("held", "HardStop")

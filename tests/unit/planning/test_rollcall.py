"""Every selected device has a place in the tree that people watch a rollout by."""

from shoal.controller.domain.outcomes import Outcome
from shoal.controller.domain.rollout import Verb
from shoal.controller.domain.selector import Condition, LabelSelector, Operator
from shoal.controller.planning import rollcall
from shoal.controller.planning.looking import look
from tests.unit.planning.builders import SMALL, a_strategy, a_wave, devices_of
from tests.unit.planning.worlds import World


def rolls(world: World, most: int = 20) -> dict[int | None, rollcall.WaveRoll]:
    view = look(world.snapshot(), world.record)
    return {one.wave: one for one in rollcall.call(view, most)}


def names(roll: rollcall.WaveRoll) -> set[str]:
    return {one.device for one in roll.seats}


def test_before_a_rollout_devices_belong_to_no_wave() -> None:
    found = rolls(World())
    assert list(found) == [None]
    assert found[None].devices == 9


def test_nine_devices_in_three_cohorts_are_three_waves_of_three() -> None:
    world = World()
    world.turn()
    found = rolls(world)
    assert [(wave, found[wave].devices) for wave in (0, 1, 2)] == [(0, 3), (1, 3), (2, 3)]
    assert names(found[0]) == {tell.device for tell in world.plan.tells}


def test_trouble_comes_first_with_its_reason() -> None:
    world = World()
    canaries = sorted(tell.device for tell in world.turn().tells)
    world.fail(canaries[-1])
    seats = rolls(world)[0].seats
    assert seats[0].device == canaries[-1]
    assert seats[0].outcome is Outcome.FAILED
    assert seats[0].reason


def test_only_some_are_shown_but_all_are_counted() -> None:
    world = World()
    world.turn()
    found = rolls(world, most=1)
    assert len(found[0].seats) == 1
    assert found[0].devices == 3


def test_told_devices_stay_in_the_wave_that_told_them() -> None:
    world = World()
    canaries = {tell.device for tell in world.turn().tells}
    world.confirm(*canaries)
    world.turn(11.0)
    world.turn(11.0)
    found = rolls(world)
    assert names(found[0]) == canaries
    assert not names(found[1]) & canaries
    assert sum(one.devices for one in found.values()) == 9


def test_a_device_that_no_wave_takes_is_in_none() -> None:
    site = Condition(key="site", operator=Operator.EXISTS)
    wave = a_wave("lab", 100, selector=LabelSelector(conditions=(site,)))
    world = World(strategy=a_strategy(waves=(wave,)), fleet=devices_of(SMALL, 3))
    world.change("small-1", labels=(("site", "lab"),))
    world.turn()
    found = rolls(world)
    assert names(found[0]) == {"small-1"}
    assert names(found[None]) == {"small-0", "small-2"}


def test_a_return_reaches_every_device_in_the_last_wave() -> None:
    world = World()
    world.turn()
    for _ in range(3):
        world.confirm(*(tell.device for tell in world.plan.tells))
        world.turn(11.0)
    world.publish()
    world.turn()
    world.ask(Verb.ABORT)
    world.turn()
    assert [(wave, roll.devices) for wave, roll in rolls(world).items()] == [(2, 9)]

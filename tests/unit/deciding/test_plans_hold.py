"""What is foretold happens, in whatever order devices confirm."""

import random

import pytest

from shoal.controller.deciding.foreseeing import Forecast, forecast
from shoal.controller.deciding.rehearsing import End
from shoal.controller.domain.strategy import Rate, Strategy
from tests.unit.planning.builders import (
    LARGE,
    MEDIUM,
    SMALL,
    a_strategy,
    a_wave,
    devices_of,
    share,
)
from tests.unit.planning.worlds import World

PASSES = 600
STEP_S = 2.0


def a_random_strategy(chance: random.Random) -> Strategy:
    sizes = sorted(chance.sample(range(5, 100), chance.randint(1, 3)))
    waves = tuple(a_wave(f"wave-{size}", size) for size in (*sizes, 100))
    return a_strategy(
        waves=waves,
        max_unavailable=share(chance.choice([10, 25, 50, 100])),
        rate=chance.choice([None, Rate(per_minute=chance.randint(5, 30))]),
    )


def a_random_world(chance: random.Random) -> World:
    """One to three cohorts; some run an earlier revision, and a few devices are lost."""
    cohorts = chance.sample([SMALL, MEDIUM, LARGE], chance.randint(1, 3))
    fleet = [device for one in cohorts for device in devices_of(one, chance.randint(1, 12))]
    world = World(fleet=fleet, strategy=a_random_strategy(chance))
    if chance.random() < 0.5:
        world.strategy = a_strategy()
        world.finish()
        world.edit(**{name: getattr(a_random_strategy(chance), name) for name in ("waves", "rate")})
        world.publish()
    lost = chance.sample(fleet, len(fleet) // 6)
    world.lose(*(one.name for one in lost))
    return world


def lived(world: World, chance: random.Random) -> dict[str, str]:
    """The wave in which each device was told; devices confirm one by one, in any order."""
    waves: dict[str, str] = {}
    for _ in range(PASSES):
        plan = world.turn(STEP_S)
        names = [one.name for one in plan.status.waves]
        for one in plan.tells:
            progress = plan.record.cohort(one.target.cohort)
            assert progress is not None
            waves.setdefault(one.device, names[max(progress.wave, 0)])
        if world.status == "complete":
            return waves
        world.confirm(*(one for one in world.pending() if chance.random() < 0.5))
    raise AssertionError(f"{world.status}: {world.reason} {world.plan.status.message}")


def foretold(found: Forecast) -> dict[str, str]:
    return {one.device: one.wave for one in found.devices if one.wave}


@pytest.mark.parametrize("seed", range(40))
def test_every_device_is_told_what_was_foretold_in_the_wave_that_was_foretold(seed: int) -> None:
    chance = random.Random(seed)
    world = a_random_world(chance)
    found, cut = forecast(world.snapshot()), forecast(world.snapshot(), device_turns=1)
    assert found.rehearsal is not None
    assert found.rehearsal.end is End.COMPLETE
    waves = lived(world, chance)
    assert foretold(found) == waves
    assert {name: one for name, one in foretold(cut).items() if name in waves} == waves
    told = {one.device: one.variant for one in found.devices if one.wave}
    assert told == {name: world.targets()[name].variant for name in waves}

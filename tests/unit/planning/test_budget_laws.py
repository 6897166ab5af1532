"""Whatever devices do, no budget of a group, no rate and no window is exceeded; and all ends."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from shoal.contract import windows
from shoal.contract.windows import Window
from shoal.controller.domain.fleet import DeviceView
from shoal.controller.domain.strategy import Amount, LabelBudget, Ramp, Rate, Strategy
from tests.unit.planning.builders import LARGE, SMALL, a_strategy, devices_of, share
from tests.unit.planning.worlds import World

EVERY_TEN_MINUTES = Window(cron="*/10 * * * *", duration_s=240.0)


def a_random_strategy(rng: random.Random) -> Strategy:
    ramp = Ramp(start=1, factor=rng.choice((1.5, 2.0)), per_confirmed=rng.randint(1, 4))
    return a_strategy(
        max_unavailable=rng.choice((share(25), share(60), Amount(count=3))),
        max_unavailable_per=(
            LabelBudget(label="site", amount=rng.choice((share(30), Amount(count=1)))),
        ),
        rate=Rate(per_minute=rng.randint(2, 6), ramp=rng.choice((None, ramp))),
        window=rng.choice((None, EVERY_TEN_MINUTES)),
        max_failures=share(100),
        success_threshold_ppm=0,
        quorum_ppm=0,
        device_timeout_s=3_600.0,
        progress_deadline_s=3_600.0,
    )


def a_random_fleet(rng: random.Random) -> list[DeviceView]:
    fleet = [*devices_of(SMALL, rng.randint(2, 10)), *devices_of(LARGE, rng.randint(1, 6))]
    return [
        replace(
            one,
            labels=rng.choice(((), (("site", "north"),), (("site", "south"),))),
            window=EVERY_TEN_MINUTES if rng.random() < 0.2 else None,
        )
        for one in fleet
    ]


def in_flight(world: World) -> list[str]:
    return [one for one in world.pending() if world.device(one).ready]


def check_budgets(world: World, strategy: Strategy) -> None:
    """Those told now, with those that were unavailable already, are within every budget."""
    sites = {one.name: dict(one.labels).get("site", "") for one in world.fleet}
    busy = {*in_flight(world), *(one.name for one in world.fleet if not one.ready)}
    new = {one for one in world.fresh() if world.device(one).ready}
    if not new:
        return
    assert len(busy) <= max(1, strategy.max_unavailable.down(len(sites)))
    sizes, used = Counter(sites.values()), Counter(sites[one] for one in busy)
    amount = strategy.max_unavailable_per[0].amount
    for site in {sites[one] for one in new}:
        assert used[site] <= max(1, amount.down(sizes[site])), site


@pytest.mark.parametrize("seed", range(8))
def test_budgets_hold_and_every_rollout_ends(seed: int) -> None:
    rng = random.Random(seed)
    strategy = a_random_strategy(rng)
    world = World(strategy=strategy, fleet=a_random_fleet(rng), now=1_800_000_000.0)
    told: list[tuple[float, int]] = []
    for _ in range(400):
        world.turn(10.0)
        told.append((world.now, len(world.fresh())))
        check_budgets(world, strategy)
        for name in world.fresh():
            assert windows.is_open(strategy.window, world.now)
            assert windows.is_open(world.device(name).window, world.now)
        world.confirm(*(one for one in world.pending() if rng.random() < 0.4))
        for one in world.fleet:
            world.change(one.name, ready=rng.random() > (0.05 if one.ready else 0.5))
        if world.status == "complete":
            break
    assert world.status == "complete"
    assert strategy.rate is not None
    for begin, _ in told:
        lately = sum(count for at, count in told if begin <= at < begin + 60.0)
        assert lately <= strategy.rate.per_minute

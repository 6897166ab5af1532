"""A window that closes is a moment to look again: what is waited for is another thing then."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from shoal.contract.windows import Window
from shoal.controller.domain.strategy import Rate
from tests.unit.planning.builders import SMALL, a_strategy, a_wave, devices_of
from tests.unit.planning.worlds import Make, World

NIGHT = Window(cron="0 2 * * *", duration_s=3600.0)
CLOSES = datetime(2026, 1, 6, 3, tzinfo=UTC).timestamp()


def of_the_deployment(world: World) -> None:
    world.strategy = a_strategy(waves=world.strategy.waves, rate=Rate(per_minute=1), window=NIGHT)


def of_each_device(world: World) -> None:
    for one in world.fleet:
        world.change(one.name, window=NIGHT)


@pytest.mark.parametrize("limit", [of_the_deployment, of_each_device])
def test_the_reason_changes_when_the_window_closes(
    make: Make, limit: Callable[[World], None]
) -> None:
    strategy = a_strategy(waves=(a_wave("all", 100),), rate=Rate(per_minute=1))
    world = make(fleet=devices_of(SMALL, 3), strategy=strategy, now=CLOSES - 10.0)
    limit(world)
    world.turn()
    assert world.plan.wake_at == CLOSES
    world.confirm(*world.fresh())
    world.turn(1.0)
    assert (world.reason, world.plan.wake_at) == ("RateLimited", CLOSES)
    world.turn(9.0)
    assert world.reason == "OutsideWindow"


def test_a_window_wakes_nobody_for_whom_no_device_waits(make: Make) -> None:
    strategy = a_strategy(waves=(a_wave("all", 100),), window=NIGHT)
    world = make(fleet=devices_of(SMALL, 3), strategy=strategy, now=CLOSES - 10.0)
    world.turn()
    assert len(world.fresh()) == 3
    assert world.plan.wake_at is not None
    assert world.plan.wake_at > CLOSES

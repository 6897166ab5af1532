"""Alpha is a rollout's total, whatever joins or falls, in whatever order (gates.md 5 and 8.11)."""

import random

import pytest

from shoal.controller.domain.fleet import CohortId
from shoal.controller.planning.judging import spending
from tests.unit.planning.builders import ACCURACY, LARGE, MEDIUM, SMALL, a_strategy, devices_of
from tests.unit.planning.worlds import Make, World, a_complete_world

KEYS = (SMALL, LARGE, MEDIUM)


def cohort_of(world: World, name: str) -> CohortId | None:
    return world.told(name).target.cohort


def test_the_worked_example_of_spending() -> None:
    assert spending.share(3, 0) == pytest.approx(0.3)
    assert spending.share(3, 1) == pytest.approx(0.05)
    assert 3 * 0.3 + 0.05 + spending.share(3, 2) == pytest.approx(0.967, abs=1e-3)


@pytest.mark.parametrize("cohorts", [1, 2, 7, 64])
def test_the_shares_of_any_number_that_comes_later_add_up_to_less_than_one(cohorts: int) -> None:
    later = sum(spending.share(cohorts, turn) for turn in range(1, 10_000))
    assert 0.999 < cohorts * spending.share(cohorts, 0) + later < 1.0


@pytest.mark.parametrize("seed", range(6))
def test_no_order_of_joins_and_falls_spends_more_than_alpha(make: Make, seed: int) -> None:
    rng = random.Random(seed)
    order = rng.sample(KEYS, len(KEYS))
    strategy = a_strategy(gates=(ACCURACY,))
    world = a_complete_world(make, strategy=strategy, fleet=devices_of(order[0], 4))
    world.publish()
    world.turn(1.0)
    spent: dict[tuple[CohortId, int], float] = {}
    for key in (None, *order[1:]):
        world.fleet = [*world.fleet, *(devices_of(key, 4) if key else ())]
        for _ in range(4):
            world.turn(1.0)
            for one in world.record.cohorts:
                part = spending.share(one.alpha_share, one.alpha_turn)
                assert spent.setdefault((one.cohort, one.step), part) == part
            fallen = {one.cohort for one in world.record.cohorts if one.step}
            if waiting := [one for one in world.pending() if cohort_of(world, one) not in fallen]:
                world.refuse(rng.choice(waiting))
    assert world.record.going.number == 2
    assert len(spent) > len(KEYS)
    assert len(set(spent.values())) == len(spent)
    assert sum(spent.values()) < 1.0

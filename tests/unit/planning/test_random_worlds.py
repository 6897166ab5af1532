"""Laws of every pass, in worlds where devices, people and the clock do as they like."""

import contextlib
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from shoal.contract.problem import ProblemError
from shoal.contract.windows import Window
from shoal.controller.domain.fleet import DeviceView
from shoal.controller.domain.gating import OnInconclusive
from shoal.controller.domain.rollout import Target, Verb
from shoal.controller.domain.selector import selector_from_json
from shoal.controller.domain.strategy import (
    Action,
    Amount,
    Approval,
    LabelBudget,
    OnDeadline,
    Ppm,
    Rate,
    Scope,
    Strategy,
)
from shoal.controller.planning import planner, verbs
from tests.unit.planning.builders import (
    ACCURACY,
    LARGE,
    MEDIUM,
    RIGHT,
    SMALL,
    WRONG,
    a_strategy,
    a_wave,
    devices_of,
    share,
)
from tests.unit.planning.worlds import World

EVERY_TEN_MINUTES = Window(cron="*/10 * * * *", duration_s=240.0)
IN_THE_LAB = selector_from_json({"matchLabels": {"site": "lab"}})
POOLS = (SMALL, MEDIUM, LARGE)
CAREFUL = replace(ACCURACY, on_inconclusive=OnInconclusive.ROLLBACK)
STEPS = 50
ONCE_BROKE_A_LAW = (85, 217, 238, 322)


def a_random_strategy(rng: random.Random) -> Strategy:
    waves = tuple(
        a_wave(
            f"wave {number}",
            rng.choice((0.00001, 10, 33, 50, 100)),
            approval=rng.choice(list(Approval)),
            selector=rng.choice((None, None, IN_THE_LAB)),
        )
        for number in range(rng.randint(1, 4))
    )
    of_a_site = LabelBudget(label="site", amount=Amount(count=1))
    return a_strategy(
        waves=waves,
        gates=rng.choice(((), (ACCURACY,), (CAREFUL,))),
        max_unavailable=rng.choice((share(25), share(100), Amount(count=1))),
        max_unavailable_per=rng.choice(((), (of_a_site,))),
        max_devices=rng.choice((None, None, 12)),
        max_failures=rng.choice((share(10), share(50), Amount(count=1))),
        quorum_ppm=Ppm(rng.choice((0, 500_000, 1_000_000))),
        rate=rng.choice((None, Rate(per_minute=2))),
        window=rng.choice((None, None, None, EVERY_TEN_MINUTES)),
        on_failure=rng.choice(list(Action)),
        scope=rng.choice(list(Scope)),
        on_deadline=rng.choice(list(OnDeadline)),
        progress_deadline_s=rng.choice((30.0, 600.0)),
    )


def a_random_fleet(rng: random.Random) -> list[DeviceView]:
    pools = POOLS[: rng.randint(1, 3)]
    devices = [one for pool in pools for one in devices_of(pool, rng.randint(1, 6))]
    return [replace(one, labels=(("site", rng.choice(("lab", "field"))),)) for one in devices]


class Chaos:
    """One thing after the other happens to a world; each is a method that chance may pick."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        strategy = a_random_strategy(self.rng)
        self.world = World(strategy=strategy, fleet=a_random_fleet(self.rng))

    def happen(self) -> None:
        """What people ask for and may not have is refused, and changes nothing."""
        things: Sequence[tuple[int, Callable[[], None]]] = (
            (50, self.devices_answer),
            (5, self.one_is_lost),
            (7, self.all_are_back),
            (9, self.one_changes),
            (3, self.world.publish),
            (3, self.strategy_changes),
            (13, self.somebody_asks),
            (3, self.one_enrols),
            (7, lambda: None),
        )
        weights = [weight for weight, _ in things]
        ((_, thing),) = self.rng.choices(things, weights)
        with contextlib.suppress(ProblemError):
            thing()

    def devices_answer(self) -> None:
        for name in self.world.pending() if self.world.events else ():
            chance = self.rng.random()
            if chance < 0.5:
                self.world.confirm(name, answers=RIGHT if self.rng.random() < 0.9 else WRONG)
            elif chance < 0.6:
                self.world.soak(name)
            elif chance < 0.65:
                self.world.refuse(name)
            elif chance < 0.7:
                self.world.fail(name, reason=self.rng.choice(("FetchFailed", "LoadFailed")))

    def one_is_lost(self) -> None:
        self.world.lose(self._any())

    def all_are_back(self) -> None:
        self.world.find(*(one.name for one in self.world.fleet))

    def one_changes(self) -> None:
        yes = self.rng.random() < 0.5
        changes: Sequence[dict[str, object]] = (
            {"suspended": yes},
            {"selected": yes},
            {"cohort": self.rng.choice(POOLS)},
            {"window": EVERY_TEN_MINUTES if yes else None},
        )
        self.world.change(self._any(), **self.rng.choice(changes))

    def strategy_changes(self) -> None:
        self.world.edit(quorum_ppm=Ppm(500_000))

    def somebody_asks(self) -> None:
        verb = self.rng.choice(list(Verb))
        any_of_it = self.rng.random() < 0.5
        request = verbs.Request(verb=verb, follow=any_of_it, full=any_of_it)
        self.world.record = verbs.apply(self.world.record, request, self.world.now)

    def one_enrols(self) -> None:
        fresh = devices_of(self.rng.choice(POOLS), len(self.world.fleet) + 1)[-1]
        if all(one.name != fresh.name for one in self.world.fleet):
            self.world.fleet.append(replace(fresh, labels=(("site", "lab"),)))

    def _any(self) -> str:
        return self.rng.choice(self.world.fleet).name


def nothing_given_up_is_told(world: World) -> None:
    for one in world.plan.tells:
        revision = world.record.revision(one.target.revision)
        assert revision is None or not revision.result.tombstone, one.device


def a_pause_lets_nothing_start(world: World) -> None:
    """Nor on what was complete does anything start; but what is unproven may be led to it."""
    current = world.record.current
    if world.record.paused_at is None or current is None or current.completed_at is not None:
        return
    if not current.origin.returns:
        assert not [one.device for one in world.plan.tells if one.target.revision == current.number]


def no_more_than_the_wave_are_told(world: World, before: dict[str, Target]) -> None:
    """Of each cohort to which one more comes, without those that a retry moves to another one."""
    current = world.record.current
    if current is None or not current.result.open:
        return
    leaving = {one.device for one in world.record.devices if one.regroup}
    now = {name: one for name, one in world.targets().items() if name not in leaving}
    for cohort in world.plan.status.cohorts:
        progress = world.record.cohort(cohort.cohort)
        mark = (current.number, cohort.cohort, cohort.variant)
        told = [one for one in now if marked(now[one]) == mark]
        new = [one for one in told if one not in before or marked(before[one]) != mark]
        if progress is None or progress.returning or not new:
            continue
        waves = current.content.strategy.waves[: cohort.wave + 1]
        sizes = [(one.selector, one.size.up(cohort.devices, cohort.devices)) for one in waves]
        picked = sum(size for selector, size in sizes if selector)
        anybody = max((size for selector, size in sizes if not selector), default=0)
        assert len(told) <= (1 if progress.canary else anybody + picked), (cohort.name, told)


def nothing_is_done_before_it_wakes(world: World) -> None:
    """What a rollout says it waits for may change before, where a window closes; no more."""
    wake_at = world.plan.wake_at
    assert wake_at is None or wake_at > world.now
    late = world.now + 86_400.0 if wake_at is None else (world.now + wake_at) / 2
    again = planner.plan(replace(world.snapshot(), now=late))
    assert (again.desired, again.record.hold) == (world.plan.desired, world.record.hold)
    assert again.status.result == world.plan.status.result
    assert again.record.cohorts == world.record.cohorts, "a pass was due that nobody would make"


def marked(target: Target) -> tuple[int, str, str]:
    return target.revision, target.cohort, target.variant


@pytest.mark.parametrize("seed", [*range(16), *ONCE_BROKE_A_LAW])
def test_every_pass_keeps_the_laws_whatever_happens(seed: int) -> None:
    """`World.turn` checks that a second pass on the same snapshot changes nothing."""
    chaos = Chaos(seed)
    world, before = chaos.world, dict[str, Target]()
    for _ in range(STEPS):
        chaos.happen()
        world.turn(chaos.rng.choice((0.0, 1.0, 5.0, 30.0, 70.0, 700.0)))
        nothing_given_up_is_told(world)
        a_pause_lets_nothing_start(world)
        no_more_than_the_wave_are_told(world, before)
        nothing_is_done_before_it_wakes(world)
        before = world.targets()

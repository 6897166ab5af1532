"""Windows, rates and suspended devices: when something new may start (section 6 point 8)."""

from datetime import UTC, datetime

from shoal.contract.windows import Window
from shoal.controller.domain.rollout import Verb
from shoal.controller.domain.strategy import Ramp, Rate
from tests.unit.planning.builders import (
    ACCURACY,
    RIGHT,
    SMALL,
    WRONG,
    a_strategy,
    a_wave,
    devices_of,
)
from tests.unit.planning.worlds import Make, World, a_complete_world, a_second_rollout

NIGHT = Window(cron="0 2 * * *", duration_s=3600.0, time_zone="Europe/Berlin")
DAY_S = 86_400.0
ALL = (a_wave("all", 100),)


def at(text: str) -> float:
    """UTC; Berlin is an hour ahead in winter."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


NOON, OPENS, CLOSES = at("2026-01-05 12:00"), at("2026-01-06 01:00"), at("2026-01-06 02:00")


def the_next_night(world: World) -> None:
    world.now = OPENS
    world.turn()


def test_outside_the_window_nothing_starts_and_the_rollout_says_when_it_opens(make: Make) -> None:
    world = make(strategy=a_strategy(window=NIGHT), now=NOON)
    plan = world.turn()
    assert not plan.tells
    assert (world.status, world.reason) == ("active", "OutsideWindow")
    assert "2026-01-06 01:00Z" in plan.status.message
    assert plan.wake_at == OPENS
    the_next_night(world)
    assert len(world.fresh()) == 3


def test_what_has_started_finishes_outside_the_window(make: Make) -> None:
    world = make(strategy=a_strategy(window=NIGHT), now=NOON)
    the_next_night(world)
    canaries = world.fresh()
    world.now = CLOSES
    world.confirm(*canaries)
    world.turn()
    assert (world.plan.status.wave, world.reason) == (1, "OutsideWindow")
    assert not world.fresh()
    the_next_night(world)
    assert len(world.fresh()) == 3


def test_waiting_for_the_window_is_not_standing_still(make: Make) -> None:
    world = make(strategy=a_strategy(window=NIGHT, progress_deadline_s=60.0), now=NOON)
    world.turn()
    world.turn(3_600.0)
    assert (world.status, world.reason) == ("active", "OutsideWindow")


def test_a_rollback_does_not_wait_for_the_window(make: Make) -> None:
    strategy = a_strategy(window=NIGHT, gates=(ACCURACY,))
    world = a_complete_world(make, strategy=strategy, now=OPENS)
    world.publish()
    world.turn(1.0)
    canaries = world.fresh()
    world.now = CLOSES + 1
    world.soak(*canaries, answers=WRONG, past=RIGHT)
    world.turn()
    assert world.record.revisions[1].result == "rolled-back"
    assert set(canaries) <= set(world.fresh())


def test_an_undo_does_not_wait_for_the_window(make: Make) -> None:
    world = a_complete_world(make, strategy=a_strategy(window=NIGHT), now=OPENS)
    world.publish()
    world.finish()
    world.now = CLOSES + 1
    world.ask(Verb.UNDO)
    world.finish()
    assert (world.status, world.plan.status.model_revision) == ("complete", 1)


def test_a_device_that_enrols_later_waits_for_the_window_too(make: Make) -> None:
    strategy = a_strategy(window=NIGHT)
    world = a_complete_world(make, strategy=strategy, now=OPENS, fleet=devices_of(SMALL, 3))
    world.now = CLOSES
    world.fleet = devices_of(SMALL, 4)
    world.fleet = [world.device(one.name) for one in world.fleet]
    assert not world.turn().tells
    the_next_night(world)
    assert world.fresh()


def test_a_window_of_a_device_holds_it_alone_back(make: Make) -> None:
    world = make(strategy=a_strategy(waves=ALL), now=NOON, fleet=devices_of(SMALL, 3))
    world.change("small-1", window=NIGHT)
    plan = world.turn()
    assert world.fresh() == ["small-0", "small-2"]
    assert plan.wake_at is not None
    world.confirm(*world.fresh())
    world.turn(1.0)
    assert (world.status, world.reason) == ("active", "OutsideWindow")
    assert "small-1" in world.plan.status.message
    the_next_night(world)
    assert world.fresh() == ["small-1"]
    world.finish()
    assert world.status == "complete"


def test_canaries_are_devices_that_may_start_now(make: Make) -> None:
    for odd in range(4):
        world = make(now=NOON, fleet=devices_of(SMALL, 4))
        for i in range(4):
            if i != odd:
                world.change(f"small-{i}", window=NIGHT)
        world.turn()
        assert world.fresh() == [f"small-{odd}"]


def test_no_more_devices_than_the_rate_are_told_in_any_minute(make: Make) -> None:
    strategy = a_strategy(waves=ALL, rate=Rate(per_minute=4))
    world = make(strategy=strategy, fleet=devices_of(SMALL, 11))
    told: list[tuple[float, int]] = []
    for _ in range(40):
        world.turn(5.0)
        told.append((world.now, len(world.fresh())))
        world.confirm(*world.fresh())
    assert sum(count for _, count in told) == 11
    for begin, _ in told:
        assert sum(count for when, count in told if begin <= when < begin + 60) <= 4


def test_a_rollout_that_waits_for_the_rate_says_so_and_wakes(make: Make) -> None:
    strategy = a_strategy(waves=ALL, rate=Rate(per_minute=2))
    world = make(strategy=strategy, fleet=devices_of(SMALL, 5))
    world.turn()
    world.confirm(*world.fresh())
    plan = world.turn(1.0)
    assert world.reason == "RateLimited"
    assert plan.wake_at == world.now + 59.0
    world.turn(59.0)
    assert len(world.fresh()) == 2


def test_the_rate_grows_with_what_has_confirmed(make: Make) -> None:
    ramp = Rate(per_minute=8, ramp=Ramp(start=1, factor=2.0, per_confirmed=1))
    world = make(strategy=a_strategy(waves=ALL, rate=ramp), fleet=devices_of(SMALL, 15))
    told = []
    for _ in range(4):
        world.turn(60.0)
        told.append(len(world.fresh()))
        world.confirm(*world.fresh())
    assert told == [1, 2, 8, 4]  # 1; one confirmed: 2; three confirmed: 8; the rest


def test_a_rollback_does_not_wait_for_the_rate(make: Make) -> None:
    strategy = a_strategy(waves=(a_wave("some", 60), a_wave("all", 100)), rate=Rate(per_minute=2))
    world = make(strategy=strategy, fleet=devices_of(SMALL, 6))
    for _ in range(4):
        world.turn(60.0)
        world.confirm(*world.pending())
    world.publish()
    for _ in range(2):
        world.turn(60.0)
    assert len(world.on_revision(2)) == 4
    world.ask(Verb.ABORT)
    world.turn(1.0)
    assert len(world.fresh()) == 6


def test_a_suspended_device_is_told_nothing_new_and_blocks_nothing(make: Make) -> None:
    world = make(fleet=devices_of(SMALL, 4), strategy=a_strategy(waves=ALL))
    world.change("small-2", suspended=True)
    world.finish()
    assert world.status == "complete"
    assert "small-2" not in world.targets()
    world.change("small-2", suspended=False)
    world.turn(1.0)
    assert world.fresh() == ["small-2"]
    assert world.status == "complete"


def test_a_wave_of_suspended_devices_misses_its_quorum(make: Make) -> None:
    world = make(fleet=devices_of(SMALL, 2), strategy=a_strategy(waves=ALL))
    for name in ("small-0", "small-1"):
        world.change(name, suspended=True)
    world.turn()
    assert (world.status, world.reason) == ("held", "QuorumMissing")
    assert "small-0" in world.plan.status.message


def test_a_suspended_device_still_gives_back_what_was_given_up(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(gates=(ACCURACY,)))
    canary = world.canaries()["small"]
    world.change(canary, suspended=True)
    world.soak(canary, answers=WRONG, past=RIGHT)
    world.turn(1.0)
    assert canary in world.fresh()
    assert world.targets()[canary].model_revision == 1


def test_a_suspended_device_does_not_keep_a_superseded_unproven_variant(make: Make) -> None:
    world = a_second_rollout(make)
    canary = world.canaries()["small"]
    world.change(canary, suspended=True)
    world.publish()
    world.turn(1.0)
    assert world.targets()[canary].model_revision == 1

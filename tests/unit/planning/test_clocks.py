"""A clock that was set back makes nothing wait for the old time to come again."""

from shoal.contract.report import Phase
from shoal.controller.domain.rollout import Burst, Progress, RolloutRecord, Verb
from shoal.controller.planning import clocks
from tests.unit.planning.builders import ACCURACY, SMALL, THREE_WAVES, a_strategy, devices_of
from tests.unit.planning.worlds import Make, World, a_second_rollout

HOUR_S = 3600.0


def confirm_without_answers(world: World) -> None:
    for name in world.fresh():
        tell = world.told(name)
        running = {"running": tell.target.variant, "running_generation": tell.generation}
        world.report(name, Phase.CONFIRMED, **running)


def test_a_gate_without_a_verdict_holds_after_its_longest_soak(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(gates=(ACCURACY,)))
    confirm_without_answers(world)
    world.turn(1.0)
    assert (world.status, world.reason) == ("active", "GateInconclusive")
    world.turn(-HOUR_S)
    world.turn(THREE_WAVES[0].max_soak_s)
    assert (world.status, world.reason) == ("held", "GateInconclusive")


def test_a_device_times_out_after_its_own_time(make: Make) -> None:
    world = a_second_rollout(make, fleet=devices_of(SMALL, 4))
    world.turn(-HOUR_S)
    world.turn(world.strategy.device_timeout_s + THREE_WAVES[0].soak_s + 1.0)
    assert world.record.revisions[1].result == "rolled-back"


def test_a_pause_leaves_no_progress_in_the_future(make: Make) -> None:
    world = a_second_rollout(make)
    world.ask(Verb.PAUSE)
    world.turn(-HOUR_S)
    world.ask(Verb.RESUME)
    world.turn(1.0)
    assert world.record.progress.at <= world.now
    assert all(one.since <= world.now for one in world.record.devices)


def test_what_was_told_in_a_time_to_come_counts_for_the_last_minute() -> None:
    record = RolloutRecord(
        deployment="default/digits",
        bursts=(Burst(at=50.0, devices=2), Burst(at=900.0, devices=3)),
        progress=Progress(mark=(1,), at=900.0),
    )
    again = clocks.caught_up(record, 100.0)
    assert again.bursts == (Burst(at=50.0, devices=2), Burst(at=100.0, devices=3))
    assert again.progress == Progress(mark=(1,), at=100.0)
    assert clocks.caught_up(again, 100.0) is again

from shoal.contract.report import Phase
from shoal.controller.domain.gating import GateSpec, Metric, OnInconclusive
from shoal.controller.domain.rollout import Verb
from shoal.controller.domain.strategy import Action, OnDeadline
from tests.unit.planning.builders import ACCURACY, LABELS, SMALL, a_strategy, a_wave, devices_of
from tests.unit.planning.worlds import Make, a_complete_world, a_second_rollout

ALL = (a_wave("all", 100),)
GATED = a_strategy(gates=(ACCURACY,))


def test_an_inconclusive_gate_prolongs_the_soak_and_then_holds(make: Make) -> None:
    world = a_second_rollout(make, strategy=GATED)
    for name in world.fresh():
        tell = world.told(name)
        world.report(
            name,
            Phase.CONFIRMED,
            running=tell.target.variant,
            running_generation=tell.generation,
        )
    world.turn(1.0)
    assert (world.status, world.reason) == ("active", "GateInconclusive")
    assert world.plan.wake_at == world.now + 50.0  # maxSoak 60 s, of which 10 s were the soak
    world.turn(50.0)
    assert (world.status, world.reason) == ("held", "GateInconclusive")
    world.finish()
    world.confirm(*world.on_revision(2))
    world.turn(1.0)
    assert world.status == "active"  # new evidence ends the hold


def test_an_inconclusive_gate_can_roll_back(make: Make) -> None:
    gate = GateSpec(metric=Metric.ACCURACY, limit=0.05, on_inconclusive=OnInconclusive.ROLLBACK)
    world = a_second_rollout(make, strategy=a_strategy(gates=(gate,)))
    few = [one if i % 12 else (one + 1) % 10 for i, one in enumerate(LABELS)]
    world.confirm(*world.fresh(), answers=few)
    world.turn(1.0)
    assert world.reason == "GateInconclusive"
    world.turn(60.0)
    assert world.record.revisions[1].result == "rolled-back"
    assert world.record.quarantine


def test_advisory_gates_are_shown_and_neither_block_nor_pass(make: Make) -> None:
    gates = (
        GateSpec(metric=Metric.LATENCY_P95, limit=1.5),
        GateSpec(metric=Metric.ERROR_RATE, limit=0.01),
    )
    world = a_complete_world(make, strategy=a_strategy(gates=gates))
    shown = world.record.revisions[0].waves[0].gates
    assert {(one.verdict, one.advisory) for one in shown} == {("inconclusive", True)}


def test_a_device_that_takes_too_long_has_timed_out(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(device_timeout_s=30.0))
    name = world.fresh()[0]
    others = [one for one in world.fresh() if one != name]
    world.confirm(*others)
    world.turn(1.0)
    assert world.plan.wake_at is not None
    world.turn(38.0)
    assert world.status == "active"
    world.turn(1.0)  # 30 s and the soak of 10 s
    bad = world.record.revisions[1]
    assert bad.reason == "TooManyFailures"
    assert "TimedOut" in bad.message


def test_the_progress_deadline_holds_and_progress_ends_the_hold(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(progress_deadline_s=20.0))
    name = world.fresh()[0]
    world.turn(19.0)
    assert world.status == "active"
    world.turn(1.0)
    assert (world.status, world.reason) == ("held", "ProgressDeadline")
    world.report(name, Phase.FETCHING)
    world.turn(1.0)
    assert world.status == "active"


def test_the_progress_deadline_can_roll_back_or_only_report(make: Make) -> None:
    strategy = a_strategy(progress_deadline_s=20.0, on_deadline=OnDeadline.ROLLBACK)
    world = a_second_rollout(make, strategy=strategy)
    world.turn(20.0)
    assert world.record.revisions[1].reason == "ProgressDeadline"
    strategy = a_strategy(progress_deadline_s=20.0, on_deadline=OnDeadline.REPORT)
    world = a_second_rollout(make, strategy=strategy)
    world.turn(20.0)
    assert world.status == "active"
    progressing = world.plan.status.conditions[0]
    assert (progressing.status, progressing.reason) == (False, "ProgressDeadline")


def test_paused_time_does_not_count_against_the_deadline(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(progress_deadline_s=20.0))
    world.turn(15.0)
    world.ask(Verb.PAUSE)
    world.turn(400.0)
    assert world.status == "active"
    world.ask(Verb.RESUME)
    world.turn(4.0)
    assert world.status == "active"
    world.turn(1.0)
    assert (world.status, world.reason) == ("held", "ProgressDeadline")


def test_the_deadline_waits_for_no_device_that_a_retry_has_yet_to_tell(make: Make) -> None:
    """A pass that comes late after the retry finds the old telling: nothing is due from that."""
    strategy = a_strategy(waves=ALL, progress_deadline_s=30.0, on_failure=Action.HOLD)
    world = make(fleet=devices_of(SMALL, 2), strategy=strategy)
    world.turn()
    world.confirm("small-0")
    world.fail("small-1")
    world.turn(1.0)
    assert world.status == "held"
    world.ask(Verb.RETRY)
    world.turn(30.0)
    assert world.fresh() == ["small-1"]
    world.turn(30.0)
    assert world.plan.status.message == "no progress for 30 s; waiting for small-1"

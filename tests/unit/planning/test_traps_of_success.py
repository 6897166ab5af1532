"""The known traps of other systems that call something a success: each test is named after one."""

from dataclasses import replace

from shoal.contract.report import Phase
from shoal.controller.domain.gating import GateSpec, Metric
from shoal.controller.domain.revisions import WaveState
from shoal.controller.domain.rollout import Verb
from shoal.controller.domain.selector import Condition, LabelSelector, Operator
from shoal.controller.domain.strategy import Approval, Ppm, WaveSpec
from tests.unit.planning.builders import (
    ACCURACY,
    RIGHT,
    SMALL,
    THREE_WAVES,
    WRONG,
    a_strategy,
    a_wave,
    devices_of,
    share,
    variant,
)
from tests.unit.planning.worlds import Make, World, a_complete_world, a_second_rollout

ALL = (a_wave("all", 100),)
NOWHERE = LabelSelector(conditions=(Condition(key="site", operator=Operator.EXISTS),))
ERRORS = GateSpec(metric=Metric.ERROR_RATE, limit=0.01)


def confirm_without_answers(world: World, *names: str) -> None:
    for name in names:
        tell = world.told(name)
        world.report(
            name,
            Phase.CONFIRMED,
            running=tell.target.variant,
            running_generation=tell.generation,
        )


def a_gated_rollout(make: Make, waves: tuple[WaveSpec, ...]) -> World:
    """Revision 1 is complete; revision 2 has these waves and an accuracy gate."""
    world = a_complete_world(make)
    world.publish()
    world.edit(waves=waves, gates=(ACCURACY,))
    world.turn(1.0)
    return world


def test_hawkbit_all_actions_terminal_but_thresholds_unmet_must_hold(make: Make) -> None:
    strategy = a_strategy(waves=(a_wave("half", 50), a_wave("all", 100)), max_failures=share(50))
    world = make(strategy=strategy, fleet=devices_of(SMALL, 10))
    world.turn()
    first, *others = world.fresh()
    world.fail(first)
    world.confirm(*others)
    world.turn(1.0)  # all five are at their end, four confirmed, 90 % needed
    assert (world.status, world.reason) == ("held", "ThresholdUnmet")
    world.turn(100_000.0)
    assert (world.status, world.plan.status.wave) == ("held", 0)
    assert not world.fresh()


def test_hawkbit_3185_install_success_is_not_success(make: Make) -> None:
    world = make()
    world.turn()
    for name in world.fresh():
        tell = world.told(name)
        # It says that it is done, and still runs something else, or nothing.
        world.report(
            name, Phase.CONFIRMED, running=variant(9, 9), running_generation=tell.generation
        )
    world.turn(1.0)
    assert (world.status, world.plan.status.wave) == ("active", 0)
    for name in world.targets():
        world.report(name, Phase.CONFIRMED, running=None, running_generation=0)
    world.turn(1.0)
    assert (world.status, world.plan.status.wave) == ("active", 0)
    world.confirm(*world.targets())
    world.turn(1.0)
    assert world.plan.status.wave == 1


def test_flightctl_an_empty_wave_is_not_a_hundred_percent(make: Make) -> None:
    waves = (replace(ALL[0], name="nobody", selector=NOWHERE), a_wave("all", 100))
    world = make(strategy=a_strategy(waves=waves), fleet=devices_of(SMALL, 3))
    world.turn()
    assert [one.state for one in world.plan.status.waves] == [WaveState.SKIPPED, WaveState.ACTIVE]
    assert world.status == "active"
    assert "WaveComplete" not in world.events


def test_flightctl_waves_that_are_all_empty_complete_nothing(make: Make) -> None:
    waves = (replace(ALL[0], selector=NOWHERE),)
    world = make(strategy=a_strategy(waves=waves), fleet=devices_of(SMALL, 3))
    world.finish()
    assert (world.status, world.reason) == ("active", "NoDevices")
    assert not world.record.going.proven
    assert world.record.going.completed_at is None


def test_argo_early_termination_with_zero_measurements_is_not_success(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(gates=(ACCURACY,)))
    confirm_without_answers(world, *world.fresh())
    world.turn(1.0)
    assert (world.status, world.reason) == ("active", "GateInconclusive")
    world.turn(1_000.0)  # the longest soak is over, and nothing was measured
    assert (world.status, world.reason) == ("held", "GateInconclusive")
    assert world.plan.status.wave == 0
    assert all(one.samples == 0 for one in world.plan.status.waves[0].gates)


def test_argo_failing_and_inconclusive_at_once_is_failing(make: Make) -> None:
    both = (ACCURACY, replace(ACCURACY, metric=Metric.AGREEMENT, limit=0.9, min_samples=10**6))
    world = a_second_rollout(make, strategy=a_strategy(gates=both))
    small, large, medium = (world.canaries()[one] for one in ("small", "large", "medium"))
    world.soak(small, answers=WRONG, past=RIGHT)
    confirm_without_answers(world, large, medium)
    world.turn(1.0)
    verdicts = {one.verdict.value for one in world.record.revisions[1].waves[0].gates}
    assert {"fail", "inconclusive"} <= verdicts
    assert world.record.revisions[1].result == "rolled-back"


def test_flagger_1035_no_traffic_is_inconclusive_and_never_a_pass(make: Make) -> None:
    waves = (a_wave("half", 50), a_wave("all", 100))
    strategy = a_strategy(waves=waves, gates=(ERRORS,))
    world = a_second_rollout(make, strategy=strategy, fleet=devices_of(SMALL, 20))
    confirm_without_answers(world, *world.fresh())
    world.turn(1.0)
    assert (world.status, world.reason) == ("active", "GateInconclusive")
    world.turn(1_000.0)
    assert (world.status, world.plan.status.wave) == ("held", 0)
    assert {one.verdict.value for one in world.plan.status.waves[0].gates} == {"inconclusive"}


def test_flagger_1801_gates_hold_while_waiting_for_approval_too(make: Make) -> None:
    waves = (THREE_WAVES[0], a_wave("all", 100, approval=Approval.MANUAL))
    world = a_gated_rollout(make, waves)
    first, *others = world.fresh()
    world.confirm(first, *others)
    world.turn(1.0)
    assert world.reason == "ApprovalMissing"
    world.roll_back_locally(first)
    world.turn(1.0)
    assert (world.record.revisions[1].result, world.record.revisions[1].reason) == (
        "rolled-back",
        "HardStop",
    )


def test_flagger_1801_an_approval_does_not_overrule_a_gate_without_a_verdict(make: Make) -> None:
    waves = (THREE_WAVES[0], a_wave("all", 100, approval=Approval.MANUAL))
    world = a_gated_rollout(make, waves)
    confirm_without_answers(world, *world.fresh())
    world.turn(1.0)
    assert world.reason == "GateInconclusive"
    assert len(world.on_revision(2)) == 3


def test_an_approval_given_early_is_not_an_approval_of_what_fails_later(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(gates=(ACCURACY,)))
    canaries = world.fresh()
    world.confirm(*canaries)
    world.turn(1.0)
    world.ask(Verb.PROMOTE, full=True)
    world.turn(1.0)
    world.roll_back_locally(world.fresh()[0] if world.fresh() else canaries[0])
    world.turn(1.0)
    assert world.record.revisions[1].result == "rolled-back"


def test_argo_a_threshold_of_nothing_is_not_met_where_nobody_confirmed(make: Make) -> None:
    strategy = a_strategy(waves=ALL, success_threshold_ppm=Ppm(0), max_failures=share(100))
    world = make(strategy=strategy)
    world.turn()
    world.fail(*world.fresh())
    world.turn(1.0)
    assert (world.status, world.reason) == ("held", "ThresholdUnmet")
    assert not world.record.going.proven

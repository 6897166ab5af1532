"""Where two guards apply at once, the order of design section 6 point 10 decides."""

from shoal.controller.domain.rollout import Verb
from shoal.controller.domain.snapshot import Conflict
from shoal.controller.domain.strategy import Approval, OnDeadline
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
)
from tests.unit.planning.worlds import Make, World, a_complete_world, a_second_rollout

ALL_AT_ONCE = (a_wave("all", 100),)


def confirm_without_answers(world: World, *names: str) -> None:
    world.confirm(*names)
    for name in names:
        report = world.device(name).report
        assert report is not None
        world.report(
            name,
            report.phase,
            running=report.running,
            running_generation=report.running_generation,
        )


def test_deleted_goes_before_cannot_run(make: Make) -> None:
    world = a_second_rollout(make)
    world.models, world.deleted = (), True
    world.turn(1.0)
    assert world.reason == "Deleted"
    assert world.record.hold is None


def test_cannot_run_goes_before_an_undo(make: Make) -> None:
    world = a_second_rollout(make)
    world.finish()
    world.conflict = Conflict(deployment="default/older", devices=("small-0",))
    world.ask(Verb.UNDO)
    world.turn(1.0)
    assert (world.plan.status.revision, world.reason) == (2, "Conflict")
    world.conflict = None
    world.finish()
    assert world.record.revisions[-1].source == 1


def test_an_undo_goes_before_a_newer_model(make: Make) -> None:
    world = a_second_rollout(make)
    world.ask(Verb.UNDO)
    world.publish()
    world.turn(1.0)
    assert world.record.revisions[-1].source == 1
    assert len(world.record.revisions) == 3


def test_a_newer_model_goes_before_a_failure(make: Make) -> None:
    world = a_second_rollout(make)
    world.fail(*world.fresh())
    world.publish()
    world.turn(1.0)
    assert [one.result for one in world.record.revisions] == ["complete", "superseded", "active"]


def test_a_failure_goes_before_a_pause(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(gates=(ACCURACY,)))
    world.ask(Verb.PAUSE)
    world.soak(*world.fresh(), answers=WRONG, past=RIGHT)
    world.turn(1.0)
    assert world.record.revisions[1].result == "rolled-back"


def test_a_pause_goes_before_the_deadline(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(progress_deadline_s=20.0))
    world.ask(Verb.PAUSE)
    world.turn(100.0)
    assert (world.status, world.reason) == ("active", "Paused")


def test_the_deadline_goes_before_the_quorum(make: Make) -> None:
    strategy = a_strategy(progress_deadline_s=20.0, on_deadline=OnDeadline.ROLLBACK)
    world = a_second_rollout(make, strategy=strategy)
    world.lose(world.fresh()[0])
    world.turn(1.0)
    assert (world.status, world.reason) == ("held", "QuorumMissing")
    world.turn(20.0)
    assert world.record.revisions[1].reason == "ProgressDeadline"


def test_the_quorum_goes_before_assigning(make: Make) -> None:
    world = a_complete_world(
        make, strategy=a_strategy(waves=ALL_AT_ONCE), fleet=devices_of(SMALL, 9)
    )
    world.lose(*(f"small-{i}" for i in range(6)))
    world.publish()
    world.turn(1.0)
    assert world.reason == "QuorumMissing"
    assert not world.on_revision(2)


def test_assigning_goes_before_the_thresholds(make: Make) -> None:
    strategy = a_strategy(waves=ALL_AT_ONCE, max_failures=share(100), max_unavailable=share(20))
    world = make(strategy=strategy, fleet=devices_of(SMALL, 10))
    world.turn()
    world.fail(*world.fresh())
    world.turn(1.0)
    assert world.status == "active"
    assert world.fresh()


def test_the_thresholds_go_before_an_inconclusive_gate(make: Make) -> None:
    strategy = a_strategy(waves=ALL_AT_ONCE, max_failures=share(50), gates=(ACCURACY,))
    world = make(strategy=strategy, fleet=devices_of(SMALL, 10))
    world.turn()
    world.fail(*world.fresh()[:2])
    confirm_without_answers(world, *world.fresh()[2:])
    world.turn(1.0)
    assert (world.status, world.reason) == ("held", "ThresholdUnmet")


def test_an_inconclusive_gate_goes_before_an_approval(make: Make) -> None:
    waves = (THREE_WAVES[0], a_wave("all", 100, approval=Approval.MANUAL))
    world = make(strategy=a_strategy(waves=waves, gates=(ACCURACY,)))
    world.turn()
    confirm_without_answers(world, *world.fresh())
    world.turn(1.0)
    assert world.reason == "GateInconclusive"


def test_an_approval_goes_before_the_next_wave(make: Make) -> None:
    waves = (THREE_WAVES[0], a_wave("all", 100, approval=Approval.MANUAL))
    world = make(strategy=a_strategy(waves=waves))
    world.finish()
    assert world.reason == "ApprovalMissing"
    assert world.plan.status.wave == 0

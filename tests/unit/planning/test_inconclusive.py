"""onInconclusive: rollback takes back no more than a failure would (design: section 6.5)."""

from shoal.contract.report import Phase
from shoal.controller.domain.gating import GateSpec, Metric, OnInconclusive
from shoal.controller.domain.revisions import Origin, Result
from shoal.controller.domain.rollout import Verb
from shoal.controller.domain.strategy import Scope
from tests.unit.planning.builders import LARGE, SMALL, a_strategy, devices_of
from tests.unit.planning.worlds import Make, World, a_complete_world

GATE = GateSpec(metric=Metric.ACCURACY, limit=0.05, on_inconclusive=OnInconclusive.ROLLBACK)


def confirm_silently(world: World, *names: str) -> None:
    """Devices run what they were told and answer no golden set."""
    for name in names:
        tell = world.told(name)
        variant, generation = tell.target.variant, tell.generation
        world.report(name, Phase.CONFIRMED, running=variant, running_generation=generation)


def test_with_scope_cohort_only_the_inconclusive_cohort_is_taken_back(make: Make) -> None:
    fleet = [*devices_of(SMALL, 3), *devices_of(LARGE, 3)]
    strategy = a_strategy(gates=(GATE,), scope=Scope.COHORT)
    world = a_complete_world(make, fleet=fleet, strategy=strategy)
    world.publish()
    world.turn(1.0)
    canaries = world.canaries()
    world.confirm(canaries["small"])
    confirm_silently(world, canaries["large"])
    world.turn(1.0)
    world.turn(60.0)
    assert "CohortReverted" in world.events
    world.finish()
    assert world.status == "complete"
    assert world.on_revision(2) == {"small-0", "small-1", "small-2"}


def test_a_cohort_that_joins_an_undo_does_not_undo_it_again(make: Make) -> None:
    world = a_complete_world(make, fleet=devices_of(SMALL, 3), strategy=a_strategy(gates=(GATE,)))
    world.publish()
    world.finish()
    world.ask(Verb.UNDO)
    world.fleet = [*world.fleet, *devices_of(LARGE, 3)]
    world.turn(1.0)
    confirm_silently(world, *world.pending())
    world.turn(1.0)
    confirm_silently(world, *world.pending())
    world.turn(1.0)
    world.turn(60.0)
    current = world.record.going
    assert (current.number, current.origin, current.result) == (3, Origin.UNDO, Result.COMPLETE)
    assert "CohortReverted" in world.events

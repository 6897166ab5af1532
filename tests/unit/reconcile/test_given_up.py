"""A rollout that was given up does not pass for a success once its devices are back."""

from typing import Any

import pytest

from shoal.controller.deciding import explaining
from shoal.controller.domain.plan import Plan
from shoal.controller.domain.rollout import Verb
from shoal.controller.reconcile import deployment_status
from shoal.controller.store.port import Record
from tests.unit.planning.builders import ACCURACY, WRONG, a_strategy
from tests.unit.planning.worlds import World, a_second_rollout

GATED = a_strategy(gates=(ACCURACY,))


def status_of(plan: Plan) -> dict[str, Any]:
    deployment = Record(
        kind="Deployment",
        namespace="default",
        name="digits",
        uid="u",
        resource_version=1,
        data={"metadata": {"generation": 1}, "spec": {}},
    )
    return deployment_status.build(deployment, plan, 0.0)


def an_aborted_world() -> World:
    world = a_second_rollout(World)
    world.confirm(*world.fresh())
    world.ask(Verb.ABORT)
    world.turn(1.0)
    return world


def a_rolled_back_world() -> World:
    world = a_second_rollout(World, strategy=GATED)
    world.confirm(*world.fresh(), answers=WRONG)
    world.turn(1.0)
    return world


@pytest.mark.parametrize(
    ("world", "result", "message"),
    [
        (an_aborted_world, "aborted", "revision 2 was aborted"),
        (a_rolled_back_world, "rolled-back", "revision 2 was rolled back: "),
    ],
)
def test_the_status_tells_of_what_was_given_up(world: Any, result: str, message: str) -> None:
    played: World = world()
    on_the_way = status_of(played.turn())
    assert (on_the_way["revision"], on_the_way["result"]) == (3, "active")
    assert on_the_way["givenUp"]["result"] == result
    played.finish()
    plan = played.turn()
    done = status_of(plan)
    assert (done["revision"], done["result"]) == (3, result)
    assert done["message"].startswith(message)
    assert done["givenUp"]["revision"] == 2
    assert deployment_status.history(plan.record, done)[-1]["result"] == "complete"
    assert explaining.deployment(played.snapshot(), played.snapshot()).state.state == result


def test_why_tells_the_revision_that_was_given_up_from_the_way_back() -> None:
    world = a_rolled_back_world()
    going = explaining.deployment(world.snapshot(), world.snapshot())
    assert (going.revision, going.given_up, going.state.state) == (3, 2, "active")
    assert going.state.what == (
        "revision 2 was rolled back; revision 3, with the content of revision 1, is under way"
    )
    assert "accuracy" in going.state.because
    assert "small-0" in going.state.waits_for
    world.finish()
    done = explaining.deployment(world.snapshot(), world.snapshot())
    assert done.state.reason == "GateFailed"
    assert done.state.what == (
        "revision 2 was rolled back; revision 3, with the content of revision 1, is complete"
    )
    assert "accuracy" in done.state.because


def test_an_undo_that_was_asked_for_is_a_success() -> None:
    world = a_second_rollout(World)
    world.finish()
    world.ask(Verb.UNDO)
    world.turn(1.0)
    world.finish()
    done = status_of(world.turn())
    assert (done["result"], done["givenUp"]) == ("complete", None)

"""The history of a rollout as people read it, held against what they are told of it."""

import typing

from shoal.controller.domain.revisions import Origin
from shoal.controller.reconcile import deployment_status
from shoal.resources.statuses.deployment import Revision
from tests.unit.planning.builders import ACCURACY, WRONG, a_strategy
from tests.unit.planning.worlds import World, a_second_rollout


def test_every_field_of_every_revision_is_documented() -> None:
    world = a_second_rollout(World, strategy=a_strategy(gates=(ACCURACY,)))
    world.confirm(*world.fresh(), answers=WRONG)
    world.turn(1.0)
    world.finish()
    rows = deployment_status.history(world.turn().record, {})
    told = [Revision.model_validate(row) for row in rows]
    assert [(one.origin, one.source) for one in told][1:] == [("model", None), ("rollback", 1)]
    assert any(wave.gates for one in told for wave in one.waves)
    assert all(one.cohorts for one in told)


def test_the_origins_told_are_those_that_are_written() -> None:
    told = typing.get_args(Revision.model_fields["origin"].annotation)
    assert set(told) == {one.value for one in Origin}

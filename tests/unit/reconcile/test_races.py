"""What operators ask for while a pass is under way is never written over."""

import pytest

from shoal.contract.problem import ConflictError
from shoal.controller.domain.revisions import Result
from shoal.controller.domain.rollout import Verb, record_to_json
from shoal.controller.planning import verbs
from shoal.controller.reconcile import deployments
from shoal.controller.reconcile.live import Live
from shoal.controller.reconcile.models import Searches
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.world import World, delete_of, put_over
from shoal.controller.store.memory import MemoryTelemetry
from shoal.controller.store.port import Tallies
from tests.unit.reconcile.test_passes import fleet_of_two, play, settle
from tests.unit.reconcile.workshop import NOW, a_deployment

DEPLOYMENT = Key("Deployment", "default", "digits")


class Interrupted(MemoryTelemetry):
    """Takes so long to read evidence that an operator's abort arrives meanwhile."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    async def tallies(self, deployment: str, since: int) -> Tallies:
        stored = self._world.cache.get("Rollout", "default", "digits")
        before = deployments.read_record(stored, deployment)
        after = verbs.apply(before, verbs.Request(verb=Verb.ABORT, by="ann"), NOW)
        await self._world.commit(
            [put_over(stored, "Rollout", ("default", "digits"), record_to_json(after))]
        )
        return await super().tallies(deployment, since)


def test_an_abort_that_arrives_while_evidence_is_read_is_carried_out(world: World) -> None:
    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        await deployments.reconcile(world, DEPLOYMENT)
        device = world.cache.get("Device", "default", "two")
        assert device is not None
        await world.commit([delete_of(device)])  # so that the next pass has something to write
        world.live = Live(Interrupted(world))
        with pytest.raises(ConflictError):
            await deployments.reconcile(world, DEPLOYMENT)
        world.live = Live()
        await deployments.reconcile(world, DEPLOYMENT)
        stored = world.cache.get("Rollout", "default", "digits")
        record = deployments.read_record(stored, "default/digits")
        assert record.revisions[0].result is Result.ABORTED

    play(world, [*fleet_of_two(), a_deployment()], story)

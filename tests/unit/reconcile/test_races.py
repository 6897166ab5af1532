"""What happens while a pass is under way is neither written over nor overlooked."""

from collections.abc import Callable
from typing import TypeVar

import pytest

from shoal.contract.problem import ConflictError
from shoal.controller.domain.revisions import Result
from shoal.controller.domain.rollout import RolloutRecord, Verb, record_to_json
from shoal.controller.planning import verbs
from shoal.controller.reconcile import deployments
from shoal.controller.reconcile.models import Searches
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.world import World, at_once, delete_of, put_over
from tests.unit.reconcile.test_passes import fleet_of_two, play, settle
from tests.unit.reconcile.workshop import NOW, a_deployment

DEPLOYMENT = Key("Deployment", "default", "digits")

T = TypeVar("T")


def rollout(world: World) -> RolloutRecord:
    stored = world.cache.get("Rollout", "default", "digits")
    return deployments.read_record(stored, "default/digits")


async def abort(world: World) -> None:
    after = verbs.apply(rollout(world), verbs.Request(verb=Verb.ABORT, by="ann"), NOW)
    stored = world.cache.get("Rollout", "default", "digits")
    write = put_over(stored, "Rollout", ("default", "digits"), record_to_json(after))
    await world.commit([write])


def test_an_abort_that_arrives_while_a_pass_computes_is_carried_out(world: World) -> None:
    async def interrupted(work: Callable[[], T]) -> T:
        found = work()
        await abort(world)
        return found

    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        await deployments.reconcile(world, DEPLOYMENT)
        device = world.cache.get("Device", "default", "two")
        assert device is not None
        await world.commit([delete_of(device)])  # so that the next pass has something to write
        world.beside = interrupted
        with pytest.raises(ConflictError):
            await deployments.reconcile(world, DEPLOYMENT)
        world.beside = at_once
        await deployments.reconcile(world, DEPLOYMENT)
        assert rollout(world).revisions[0].result is Result.ABORTED

    play(world, [*fleet_of_two(), a_deployment()], story)


def test_a_device_that_goes_while_a_pass_computes_is_told_nothing_any_more(world: World) -> None:
    async def interrupted(work: Callable[[], T]) -> T:
        found = work()
        for kind in ("Device", "Assignment"):
            record = world.cache.get(kind, "default", "two")
            if record is not None:
                await world.commit([delete_of(record)])
        return found

    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        world.beside = interrupted
        await deployments.reconcile(world, DEPLOYMENT)
        assert [one.name for one in world.cache.all("Assignment", "default")] == ["one"]

    play(world, [*fleet_of_two(), a_deployment()], story)

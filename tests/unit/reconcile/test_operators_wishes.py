"""Operators keep devices out and delete Models; passes do what that calls for."""

from shoal.contract import jsonform
from shoal.controller.domain.standing import Approval, Standing
from shoal.controller.reconcile import deployments, devices, models
from shoal.controller.reconcile.models import Searches
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.world import World, delete_of, put_over
from tests.unit.reconcile.test_passes import MODEL, fleet_of_two, play, settle, status
from tests.unit.reconcile.workshop import a_deployment


def test_a_marked_model_goes_when_the_last_deployment_has_gone(world: World) -> None:
    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        model = world.cache.get("Model", "default", "digits")
        deployment = world.cache.get("Deployment", "default", "digits")
        assert model is not None
        assert deployment is not None
        gone = {**model.data, "metadata": {"name": "digits", "deletionTime": "t"}}
        await world.commit([put_over(model, "Model", ("default", "digits"), gone)])
        await models.reconcile(world, searches, MODEL)
        assert world.cache.get("Model", "default", "digits") is not None
        await world.commit([delete_of(deployment)])
        await models.reconcile(world, searches, MODEL)
        assert world.cache.get("Model", "default", "digits") is None
        await models.reconcile(world, searches, MODEL)
        assert world.cache.all("ModelRevision") == []

    play(world, [*fleet_of_two(), a_deployment()], story)


def test_drained_and_pending_devices_are_given_nothing(world: World) -> None:
    kept = (Standing().emptied(), Standing(approval=Approval.PENDING))

    async def story(world: World, searches: Searches) -> None:
        for name, decided in zip(("one", "two"), kept, strict=True):
            device = world.cache.get("Device", "default", name)
            assert device is not None
            spec = {"suspended": decided.drained}
            data = {**device.data, "spec": spec, "standing": jsonform.to_json(decided)}
            await world.commit([put_over(device, "Device", ("default", name), data)])
        await settle(world, searches)
        await deployments.reconcile(world, Key("Deployment", "default", "digits"))
        for name, reason in (("one", "Drained"), ("two", "Pending")):
            assert world.cache.get("Assignment", "default", name) is None
            await devices.reconcile(world, Key("Device", "default", name))
            conditions = {c["type"]: c for c in status(world, "Device", name)["conditions"]}
            assert conditions["Admitted"]["reason"] == reason
            assert conditions["Ready"]["status"] == ("True" if reason == "Drained" else "False")

    play(world, [*fleet_of_two(), a_deployment()], story)

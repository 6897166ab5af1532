"""A store with one of everything, as a controller leaves it after its first passes."""

from dataclasses import replace
from pathlib import Path

from shoal.controller.reconcile import deployments, devices, models
from shoal.controller.reconcile.models import Searches
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.world import World
from shoal.controller.store.port import Put
from tests.unit.api.documents import a_profile
from tests.unit.reconcile.workshop import ScriptedJobs, a_deployment, a_device, a_model, a_record


async def populate(world: World, folder: Path) -> dict[str, str]:
    """Fill the store of `world`; returns the name of one resource of each kind, by plural.

    `folder` is an empty one, for the files of a search.
    """
    world.jobs = ScriptedJobs(folder=folder)
    profile = a_record("DeviceProfile", "small", {**a_profile(), "metadata": {"name": "small"}})
    await world.store.commit([*_fleet(), profile])
    await world.load()
    searches = Searches(world, lambda _key: None)
    model, deployment = Key("Model", "default", "digits"), Key("Deployment", "default", "digits")
    await models.reconcile(world, searches, model)
    await searches.idle()
    await models.reconcile(world, searches, model)
    await deployments.reconcile(world, deployment)
    await devices.reconcile(world, Key("Device", "default", "one"))
    return {
        "devices": "one",
        "deviceprofiles": "small",
        "models": "digits",
        "deployments": "digits",
        "variants": world.cache.all("Variant")[0].name,
        "events": world.cache.all("Event")[0].name,
    }


def _fleet() -> list[Put]:
    """A device, a Model and a Deployment, as admission would have stored them."""
    found = [*a_device("one", app="reader"), a_model(), a_deployment()]
    return [
        replace(one, data={**one.data, "apiVersion": "shoal/v1", "kind": one.kind}) for one in found
    ]

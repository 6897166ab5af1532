"""How many devices an act reaches, so that nobody agrees to more than was meant."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from shoal.cli import facts
from shoal.cli.facts import Resource

if TYPE_CHECKING:
    from shoal.client.client import Client
    from shoal.client.kinds import Kind

Place = tuple[str, Collection[str]]


def by(client: "Client", kind: "Kind", place: Place) -> int:
    """How many devices the resources of `kind` with these names in a namespace have to do with.

    Devices count themselves; a Deployment the devices it selects, a Model those that run it, a
    DeviceProfile those that have it.

    Raises:
        NotFoundError: one of them does not exist.
    """
    from shoal.client import kinds
    from shoal.client.resources import Scope

    namespace, names = place
    every = [client.resources.get(kind, namespace, name) for name in names]
    if kind == kinds.DEVICE:
        return len(every)
    if kind == kinds.DEPLOYMENT:
        return sum(selected(one) for one in every)
    tests: dict[Kind, Callable[[Resource], bool]] = {
        kinds.MODEL: lambda device: _runs(device, names),
        kinds.DEVICE_PROFILE: lambda device: facts.at(device, "status.profile") in names,
    }
    if kind not in tests:
        return 0
    pages = client.resources.pages(kinds.DEVICE, Scope(namespace=namespace))
    return sum(tests[kind](device) for page in pages for device in page.items)


def users(client: "Client", namespace: str, model: str) -> list[str]:
    """The names of the Deployments that bring this Model, pinned or not."""
    from shoal.client import kinds
    from shoal.client.resources import Scope

    found = client.resources.list(kinds.DEPLOYMENT, Scope(namespace=namespace)).items
    named = ((one, str(facts.at(one, "spec.model"))) for one in found)
    return [one["metadata"]["name"] for one, brings in named if brings.partition("@")[0] == model]


def selected(deployment: Resource) -> int:
    """How many devices a deployment selects, as its status says."""
    return int(facts.at(deployment, "status.devices.selected") or 0)


def _runs(device: Resource, models: Collection[str]) -> bool:
    return any(one.get("model") in models for one in facts.at(device, "status.running") or [])

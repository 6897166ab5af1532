"""The status of a DeviceProfile: how many devices have it, and of which classes."""

import asyncio
from dataclasses import replace

from shoal.controller.reconcile import fleet, profiles, routing
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.world import World
from shoal.controller.store.port import Change, Put
from tests.unit.reconcile.test_passes import status
from tests.unit.reconcile.workshop import HARDWARE, a_device
from tests.unit.resources.statuses import check

SMALL = Key("DeviceProfile", "default", "small")


def a_profile() -> Put:
    return Put(
        kind="DeviceProfile",
        namespace="default",
        name="small",
        data={
            "metadata": {"name": "small", "namespace": "default", "generation": 1},
            "spec": {"selector": {"matchLabels": {"app": "reader"}}},
        },
        expected=None,
    )


def test_a_profile_counts_its_devices_and_names_their_classes(world: World) -> None:
    async def run() -> None:
        await world.store.commit(
            [
                a_profile(),
                *a_device("one", app="reader"),
                *a_device("two", replace(HARDWARE, arch="aarch64"), app="reader"),
                *a_device("other", app="printer"),
            ]
        )
        await world.load()
        await profiles.reconcile(world, SMALL)
        known = world.cache.get("DeviceProfile", "default", "small")
        assert known is not None
        await profiles.reconcile(world, SMALL)
        assert world.cache.get("DeviceProfile", "default", "small") is known, "nothing to write"

    asyncio.run(run())
    seen = status(world, "DeviceProfile", "small")
    classes = {one.profile_class for one in fleet.members(world.cache, "default")}
    assert seen["members"] == 2
    assert len(seen["profileClasses"]) == 2
    assert set(seen["profileClasses"]) <= {one.name for one in classes if one is not None}
    check("DeviceProfile", seen)


def test_a_device_that_comes_or_goes_calls_for_the_pass_of_its_profile(world: World) -> None:
    async def run() -> None:
        await world.store.commit([a_profile(), *a_device("one", app="reader")])
        await world.load()

    asyncio.run(run())
    record = world.cache.get("Device", "default", "one")
    assert record is not None
    change = Change(type="put", record=record)
    assert SMALL in set(routing.affected(world.cache, change, None))

"""What people write into the spec of a Device reaches the planner and the device's status."""

from typing import Any

from shoal.contract.windows import Window
from shoal.controller.domain.fleet import DeviceView
from shoal.controller.reconcile import deployments, devices, fleet
from shoal.controller.reconcile.models import Searches
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.world import World, put_over
from tests.unit.reconcile.test_passes import fleet_of_two, play, settle, status
from tests.unit.reconcile.workshop import NOW, a_deployment, a_record

BIG = {"metadata": {"name": "big"}, "spec": {"selector": {"matchLabels": {"none": "none"}}}}


async def write(world: World, kind: str, name: str, **changes: Any) -> None:
    record = world.cache.get(kind, "default", name)
    assert record is not None
    data = {**record.data, "spec": {**record.data["spec"], **changes}}
    await world.commit([put_over(record, kind, ("default", name), data)])


def seen(world: World, name: str) -> DeviceView:
    """The device as the planner sees it."""
    deployment = world.cache.get("Deployment", "default", "digits")
    assert deployment is not None
    everyone = fleet.members(world.cache, "default")
    snapshot = deployments.take_snapshot(world, deployment, everyone, NOW)
    return next(one for one in snapshot.devices if one.name == name)


def test_a_suspended_device_and_one_with_a_window_are_seen_as_such(world: World) -> None:
    async def story(world: World, _: Searches) -> None:
        window = {"cron": "0 2 * * *", "duration": "1h", "timeZone": "UTC"}
        await write(world, "Device", "one", suspended=True)
        await write(world, "Device", "two", maintenanceWindow=window)
        assert seen(world, "one").suspended
        assert seen(world, "two").window == Window(cron="0 2 * * *", duration_s=3600.0)

    play(world, [*fleet_of_two(), a_deployment()], story)


def test_only_the_labels_that_a_strategy_names_are_seen(world: World) -> None:
    async def story(world: World, _: Searches) -> None:
        assert seen(world, "one").labels == ()
        deployment = world.cache.get("Deployment", "default", "digits")
        assert deployment is not None
        strategy = deployment.data["spec"]["strategy"]
        await write(
            world,
            "Deployment",
            "digits",
            strategy={**strategy, "maxUnavailablePer": {"app": 1}, "verdictsPer": ["app"]},
        )
        one = seen(world, "one")
        assert one.labels == (("app", "reader"),)
        assert one.cohort is not None
        assert one.cohort.labels == (("app", "reader"),)

    play(world, [*fleet_of_two(), a_deployment()], story)


def test_a_device_has_the_profile_that_it_names_as_long_as_there_is_one(world: World) -> None:
    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        for name, profile, profiled in (("one", "big", "True"), ("two", "gone", "False")):
            await write(world, "Device", name, profile=profile)
            await devices.reconcile(world, Key("Device", "default", name))
            conditions = {c["type"]: c for c in status(world, "Device", name)["conditions"]}
            assert conditions["Profiled"]["status"] == profiled
        assert status(world, "Device", "one")["profile"] == "big"
        assert status(world, "Device", "two")["profile"] != "gone"

    play(world, [*fleet_of_two(), a_deployment(), a_record("DeviceProfile", "big", BIG)], story)

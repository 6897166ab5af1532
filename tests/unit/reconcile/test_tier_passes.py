"""Speed tiers through the passes: classes split where devices differ, and nothing else moves."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from shoal.controller.reconcile import deployments, devices, fleet, models, routing, tiers
from shoal.controller.reconcile.models import Searches
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.world import World, delete_of, put_over
from shoal.controller.store.port import Change, Put
from tests.unit.reconcile.workshop import HARDWARE, ScriptedJobs, a_deployment, a_device, a_model

MODEL = Key("Model", "default", "digits")
TIERS = tiers.key_of("default")


def a_fleet(scores: Sequence[float | None]) -> list[Put]:
    return [
        put
        for number, score in enumerate(scores)
        for put in a_device(f"d{number:02}", replace(HARDWARE, speed_score=score), app="reader")
    ]


TWO_SPEEDS = [1000.0] * 8 + [400.0] * 4


def play(world: World, puts: list[Put], story: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await world.store.commit(puts)
        await world.load()
        await story()

    asyncio.run(run())


def classes(world: World) -> dict[str, str]:
    return {
        one.name: one.profile_class.name
        for one in fleet.members(world.cache, "default")
        if one.profile_class is not None
    }


async def speed(world: World, name: str, score: float) -> None:
    """The device measures itself anew."""
    record = world.cache.get("Observation", "default", name)
    assert record is not None
    report = record.data["report"]
    hardware = {**report["hardware"], "speed_score": score}
    data = {**record.data, "report": {**report, "hardware": hardware}}
    await world.commit([put_over(record, "Observation", ("default", name), data)])


def test_devices_of_clearly_different_speed_are_two_classes(world: World) -> None:
    async def story() -> None:
        before = classes(world)
        assert len(set(before.values())) == 1
        await tiers.reconcile(world, TIERS)
        after = classes(world)
        assert len(set(after.values())) == 2
        assert {after["d00"], after["d07"]}.isdisjoint({after["d08"], after["d11"]})
        await devices.reconcile(world, Key("Device", "default", "d11"))
        device = world.cache.get("Device", "default", "d11")
        assert device is not None
        assert device.data["status"]["speedTier"] == 303
        assert device.data["status"]["hardware"]["speed_score"] == 400

    play(world, a_fleet(TWO_SPEEDS), story)


def test_a_homogeneous_a_small_and_an_old_fleet_keep_one_class(world: World) -> None:
    async def story() -> None:
        for scores in ([1000.0, 960.0] * 8, [1000.0, 400.0] * 3, [None] * 16):
            puts = a_fleet(scores)
            records = await world.store.commit(puts)
            world.cache.replace(records)
            before = classes(world)
            await tiers.reconcile(world, TIERS)
            assert classes(world) == before
            assert world.cache.count(tiers.KIND) == 0
            await world.commit([delete_of(one) for one in records])

    play(world, [], story)


def test_a_device_between_two_tiers_stays_where_it_was(world: World) -> None:
    async def story() -> None:
        await tiers.reconcile(world, TIERS)
        before = classes(world)
        await speed(world, "d00", 600.0)
        await tiers.reconcile(world, TIERS)
        assert classes(world) == before
        await speed(world, "d00", 500.0)
        await tiers.reconcile(world, TIERS)
        assert classes(world) == {**before, "d00": before["d11"]}

    play(world, a_fleet(TWO_SPEEDS), story)


def test_tiers_end_with_their_devices(world: World) -> None:
    async def story() -> None:
        await tiers.reconcile(world, TIERS)
        assert world.cache.count(tiers.KIND) == 1
        gone = [one for one in world.cache.all("Device") if one.name > "d04"]
        await world.commit([delete_of(one) for one in gone])
        await tiers.reconcile(world, TIERS)
        assert world.cache.count(tiers.KIND) == 0

    play(world, a_fleet(TWO_SPEEDS), story)


def test_other_hardware_under_an_old_name_has_no_tier_yet(world: World) -> None:
    async def story() -> None:
        await tiers.reconcile(world, TIERS)
        place = tiers.place_of(world.cache, "default", "d11")
        assert tiers.speed_tier(place, replace(HARDWARE, speed_score=1.0)) == 303
        assert tiers.speed_tier(place, replace(HARDWARE, cpu="another")) == 0

    play(world, a_fleet(TWO_SPEEDS), story)


def test_tiers_share_one_search_and_move_no_running_variant(
    world: World, jobs: ScriptedJobs
) -> None:
    deployment = Key("Deployment", "default", "digits")

    async def story() -> None:
        searches = Searches(world, lambda _key: None)
        for _ in range(3):
            await models.reconcile(world, searches, MODEL)
            await searches.idle()
        await deployments.reconcile(world, deployment)
        told = {one.name: one.data for one in world.cache.all("Assignment")}
        assert len(told) == 12
        await tiers.reconcile(world, TIERS)
        for _ in range(3):
            await models.reconcile(world, searches, MODEL)
            await searches.idle()
        await deployments.reconcile(world, deployment)
        assert {one.name: one.data for one in world.cache.all("Assignment")} == told
        assert len(jobs.asked) == 3  # the class of before, and two: all of them one job
        assert len({one.key for one in jobs.asked}) == 1
        await searches.close()

    play(world, [*a_fleet(TWO_SPEEDS), a_model(), a_deployment()], story)


def test_a_new_score_calls_for_the_pass_and_a_heartbeat_does_not(world: World) -> None:
    async def story() -> None:
        before = world.cache.get("Observation", "default", "d00")
        assert before is not None
        await speed(world, "d00", 990.0)
        after = world.cache.get("Observation", "default", "d00")
        assert after is not None
        changed = Change(type="put", record=after)
        assert TIERS in routing.affected(world.cache, changed, before)
        assert TIERS not in routing.affected(world.cache, changed, after)

    play(world, a_fleet(TWO_SPEEDS), story)

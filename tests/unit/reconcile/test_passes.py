"""The passes of models, devices and deployments, on a memory store and real blobs.

Searches are answered by the test through the `Jobs` port; everything else is the real thing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from shoal.contract.problem import Problem
from shoal.controller.reconcile import deployments, devices, models
from shoal.controller.reconcile.models import Searches
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.world import World, delete_of, put_over
from shoal.controller.store.port import Put
from tests.unit.reconcile.workshop import (
    HARDWARE,
    NOW,
    ScriptedJobs,
    a_deployment,
    a_device,
    a_model,
)

MODEL = Key("Model", "default", "digits")
Story = Callable[[World, Searches], Awaitable[None]]


def play(world: World, puts: list[Put], story: Story) -> None:
    """Store `puts`, then run `story` with searches that the passes may start."""

    async def run() -> None:
        await world.store.commit(puts)
        await world.load()
        searches = Searches(world, lambda _key: None)
        await story(world, searches)
        await searches.close()

    asyncio.run(run())


async def settle(world: World, searches: Searches) -> None:
    """Run the Model's pass until its searches are taken in."""
    for _ in range(3):
        await models.reconcile(world, searches, MODEL)
        await searches.idle()


async def rewrite(world: World, letter: str) -> None:
    """The operator applies the Model with another source."""
    model = world.cache.get("Model", "default", "digits")
    assert model is not None
    changed = {**model.data["spec"], "source": f"sha256:{letter * 64}"}
    place = (model.namespace, model.name)
    await world.commit([put_over(model, "Model", place, {**model.data, "spec": changed})])


def status(world: World, kind: str, name: str) -> dict[str, Any]:
    record = world.cache.get(kind, "default", name)
    assert record is not None
    return dict(record.data["status"])


def fleet_of_two() -> list[Put]:
    return [*a_device("one", app="reader"), *a_device("two", app="reader"), a_model()]


def test_a_model_without_devices_waits_for_a_profile_class(
    world: World, jobs: ScriptedJobs
) -> None:
    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        [condition] = status(world, "Model", "digits")["conditions"]
        assert (condition["status"], condition["reason"]) == ("Unknown", "NoProfileClass")
        assert jobs.asked == []

    play(world, [a_model()], story)


def test_one_search_serves_all_devices_of_a_class(world: World, jobs: ScriptedJobs) -> None:
    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        await settle(world, searches)
        assert len(jobs.asked) == 1
        [revision] = status(world, "Model", "digits")["revisions"]
        assert revision["ready"]
        assert revision["score"] == 0.98
        assert len(list(world.cache.all("Variant"))) == 2

    play(world, [*fleet_of_two(), a_deployment()], story)


def test_a_pass_with_nothing_new_writes_nothing(world: World) -> None:
    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        before = (await world.store.list("Model")).resource_version
        await models.reconcile(world, searches, MODEL)
        assert (await world.store.list("Model")).resource_version == before

    play(world, [*fleet_of_two(), a_deployment()], story)


def test_a_refused_source_is_told_with_its_reason(world: World, jobs: ScriptedJobs) -> None:
    jobs.refusal = Problem(reason="NotOnnx", message="this is no model")

    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        [condition] = status(world, "Model", "digits")["conditions"]
        assert (condition["status"], condition["reason"]) == ("False", "NotOnnx")
        assert [e.data["spec"]["message"] for e in world.cache.all("Event")] == [
            "revision 1 (aaaaaaaaaaaa): this is no model"
        ]

    play(world, [*fleet_of_two(), a_deployment()], story)


def test_a_search_that_crashed_is_tried_again_after_a_while(
    world: World, jobs: ScriptedJobs
) -> None:
    jobs.refusal = Problem(reason="Crashed", message="out of memory")
    now = [NOW]
    world.now = lambda: now[0]

    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        assert len(jobs.asked) == 1
        wake_at = await models.reconcile(world, searches, MODEL)
        assert wake_at is not None
        jobs.refusal, now[0] = None, wake_at
        await settle(world, searches)
        assert len(jobs.asked) == 2
        assert status(world, "Model", "digits")["revisions"][0]["ready"]

    play(world, [*fleet_of_two(), a_deployment()], story)


def test_a_search_that_crashes_again_and_again_is_tried_more_and_more_rarely(
    world: World, jobs: ScriptedJobs
) -> None:
    jobs.refusal = Problem(reason="Crashed", message="out of memory")
    now, minutes = [NOW], []
    world.now = lambda: now[0]

    async def story(world: World, searches: Searches) -> None:
        for _ in range(9):
            await settle(world, searches)
            wake_at = await models.reconcile(world, searches, MODEL)
            assert wake_at is not None
            minutes.append((wake_at - now[0]) / 60)
            now[0] = wake_at
        assert minutes == [1, 2, 4, 8, 16, 32, 64, 64, 64]
        [event] = world.cache.all("Event")
        assert event.data["spec"]["count"] == 9

    play(world, [*fleet_of_two(), a_deployment()], story)


def test_a_crashed_search_that_nobody_needs_any_more_wakes_no_pass(
    world: World, jobs: ScriptedJobs
) -> None:
    jobs.refusal = Problem(reason="Crashed", message="out of memory")
    now = [NOW]
    world.now = lambda: now[0]

    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        jobs.refusal = None
        await rewrite(world, "d")
        await settle(world, searches)
        now[0] += 1_000
        assert await models.reconcile(world, searches, MODEL) is None
        assert len(jobs.asked) == 2

    play(world, [*fleet_of_two(), a_deployment()], story)


def test_two_classes_whose_searches_end_alike_are_taken_in_together(
    world: World, jobs: ScriptedJobs
) -> None:
    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        assert len(jobs.asked) == 2
        [revision] = status(world, "Model", "digits")["revisions"]
        assert [one["state"] for one in revision["classes"].values()] == ["Ready", "Ready"]
        [event] = world.cache.all("Event")
        assert event.data["spec"]["count"] == 2

    other = replace(HARDWARE, isa=("avx2", "avx512f"))
    fleet = [*a_device("one", app="reader"), *a_device("two", other, app="reader")]
    play(world, [*fleet, a_model(), a_deployment()], story)


def test_what_was_found_for_a_superseded_revision_is_stored_too(
    world: World, jobs: ScriptedJobs
) -> None:
    async def story(world: World, searches: Searches) -> None:
        await models.reconcile(world, searches, MODEL)
        await searches.idle()
        await rewrite(world, "d")
        await settle(world, searches)
        assert len(jobs.asked) == 2
        revisions = status(world, "Model", "digits")["revisions"]
        assert [one["ready"] for one in revisions] == [True, True]

    play(world, [*fleet_of_two(), a_deployment()], story)


def test_revisions_go_with_their_model_and_variants_stay_for_the_sweep(world: World) -> None:
    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        model = world.cache.get("Model", "default", "digits")
        assert model is not None
        await world.commit([delete_of(model)])
        await models.reconcile(world, searches, MODEL)
        assert (await world.store.list("ModelRevision")).records == ()
        assert len((await world.store.list("Variant")).records) == 2
        assert (await world.store.list("Device")).records != ()

    play(world, [*fleet_of_two(), a_deployment()], story)


def test_new_content_is_a_new_revision(world: World, jobs: ScriptedJobs) -> None:
    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        await rewrite(world, "d")
        await settle(world, searches)
        numbers = [one["number"] for one in status(world, "Model", "digits")["revisions"]]
        assert numbers == [1, 2]
        assert [dict(one.files)["model"][7] for one in jobs.asked] == ["a", "d"]

    play(world, [*fleet_of_two(), a_deployment()], story)


def test_a_device_learns_its_cadence_before_its_first_assignment(world: World) -> None:
    async def story(world: World, _searches: Searches) -> None:
        key = Key("Device", "default", "one")
        await devices.reconcile(world, key)
        assignment = world.cache.get("Assignment", "default", "one")
        assert assignment is not None
        assert (assignment.data["heartbeat_s"], assignment.data["deployments"]) == (1, {})
        before = (await world.store.list("Device")).resource_version
        await devices.reconcile(world, key)
        assert (await world.store.list("Device")).resource_version == before

    play(world, a_device("one"), story)


def test_a_deployment_gives_every_selected_device_its_variant(world: World) -> None:
    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        await deployments.reconcile(world, Key("Deployment", "default", "digits"))
        for name in ("one", "two"):
            record = world.cache.get("Assignment", "default", name)
            assert record is not None
            assignment = record.data["deployments"]["default/digits"]
            roles = [one["role"] for one in assignment["artifacts"]]
            assert roles == ["model", "golden", "reference"]
            assert assignment["output"] == "logits"
        assert world.cache.get("Assignment", "default", "three") is None

    play(world, [*fleet_of_two(), *a_device("three", app="writer"), a_deployment()], story)


def test_the_younger_of_two_deployments_of_a_model_on_one_device_gives_way(world: World) -> None:
    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        await deployments.reconcile(world, Key("Deployment", "default", "second"))
        conditions = {c["type"]: c for c in status(world, "Deployment", "second")["conditions"]}
        assert conditions["Conflict"]["status"] == "True"
        assert "default/first" in conditions["Conflict"]["message"]
        assert world.cache.get("Assignment", "default", "one") is None

    play(world, [*fleet_of_two(), a_deployment("first"), a_deployment("second")], story)

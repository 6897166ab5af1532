"""What applying resources would do, seen from the passes' own snapshot; and why it was so."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from shoal.contract import jsonform
from shoal.contract.problem import NotFoundError
from shoal.contract.report import DeploymentReport, DeviceReport, Phase
from shoal.controller.reconcile import deployments, models
from shoal.controller.reconcile.foresight import Foresight
from shoal.controller.reconcile.hindsight import Hindsight
from shoal.controller.reconcile.models import Searches
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.witnesses import Recorder
from shoal.controller.reconcile.world import Cadence, World, put_over
from shoal.controller.store.blobs import Blobs
from shoal.controller.store.decisions import MemoryDecisions
from shoal.controller.store.memory import MemoryStore
from tests.unit.reconcile.workshop import (
    HARDWARE,
    NOW,
    ScriptedJobs,
    a_deployment,
    a_device,
    a_model,
)

Story = Callable[["Stage"], Awaitable[None]]


class Stage:
    """A controller with two devices and a finished search, and what is asked of it."""

    def __init__(self, world: World, decisions: MemoryDecisions) -> None:
        self.world = world
        self.foresight = Foresight(world)
        self.hindsight = Hindsight(world, decisions)

    async def reconcile(self) -> None:
        await deployments.reconcile(self.world, Key("Deployment", "default", "digits"))

    async def plan(self, *resources: dict[str, Any]) -> dict[str, Any]:
        return await self.foresight.plan(resources)

    def resource(self, kind: str, name: str, **spec: Any) -> dict[str, Any]:
        """What is stored, with parts of its spec replaced, one generation on."""
        record = self.world.cache.get(kind, "default", name)
        data = record.data if record else {"metadata": {}, "spec": {}}
        metadata = {**data["metadata"], "name": name, "namespace": "default"}
        metadata["generation"] = int(metadata.get("generation", 0)) + 1
        return {"kind": kind, "metadata": metadata, "spec": {**data["spec"], **spec}}

    async def take_up(self, name: str, **changes: Any) -> None:
        """A device runs what it was told."""
        told = self.world.cache.get("Assignment", "default", name)
        observation = self.world.cache.get("Observation", "default", name)
        assert told is not None
        assert observation is not None
        assignment = told.data["deployments"]["default/digits"]
        report = DeploymentReport(
            deployment="default/digits",
            generation=assignment["generation"],
            revision=assignment["revision"],
            phase=Phase.CONFIRMED,
            variant=assignment["variant"],
            running=assignment["variant"],
            running_generation=assignment["generation"],
            running_model="digits",
            **changes,
        )
        whole = jsonform.from_json(DeviceReport, observation.data["report"])
        data = {**observation.data, "report": jsonform.to_json(_with(whole, report))}
        await self.world.commit([put_over(observation, "Observation", ("default", name), data)])


def _with(whole: DeviceReport, report: DeploymentReport) -> DeviceReport:
    return jsonform.from_json(
        DeviceReport, {**jsonform.to_json(whole), "deployments": [jsonform.to_json(report)]}
    )


@pytest.fixture
def on_stage(tmp_path: Path) -> Callable[[Story], None]:
    """Runs a story on a controller whose searches are done."""
    folder = tmp_path / "job"
    folder.mkdir()
    decisions = MemoryDecisions()
    world = World(
        store=MemoryStore(),
        blobs=Blobs(tmp_path / "data"),
        jobs=ScriptedJobs(folder=folder),
        now=lambda: NOW,
        cadence=Cadence(heartbeat_s=1, telemetry_window_s=1),
        witness=Recorder(decisions, "1"),
    )

    def run(story: Story) -> None:
        async def whole() -> None:
            devices = [*a_device("cam-1", app="reader"), *a_device("cam-2", app="reader")]
            await world.store.commit([*devices, a_model(), a_deployment()])
            await world.load()
            searches = Searches(world, lambda _key: None)
            for _ in range(3):
                await models.reconcile(world, searches, Key("Model", "default", "digits"))
                await searches.idle()
            await story(Stage(world, decisions))
            await searches.close()

        asyncio.run(whole())

    return run


def devices(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    (item,) = found["items"]
    return {one["device"]: one for one in item["devices"]}


def test_a_first_rollout_moves_the_variant_and_what_travels_with_it(
    on_stage: Callable[[Story], None],
) -> None:
    async def story(stage: Stage) -> None:
        found = await stage.plan(stage.resource("Deployment", "digits"))
        cam = devices(found)["cam-1"]
        assert (cam["change"], cam["wave"], len(cam["mayFallTo"])) == ("new", "all", 1)
        # The big variant has 6,000 bytes, its reference 3, the golden set 6.
        assert cam["bytesToMove"] == 6_009
        assert cam["bytesByVariant"][cam["mayFallTo"][0]] == 3_000 + 6 + 6
        assert found["items"][0]["bytesToMove"] == 2 * 6_009
        assert found["searches"] == []
        before = (await stage.world.store.list("Rollout")).records
        assert before == ()

    on_stage(story)


def test_what_a_device_holds_already_is_not_moved_again(
    on_stage: Callable[[Story], None],
) -> None:
    async def story(stage: Stage) -> None:
        await stage.reconcile()
        little = devices(await stage.plan(stage.resource("Deployment", "digits")))["cam-1"]
        fall = little["mayFallTo"][0]
        await stage.take_up("cam-1", previous=fall)
        await stage.reconcile()
        cams = devices(await stage.plan(stage.resource("Deployment", "digits")))
        assert (cams["cam-1"]["change"], cams["cam-1"]["bytesToMove"]) == ("keeps", 0)
        assert cams["cam-1"]["bytesByVariant"][fall] == 0
        assert cams["cam-2"]["bytesToMove"] == 6_009

    on_stage(story)


def test_a_smaller_budget_is_foreseen_with_its_nearest_miss(
    on_stage: Callable[[Story], None],
) -> None:
    async def story(stage: Stage) -> None:
        tiny = stage.resource("DeviceProfile", "tiny", selector={"matchLabels": {"app": "reader"}})
        tiny["spec"]["budget"] = {"artifact": "1KB"}
        cam = devices(await stage.plan(tiny))["cam-1"]
        assert (cam["profile"], cam["reason"]) == ("tiny", "NoFeasibleVariant")
        assert cam["message"] == "artifact is 2.93 KiB at best, the limit is 1000 B"

    on_stage(story)


def test_a_relabelled_device_is_foreseen_to_join(on_stage: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        await stage.reconcile()
        await stage.take_up("cam-1")
        await stage.take_up("cam-2")
        await stage.reconcile()
        spare = stage.resource("Device", "cam-2")
        spare["metadata"]["labels"] = {"app": "other"}
        cam = devices(await stage.plan(spare))["cam-2"]
        assert (cam["change"], cam["reason"]) == ("withdrawn", "NotSelected")

    on_stage(story)


def test_a_new_model_is_told_as_searches_that_come_first(
    on_stage: Callable[[Story], None],
) -> None:
    async def story(stage: Stage) -> None:
        found = await stage.plan(stage.resource("Model", "digits", source="sha256:" + "d" * 64))
        (search,) = found["searches"]
        assert (search["model"], search["modelRevision"]) == ("digits", 2)
        unchanged = await stage.plan(stage.resource("Model", "digits"))
        assert unchanged["searches"] == []

    on_stage(story)


def test_a_full_disk_is_foreseen(on_stage: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        observation = stage.world.cache.get("Observation", "default", "cam-1")
        assert observation is not None
        hardware = {**jsonform.to_json(HARDWARE), "disk_free_bytes": 100}
        report = {**observation.data["report"], "hardware": hardware}
        data = {**observation.data, "report": report}
        place = ("default", "cam-1")
        await stage.world.commit([put_over(observation, "Observation", place, data)])
        cam = devices(await stage.plan(stage.resource("Deployment", "digits")))["cam-1"]
        assert cam["reason"] == "DiskFull"
        assert cam["message"] == "it needs 5.87 KiB and has 100 B free"

    on_stage(story)


def test_why_cites_the_decision_that_froze_the_choice(on_stage: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        await stage.reconcile()
        found = await stage.hindsight.why_deployment("default", "digits")
        assert (found["state"], found["frozenBy"]["number"]) == ("active", 1)
        (cohort,) = found["cohorts"]
        assert [one["fate"] for one in cohort["variants"]] == ["chosen", "mayFallTo"]
        device = await stage.hindsight.why_device("default", "cam-1")
        (one,) = device["deployments"]
        assert (one["outcome"], one["decision"]["number"]) == ("Pending", 1)
        assert device["reach"] == "reachable"
        with pytest.raises(NotFoundError):
            await stage.hindsight.why_device("default", "nobody")

    on_stage(story)


def test_why_tells_a_device_that_operators_took_out(on_stage: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        await stage.reconcile()
        record = stage.world.cache.get("Device", "default", "cam-1")
        assert record is not None
        revoked = {"approval": "Revoked", "by": "ada", "since": "2026-01-02T03:04:05Z"}
        data = {**record.data, "standing": revoked}
        await stage.world.commit([put_over(record, "Device", ("default", "cam-1"), data)])
        device = await stage.hindsight.why_device("default", "cam-1")
        assert (device["standing"], device["because"]) == (
            "Revoked",
            "by ada at 2026-01-02T03:04:05Z",
        )
        (one,) = device["deployments"]
        assert (one["outcome"], one["waitsFor"]) == ("NotSelected", device["waitsFor"])

    on_stage(story)


def test_kept_decisions_are_listed_and_decided_again(on_stage: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        await stage.reconcile()
        await stage.take_up("cam-1")
        await stage.reconcile()
        await stage.take_up("cam-2")
        await stage.reconcile()
        rows = await stage.hindsight.decisions("default", "digits", replay=True)
        assert [one["number"] for one in rows] == list(range(1, len(rows) + 1))
        assert rows[-1]["result"] == "complete"
        assert all(one["replay"] == {"same": True, "difference": ""} for one in rows)
        assert (
            "replay" not in (await stage.hindsight.decisions("default", "digits", replay=False))[0]
        )

    on_stage(story)


def test_decisions_of_a_deleted_deployment_are_forgotten(
    on_stage: Callable[[Story], None],
) -> None:
    async def story(stage: Stage) -> None:
        await stage.reconcile()
        gone = stage.resource("Deployment", "digits")
        gone["metadata"]["deletionTime"] = "2026-01-02T03:04:05.678Z"
        record = stage.world.cache.get("Deployment", "default", "digits")
        await stage.world.commit([put_over(record, "Deployment", ("default", "digits"), gone)])
        await stage.reconcile()
        with pytest.raises(NotFoundError):
            await stage.hindsight.decisions("default", "digits", replay=False)

    on_stage(story)

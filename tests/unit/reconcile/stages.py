"""A controller with two devices and a finished search, and what is asked of it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from shoal.contract import jsonform
from shoal.contract.report import DeploymentReport, DeviceReport, Phase
from shoal.controller.deciding.recording import Author
from shoal.controller.reconcile import deployments, models
from shoal.controller.reconcile.foresight import Foresight
from shoal.controller.reconcile.hindsight import Hindsight
from shoal.controller.reconcile.models import Searches
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.witnesses import Recorder
from shoal.controller.reconcile.world import Cadence, World, at_once, put_over
from shoal.controller.store.blobs import Blobs
from shoal.controller.store.decisions import MemoryDecisions
from shoal.controller.store.memory import MemoryStore
from tests.unit.reconcile.workshop import (
    NOW,
    ScriptedJobs,
    a_deployment,
    a_device,
    a_model,
)

AUTHOR = Author(version="1", code="sha256:c0de")
Story = Callable[["Stage"], Awaitable[None]]


class Stage:
    """A controller with two devices and a finished search, and what is asked of it."""

    def __init__(self, world: World, decisions: MemoryDecisions) -> None:
        self.world = world
        self.decisions = decisions
        self.foresight = Foresight(world)
        self.hindsight = Hindsight(world, decisions, AUTHOR.code)

    async def reconcile(self) -> None:
        await deployments.reconcile(self.world, Key("Deployment", "default", "digits"))

    async def search(self) -> None:
        """The pass of the Model, which knows of every search that it needs by now."""
        searches = Searches(self.world, lambda _key: None)
        await models.reconcile(self.world, searches, Key("Model", "default", "digits"))
        await searches.close()

    async def say(self, name: str, **changes: Any) -> None:
        """A device reports as before, with these fields replaced."""
        observation = self.world.cache.get("Observation", "default", name)
        assert observation is not None
        report = {**observation.data["report"], **changes}
        data = {**observation.data, "report": report}
        await self.world.commit([put_over(observation, "Observation", ("default", name), data)])

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


def a_stage(tmp_path: Path) -> Callable[[Story], None]:
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
        witness=Recorder(decisions, AUTHOR, at_once),
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

"""A fleet whose budget is near the estimates, and its Model's pass driven by hand."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from shoal.contract import jsonform
from shoal.contract.report import PreflightResult, TrialResult
from shoal.controller.link import roster
from shoal.controller.reconcile import models
from shoal.controller.reconcile.models import Searches
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.world import Cadence, World, put_over
from shoal.controller.store.port import Put
from tests.unit.reconcile.workshop import (
    NOW,
    a_deployment,
    a_device,
    a_model,
    a_record,
)

MODEL = Key("Model", "default", "digits")
DEPLOYMENT = Key("Deployment", "default", "digits")


def figures(p95_ms: float, agreement: float = 1.0) -> PreflightResult:
    return PreflightResult(
        agreement=agreement,
        p50_ms=p95_ms / 2,
        p95_ms=p95_ms,
        active_p95_ms=None,
        latency_ratio=None,
        peak_memory_bytes=20_000_000,
        load_ms=3.0,
    )


def a_fleet(*, scouts: bool = True, count: int = 3) -> list[Put]:
    """Devices whose budget of 1 ms is near the estimate of 0.2 ms."""
    puts = [put for i in range(count) for put in a_device(f"d{i}", app="reader")]
    for put in puts:
        if put.kind == "Observation":
            put.data["report"]["scouts"] = scouts
        else:
            told = {"version": 1, "deployments": {}, "heartbeat_s": 1, "telemetry_window_s": 1}
            puts = [*puts, a_record("Assignment", put.name, told)]
    profile = {"selector": {}, "budget": {"latency": {"p95": "1ms"}}}
    named = {"metadata": {"name": "tight"}, "spec": profile}
    return [*puts, a_record("DeviceProfile", "tight", named), a_model(), a_deployment()]


class Story:
    """One Model's pass, driven by hand."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.now = NOW
        world.now = lambda: self.now
        world.cadence = Cadence(heartbeat_s=30, telemetry_window_s=1)  # a minute is no loss
        self.searches = Searches(world, lambda _key: None)

    async def turn(self) -> float | None:
        wake = await models.reconcile(self.world, self.searches, MODEL)
        await self.searches.idle()
        return wake

    async def searched(self) -> None:
        """The search has ended and was taken in, no more."""
        await self.turn()
        await self.turn()

    def scouting(self) -> dict[str, Any]:
        revision = self.world.cache.get("ModelRevision", "default", "digits.1")
        assert revision is not None
        return next(iter((revision.data.get("scouting") or {}).values()), {})

    def trials(self) -> dict[str, tuple[str, ...]]:
        """For each device the keys that it is to measure."""
        told = self.world.cache.all("Assignment")
        states = [roster.desired_state(one.name, one.data) for one in told]
        return {one.device: tuple(t.key for t in one.trials) for one in states if one.trials}

    async def answer(self, device: str, said: Callable[[int], TrialResult]) -> None:
        """The device reports on its trials; `said` gets the size of the variant."""
        told = self.world.cache.get("Assignment", "default", device)
        record = self.world.cache.get("Observation", "default", device)
        assert told is not None
        assert record is not None
        trials = roster.desired_state(device, told.data).trials
        results = []
        for one in trials:
            size = next(file.size_bytes for file in one.assignment.artifacts)
            results.append({**jsonform.to_json(said(size)), "key": one.key})
        report = {**record.data["report"], "trials": results}
        changed = {**record.data, "report": report}
        await self.world.commit([put_over(record, "Observation", ("default", device), changed)])

    async def heard(self, device: str, **said: Any) -> None:
        """The device speaks, and has forgotten its trials with their end."""
        record = self.world.cache.get("Observation", "default", device)
        assert record is not None
        report = {**record.data["report"], "trials": [], **said}
        changed = {**record.data, "report": report, "last_seen_ms": self.now * 1000}
        await self.world.commit([put_over(record, "Observation", ("default", device), changed)])

    def told(self) -> list[str]:
        """The reasons of what operators were told of scouts, in order of time and name."""
        specs = [one.data["spec"] for one in self.world.cache.all("Event")]
        about = [one for one in specs if one["reason"].startswith("Scout")]
        return sorted(one["reason"] for one in about for _ in range(one["count"]))

    def chosen(self) -> list[int]:
        """Bytes of the variants that the rollout froze."""
        rollout = self.world.cache.get("Rollout", "default", "digits")
        revision = self.world.cache.get("ModelRevision", "default", "digits.1")
        assert revision is not None
        if rollout is None or not rollout.data["revisions"]:
            return []
        archive = next(iter(revision.data["classes"].values()))["archive"]
        sizes = {one["digest"]: one["bytes"] for one in archive["points"]}
        content = rollout.data["revisions"][-1]["content"]
        return [sizes[one] for one in content["cohorts"][0]["variants"]]


def play(world: World, puts: list[Put], tell: Callable[[Story], Awaitable[None]]) -> None:
    async def run() -> None:
        await world.store.commit(puts)
        await world.load()
        story = Story(world)
        await tell(story)
        await story.searches.close()

    asyncio.run(run())


def measured(p95_of_big: float, p95_of_little: float) -> Callable[[int], TrialResult]:
    return lambda size: TrialResult(
        key="", result=figures(p95_of_big if size > 4_000 else p95_of_little)
    )

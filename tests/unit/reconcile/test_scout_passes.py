"""Scouts through the Model's pass: sent with the archive, told, folded in, not waited for long."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from shoal.contract import jsonform
from shoal.contract.reason import Reason
from shoal.contract.report import PreflightResult, TrialResult
from shoal.controller.link import roster
from shoal.controller.planning.scouting import AT_MOST_S
from shoal.controller.reconcile import deployments, models, revisions, routing
from shoal.controller.reconcile.models import Searches
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.world import Cadence, World, delete_of, put_over
from shoal.controller.store.port import Change, Put
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


def test_two_scouts_are_sent_with_the_archive_and_the_rollout_waits(world: World) -> None:
    async def tell(story: Story) -> None:
        await story.searched()
        assert len(story.trials()) == 2
        assert all(len(keys) == 2 for keys in story.trials().values())
        await deployments.reconcile(world, DEPLOYMENT)
        assert story.chosen() == []
        before = story.trials()
        assert await story.turn() == NOW + AT_MOST_S
        assert story.trials() == before

    play(world, a_fleet(), tell)


def test_the_choice_follows_what_was_measured(world: World) -> None:
    async def tell(story: Story) -> None:
        await story.searched()
        for device in story.trials():
            await story.answer(device, measured(2.0, 0.5))
        await story.turn()
        assert story.trials() == {}
        await deployments.reconcile(world, DEPLOYMENT)
        assert story.chosen() == [3_000]  # the estimates would have taken the big one
        shown = [one.data["status"] for one in world.cache.all("Variant")]
        assert {one["figures"] for one in shown} == {"measured"}
        assert all(len(one["measured"]) == 2 for one in shown)
        assert await story.turn() is None
        assert story.trials() == {}

    play(world, a_fleet(), tell)


def test_estimates_are_used_and_said_to_be_that_where_nobody_can_go(world: World) -> None:
    async def tell(story: Story) -> None:
        await story.searched()
        assert story.trials() == {}
        await deployments.reconcile(world, DEPLOYMENT)
        assert len(story.chosen()) == 2
        shown = [one.data["status"] for one in world.cache.all("Variant")]
        assert {one["figures"] for one in shown} == {"estimate"}

    play(world, a_fleet(scouts=False), tell)


def test_scouts_that_do_not_answer_hold_nothing_up_for_long(world: World) -> None:
    async def tell(story: Story) -> None:
        await story.searched()
        assert story.trials()
        story.now += AT_MOST_S
        await story.turn()
        assert "open" not in story.scouting()
        await deployments.reconcile(world, DEPLOYMENT)
        assert len(story.chosen()) == 2
        for _ in range(3):  # the same variants never go out twice
            await story.turn()
        assert story.trials() == {}

    play(world, a_fleet(), tell)


def test_one_answer_of_two_counts_and_the_worst_of_two_decides(world: World) -> None:
    async def tell(story: Story) -> None:
        await story.searched()
        first, second = sorted(story.trials())
        await story.answer(first, measured(0.5, 0.5))
        await story.turn()
        assert "open" in story.scouting()
        await story.answer(second, measured(3.0, 0.5))
        await story.turn()
        revision = world.cache.get("ModelRevision", "default", "digits.1")
        assert revision is not None
        found = revisions.model_view(revision).archives[0].measured
        assert sorted(one.latency_p95_ms for one in found) == [0.5, 3.0]

    play(world, a_fleet(), tell)


def test_what_agrees_too_little_or_crashes_is_out_and_a_broken_line_says_nothing(
    world: World,
) -> None:
    async def tell(story: Story) -> None:
        await story.searched()
        crashed = TrialResult(key="", reason=Reason.CRASHED, message="ended by SIGSEGV")
        cut = TrialResult(key="", reason=Reason.FETCH_FAILED, message="the line broke")
        for device in story.trials():
            await story.answer(device, lambda size: crashed if size > 4_000 else cut)
        await story.turn()
        await deployments.reconcile(world, DEPLOYMENT)
        assert story.chosen() == [3_000]
        revision = world.cache.get("ModelRevision", "default", "digits.1")
        assert revision is not None
        found = revisions.model_view(revision).archives[0].measured
        assert [one.refusal for one in found] == ["ended by SIGSEGV"]

    play(world, a_fleet(), tell)


def test_a_deployment_on_the_way_keeps_its_trials_and_a_model_that_goes_takes_them(
    world: World,
) -> None:
    async def tell(story: Story) -> None:
        await story.searched()
        told = story.trials()
        story.now += AT_MOST_S / 2
        await deployments.reconcile(world, DEPLOYMENT)
        assert story.trials() == told
        for kind in ("Deployment", "Model"):
            record = world.cache.get(kind, "default", "digits")
            assert record is not None
            await world.commit([delete_of(record)])
        await story.turn()
        assert story.trials() == {}

    play(world, a_fleet(), tell)


def test_an_answer_calls_for_the_models_pass(world: World) -> None:
    async def tell(story: Story) -> None:
        await story.searched()
        device = next(iter(story.trials()))
        before = world.cache.get("Observation", "default", device)
        await story.answer(device, measured(1.0, 1.0))
        after = world.cache.get("Observation", "default", device)
        assert before is not None
        assert after is not None
        changed = Change(type="put", record=after)
        assert MODEL in routing.affected(world.cache, changed, before)

    play(world, a_fleet(), tell)

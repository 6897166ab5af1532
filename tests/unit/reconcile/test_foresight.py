"""What applying resources would do, seen from the passes' own snapshot."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shoal.contract import jsonform
from shoal.controller.reconcile.live import Live
from shoal.controller.reconcile.world import put_over
from tests.unit.reconcile.stages import Stage, Story, a_stage
from tests.unit.reconcile.workshop import (
    HARDWARE,
)


@pytest.fixture
def on_stage(tmp_path: Path) -> Callable[[Story], None]:
    return a_stage(tmp_path)


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
        (item,) = found["items"]
        assert item["follows"] == {"model": "digits", "modelRevision": 2, "devices": 2}
        assert item["starved"] == []
        unchanged = await stage.plan(stage.resource("Model", "digits"))
        assert unchanged["searches"] == []

    on_stage(story)


def test_a_deployment_for_which_nothing_changes_is_left_out(
    on_stage: Callable[[Story], None],
) -> None:
    async def story(stage: Stage) -> None:
        spare = stage.resource("DeviceProfile", "spare", selector={"matchLabels": {"app": "none"}})
        assert (await stage.plan(spare))["items"] == []

    on_stage(story)


def scouting(stage: Stage) -> dict[str, Any]:
    """The only revision's record of scouts."""
    revision = stage.world.cache.get("ModelRevision", "default", "digits.1")
    assert revision is not None
    found: dict[str, Any] = revision.data.get("scouting") or {}
    return found


def test_scouts_come_first_and_the_plan_is_by_estimates_until_then(
    on_stage: Callable[[Story], None],
) -> None:
    async def story(stage: Stage) -> None:
        # 0.2 ms on the builder: a device may well need more than a millisecond.
        tight = stage.resource(
            "DeviceProfile", "tight", selector={"matchLabels": {"app": "reader"}}
        )
        tight["spec"]["budget"] = {"latency": {"p95": "1ms"}}
        for name in ("cam-1", "cam-2"):
            await stage.say(name, scouts=True)
        before = await stage.plan(tight)
        assert [one["scouting"] for one in before["searches"]] == [True]
        assert before["items"][0]["starts"]
        assert not scouting(stage)
        await stage.world.commit([put_over(None, "DeviceProfile", ("default", "tight"), tight)])
        await stage.search()
        assert ["open" in one for one in scouting(stage).values()] == [True]
        during = await stage.plan(stage.resource("Deployment", "digits"))
        assert (during["searches"], during["items"]) == (before["searches"], before["items"])

    on_stage(story)


class FiveTimes:
    """A Prometheus that answers every query with 5."""

    async def value(self, _query: str) -> float:
        return 5.0


def test_what_traffic_said_bears_on_what_is_foreseen(on_stage: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        world = stage.world
        gate = {"metric": "prometheus", "query": "x", "max": 1.0, "minSamples": 1}
        gated = stage.resource("Deployment", "digits")
        gated["spec"]["strategy"]["gates"] = [gate]
        stored = world.cache.get("Deployment", "default", "digits")
        await world.commit([put_over(stored, "Deployment", ("default", "digits"), gated)])
        await stage.reconcile()
        (item,) = (await stage.plan(gated))["items"]
        assert item["result"] == "active"
        world.live = Live(prometheus=FiveTimes())
        await stage.plan(gated)  # the query is asked beside it
        await asyncio.sleep(0)
        (item,) = (await stage.plan(gated))["items"]
        assert (item["result"], item["reason"]) == ("failed", "GateFailed")

    on_stage(story)


def test_a_full_disk_is_foreseen(on_stage: Callable[[Story], None]) -> None:
    async def story(stage: Stage) -> None:
        hardware = {**jsonform.to_json(HARDWARE), "disk_free_bytes": 100}
        await stage.say("cam-1", hardware=hardware)
        cam = devices(await stage.plan(stage.resource("Deployment", "digits")))["cam-1"]
        assert cam["reason"] == "DiskFull"
        assert cam["message"] == "it needs 5.87 KiB and has 100 B free"

    on_stage(story)

"""Scouts that said nothing, whom others follow later; and what people are told of all of it."""

from shoal.contract.reason import Reason
from shoal.contract.report import TrialResult
from shoal.controller.planning.scouting import AGAIN_S, AT_MOST_S, TURNS
from shoal.controller.reconcile import deployments, devices, routing
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.world import World
from shoal.controller.store.port import Change
from tests.unit.reconcile.scout_story import DEPLOYMENT, Story, a_fleet, measured, play


def test_what_nobody_measured_goes_again_later_and_no_rollout_waits_for_it(world: World) -> None:
    async def tell(story: Story) -> None:
        await story.searched()
        story.now += AT_MOST_S
        await story.turn()
        story.now += AGAIN_S
        for device in ("d0", "d1", "d2"):
            await story.heard(device)
        assert await story.turn() == story.now + AT_MOST_S
        again = story.trials()
        assert len(again) == 2
        await deployments.reconcile(world, DEPLOYMENT)
        assert len(story.chosen()) == 2  # by the estimates, while scouts are out
        for device in again:
            await story.answer(device, measured(2.0, 0.5))
        assert await story.turn() is None
        shown = [one.data["status"] for one in world.cache.all("Variant")]
        assert {one["figures"] for one in shown} == {"measured"}
        assert story.trials() == {}

    play(world, a_fleet(), tell)


def test_three_turns_are_enough_also_where_nobody_can_go_any_more(world: World) -> None:
    async def tell(story: Story) -> None:
        await story.searched()
        story.now += AT_MOST_S
        await story.turn()
        for _ in range(TURNS - 2):
            story.now += AGAIN_S  # everybody is silent by now
            assert await story.turn() == story.now + AGAIN_S
        story.now += AGAIN_S
        assert await story.turn() is None
        assert story.trials() == {}

    play(world, a_fleet(), tell)


def test_devices_that_were_all_busy_go_when_they_have_time(world: World) -> None:
    async def tell(story: Story) -> None:
        await story.searched()
        assert await story.turn() == story.now + AGAIN_S
        assert await story.turn() == story.now + AGAIN_S
        assert story.trials() == {}
        story.now += AGAIN_S
        for device in ("d0", "d1", "d2"):
            await story.heard(device, scouts=True)
        assert await story.turn() == story.now + AT_MOST_S
        assert len(story.trials()) == 2

    play(world, a_fleet(scouts=False), tell)


def test_a_line_that_broke_once_is_no_answer_the_next_time(world: World) -> None:
    async def tell(story: Story) -> None:
        await story.searched()
        cut = TrialResult(key="", reason=Reason.FETCH_FAILED, message="the line broke")
        for device in story.trials():
            await story.answer(device, lambda _size: cut)
        await story.turn()
        assert story.told() == ["ScoutSilent", "Scouting"]
        story.now += AGAIN_S
        for device in ("d0", "d1"):
            await story.heard(device)
        await story.turn()
        assert await story.turn() == story.now + AT_MOST_S
        assert len(story.trials()) == 2

    play(world, a_fleet(count=2), tell)


def test_people_see_who_scouts_what_and_what_came_of_it(world: World) -> None:
    async def tell(story: Story) -> None:
        await story.searched()
        scouts = sorted(story.trials())
        shown = [one.data["status"] for one in world.cache.all("Variant")]
        assert [one["scouts"] for one in shown] == [scouts, scouts]
        device = Key("Device", "default", scouts[0])
        told = world.cache.get("Assignment", "default", scouts[0])
        assert told is not None
        assert device in routing.affected(world.cache, Change(type="put", record=told), told)
        await devices.reconcile(world, device)
        record = world.cache.get("Device", "default", scouts[0])
        assert record is not None
        assert len(record.data["status"]["scouting"]) == 2
        crashed = TrialResult(key="", reason=Reason.CRASHED, message="ended by SIGSEGV")
        fine = measured(0.5, 0.5)
        for one in scouts:
            await story.answer(one, lambda size: crashed if size > 4_000 else fine(size))
        await story.turn()
        assert story.told() == ["ScoutRefused", "Scouted", "Scouting"]
        shown = [one.data["status"] for one in world.cache.all("Variant")]
        assert [one["scouts"] for one in shown] == [[], []]
        await devices.reconcile(world, device)
        record = world.cache.get("Device", "default", scouts[0])
        assert record is not None
        assert record.data["status"]["scouting"] == []
        model = world.cache.get("Model", "default", "digits")
        assert model is not None
        [by_class] = model.data["status"]["revisions"][0]["classes"].values()
        assert by_class["chosen"]["tight"]["figures"] == "measured"
        assert by_class["chosen"]["tight"]["latency_ms_p95"] == 0.5

    play(world, a_fleet(), tell)

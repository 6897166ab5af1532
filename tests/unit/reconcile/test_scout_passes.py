"""Scouts through the Model's pass: sent with the archive, told, folded in, not waited for long."""

from shoal.contract.reason import Reason
from shoal.contract.report import TrialResult
from shoal.controller.planning.scouting import AGAIN_S, AT_MOST_S
from shoal.controller.reconcile import deployments, revisions, routing
from shoal.controller.reconcile.world import World, delete_of
from shoal.controller.store.port import Change
from tests.unit.reconcile.scout_story import DEPLOYMENT, MODEL, Story, a_fleet, measured, play
from tests.unit.reconcile.workshop import (
    NOW,
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
        assert await story.turn() == story.now + AGAIN_S
        assert "open" not in story.scouting()
        assert story.told() == ["ScoutSilent", "Scouting"]
        await deployments.reconcile(world, DEPLOYMENT)
        assert len(story.chosen()) == 2
        for _ in range(3):
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
        called = set(routing.affected(world.cache, changed, before))
        assert MODEL in called
        assert DEPLOYMENT not in called  # it hears of it by the Model's revision

    play(world, a_fleet(), tell)

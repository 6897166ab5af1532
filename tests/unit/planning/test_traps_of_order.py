"""The known traps of order, silence and races: each test is named after one."""

import asyncio

import pytest

from shoal.contract.problem import ConflictError
from shoal.contract.report import DeploymentReport, DeviceReport, Phase
from shoal.controller.domain.rollout import Verb, record_from_json, record_to_json
from shoal.controller.domain.strategy import Amount, LabelBudget
from shoal.controller.link import observations
from shoal.controller.planning import planner
from shoal.controller.reconcile.rollouts import RolloutRequest, StoredRollouts
from shoal.controller.reconcile.world import put_over
from shoal.controller.store.acts import ActQuery
from shoal.controller.store.memory import MemoryStore
from shoal.resources.errors import ManifestError
from shoal.resources.parsing import parse
from tests.unit.planning.builders import NAME, SMALL, a_strategy, a_wave, devices_of, share, variant
from tests.unit.planning.worlds import Make, World, a_complete_world, a_second_rollout
from tests.unit.reconcile.workshop import HARDWARE

ALL = (a_wave("all", 100),)


def test_hawkbit_693_silent_devices_time_out(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(device_timeout_s=60.0))
    silent, *others = world.fresh()
    world.confirm(*others)
    world.turn(1.0)
    while world.plan.status.revision == 2:
        assert world.plan.wake_at is not None, "nobody would ever look again"
        world.turn(world.plan.wake_at - world.now)
    assert world.record.revisions[1].reason == "TooManyFailures"
    assert silent in world.record.revisions[1].message
    assert "TimedOut" in world.record.revisions[1].message


def test_hawkbit_693_a_device_that_comes_and_goes_times_out_too(make: Make) -> None:
    world = a_second_rollout(make, strategy=a_strategy(device_timeout_s=60.0, quorum_ppm=0))
    flapping, *others = world.fresh()
    world.confirm(*others)
    for _ in range(5):
        world.turn(50.0)
        world.lose(flapping)
        world.turn(50.0)
        world.find(flapping)
    world.turn(1.0)
    assert world.record.revisions[1].reason == "TooManyFailures"
    assert f"{flapping} (TimedOut" in world.record.revisions[1].message


def test_hawkbit_693_a_device_lost_for_good_does_not_hold_the_others_back(make: Make) -> None:
    world = make(fleet=devices_of(SMALL, 4), strategy=a_strategy(waves=ALL))
    world.turn()
    lost, *others = world.fresh()
    world.lose(lost)
    world.confirm(*others)
    world.turn(1.0)
    assert world.status == "complete"


@pytest.mark.parametrize("verb", ["abort", "pause", "undo"])
def test_hawkbit_1853_a_user_and_the_scheduler_never_overwrite_each_other(
    make: Make, verb: str
) -> None:
    world = a_second_rollout(make)
    world.confirm(*world.fresh())
    asyncio.run(the_pass_loses_the_race(world, verb))


async def the_pass_loses_the_race(world: World, verb: str) -> None:
    store, place = MemoryStore(), ("default", "digits")
    await store.commit([put_over(None, "Rollout", place, record_to_json(world.record))])
    before = await store.get("Rollout", *place)
    stale = planner.plan(world.snapshot())  # the scheduler has decided to start the next wave…
    assert stale.tells
    rollouts = StoredRollouts(store, lambda: world.now)
    asked = asyncio.create_task(
        rollouts.request(RolloutRequest(deployment=NAME, verb=verb, user="ana"))
    )
    for _ in range(20):  # the wish is written at once; then the request waits for the next pass
        await asyncio.sleep(0)
    with pytest.raises(ConflictError):  # …and may not write it over what the user asked for
        await store.commit([put_over(before, "Rollout", place, record_to_json(stale.record))])
    current = await store.get("Rollout", *place)
    world.record = record_from_json(current.data)
    world.turn()
    await store.commit([put_over(current, "Rollout", place, record_to_json(world.record))])
    await asked
    (act,) = [one.act for one in await store.acts(ActQuery())]
    assert (act.user, act.verb, act.detail) == ("ana", verb, "revision 2")
    assert len(world.on_revision(2)) <= 3
    assert world.plan.status.paused or world.plan.status.revision == 3


def test_hawkbit_1853_a_promote_that_comes_too_late_changes_nothing(make: Make) -> None:
    world = a_second_rollout(make)
    world.ask(Verb.ABORT)
    world.turn(1.0)
    with pytest.raises(ConflictError):
        world.ask(Verb.PROMOTE)
    world.finish()
    assert not world.on_revision(2)


def test_flightctl_892_a_budget_that_starves_is_refused() -> None:
    for strategy in (
        {"maxUnavailable": 0},
        {"maxUnavailable": "0%"},
        {"maxUnavailablePer": {"site": 0}},
        {"ratePerMinute": 0},
        {"window": {"cron": "0 0 30 2 *", "duration": "1h"}},
    ):
        with pytest.raises(ManifestError):
            parse(
                {
                    "apiVersion": "shoal/v1",
                    "kind": "Deployment",
                    "metadata": {"name": "digits"},
                    "spec": {"model": "digits", "selector": {}, "strategy": strategy},
                }
            )


def test_flightctl_892_a_small_share_of_a_small_group_does_not_starve(make: Make) -> None:
    per_site = (LabelBudget(label="site", amount=share(1)),)
    strategy = a_strategy(max_unavailable=share(1), max_unavailable_per=per_site)
    world = make(strategy=strategy)
    world.finish()
    assert world.status == "complete"


def test_flightctl_892_devices_that_are_down_do_not_use_up_the_budget(make: Make) -> None:
    world = a_complete_world(make, strategy=a_strategy(waves=ALL))
    world.edit(max_unavailable=Amount(count=2))
    world.finish()
    for name in ("small-0", "small-1", "small-2"):
        world.change(name, ready=False)
    world.publish()
    world.turn(1.0)
    assert world.fresh() == ["small-0", "small-1", "small-2"]


def test_greengrass_807_the_newest_supersedes_a_stuck_one(make: Make) -> None:
    world = a_second_rollout(make)
    for name in world.fresh():
        world.report(name, Phase.FETCHING)  # and there it stays
    world.turn(30.0)
    world.publish()
    world.turn(1.0)
    assert world.record.revisions[1].result == "superseded"
    assert world.on_revision(3)
    world.finish()
    assert (world.status, world.plan.status.model_revision) == ("complete", 3)


def test_greengrass_807_an_undo_supersedes_a_stuck_one(make: Make) -> None:
    world = a_second_rollout(make)
    for name in world.fresh():
        world.report(name, Phase.PREFLIGHT)
    world.turn(30.0)
    world.ask(Verb.UNDO)
    world.finish()
    assert (world.status, world.plan.status.model_revision) == ("complete", 1)


def a_report(sequence: int, phase: Phase, generation: int, boot: str = "boot") -> DeviceReport:
    return DeviceReport(
        device="small-0",
        boot_id=boot,
        sequence=sequence,
        agent_version="1",
        desired_version=1,
        hardware=HARDWARE,
        deployments=(
            DeploymentReport(
                deployment=NAME,
                generation=generation,
                revision=1,
                phase=phase,
                variant=variant(1, 100),
            ),
        ),
    )


def test_iot_hub_625_status_never_moves_backwards() -> None:
    known = observations.merge(None, a_report(7, Phase.CONFIRMED, 3), 1_000)
    assert observations.merge(known, a_report(6, Phase.SOAKING, 3), 2_000) is None
    assert observations.merge(known, a_report(7, Phase.CONFIRMED, 3), 2_000) is None
    rebooted = observations.merge(known, a_report(1, Phase.CONFIRMED, 3, boot="next"), 3_000)
    assert rebooted is not None
    assert observations.merge(rebooted, a_report(8, Phase.FAILED, 3), 4_000) is None


def test_iot_hub_625_a_report_of_an_older_assignment_counts_for_nothing(make: Make) -> None:
    world = a_second_rollout(make)
    name = world.fresh()[0]
    world.report(
        name, Phase.FAILED, reason="LoadFailed", generation=world.told(name).generation - 1
    )
    world.turn(1.0)
    assert (world.status, world.plan.status.blocked) == ("active", ())


def test_thingsboard_11732_updates_assigned_while_offline_arrive(make: Make) -> None:
    world = a_complete_world(make, fleet=devices_of(SMALL, 4))
    world.lose("small-1")
    world.publish()
    world.finish()
    assert world.status == "complete"
    assert world.targets()["small-1"].model_revision == 1
    world.find("small-1")
    world.turn(1.0)
    assert world.fresh() == ["small-1"]
    assert world.targets()["small-1"].model_revision == 2


def test_mender_an_offline_device_goes_straight_to_the_newest(make: Make) -> None:
    world = a_complete_world(make, fleet=devices_of(SMALL, 4))
    world.lose("small-1")
    told = []
    for _ in range(3):
        world.publish()
        world.finish()
    world.find("small-1")
    world.turn(1.0)
    told.append(world.targets()["small-1"].model_revision)
    world.finish()
    told.append(world.targets()["small-1"].model_revision)
    assert told == [4, 4]


def test_mender_an_offline_device_never_passes_through_an_aborted_revision(make: Make) -> None:
    world = a_second_rollout(make, fleet=devices_of(SMALL, 4))
    (canary,) = world.fresh()
    world.lose(canary)
    world.turn(1.0)
    world.ask(Verb.ABORT)
    world.turn(1.0)
    assert world.targets()[canary].model_revision == 1
    world.find(canary)
    world.finish()
    assert (world.status, world.targets()[canary].model_revision) == ("complete", 1)

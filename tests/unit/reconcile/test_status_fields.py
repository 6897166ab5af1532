"""Fields of statuses that few passes write are documented too; the `world` checks its own."""

import asyncio
from dataclasses import replace

from shoal.contract import jsonform
from shoal.contract.budget import Budget
from shoal.contract.digest import Digest
from shoal.contract.report import DeploymentReport, Phase
from shoal.controller.domain.rollout import Verb
from shoal.controller.domain.strategy import Action
from shoal.controller.planning import verbs
from shoal.controller.reconcile import devices, sweeping
from shoal.controller.reconcile.models import Searches
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.world import World
from shoal.resources.fields import by_alias
from tests.unit.planning import worlds
from tests.unit.planning.builders import ACCURACY, LARGE, SMALL, WRONG, a_strategy, devices_of
from tests.unit.reconcile.test_given_up import status_of
from tests.unit.reconcile.test_passes import fleet_of_two, play, settle, status
from tests.unit.reconcile.workshop import ScriptedJobs, a_deployment, a_device, a_report
from tests.unit.resources.statuses import check, document_of

SERVING = DeploymentReport(
    deployment="default/digits",
    generation=3,
    revision=2,
    phase=Phase.FAILED,
    variant=Digest("sha256:" + "a" * 64),
    reason="FetchFailed",
    message="the line broke",
    running=Digest("sha256:" + "b" * 64),
    running_generation=2,
    running_revision=1,
    running_model="digits",
)


def test_what_a_device_runs_is_documented(world: World) -> None:
    puts = a_device("one")
    puts[1].data["report"] |= {
        "deployments": [jsonform.to_json(SERVING)],
        "serving_url": "http://10.0.0.9:8480",
    }

    async def run() -> None:
        await world.store.commit(puts)
        await world.load()
        await devices.reconcile(world, Key("Device", "default", "one"))

    asyncio.run(run())
    seen = status(world, "Device", "one")
    assert [one["model"] for one in seen["running"]] == ["digits"]
    assert [one["phase"] for one in seen["outcomes"]] == ["Failed"]
    check("Device", seen)


def test_the_stages_of_a_variant_are_documented(world: World, jobs: ScriptedJobs) -> None:
    jobs.report = a_report(jobs.folder)
    part = {"file": "stage-0.onnx", "bytes": 9, "peak_memory_bytes": 99, "cut_bytes": 0}
    for row in jobs.report["pareto"]:
        row["stages"] = [part]

    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)

    play(world, [*fleet_of_two(), a_deployment()], story)
    variants = world.cache.all("Variant")
    assert all(one.data["status"]["stages"] == [part] for one in variants)
    assert variants


def test_the_mark_of_a_variant_that_nothing_holds_is_documented() -> None:
    assert sweeping.MARK in by_alias(document_of("Variant"))


def test_devices_that_nothing_fits_and_that_go_wrong_are_documented() -> None:
    tiny = replace(SMALL, budget=Budget(artifact_bytes=1), profile="tiny")
    fleet = [*devices_of(LARGE, 8), *devices_of(tiny, 1)]
    played = worlds.World(fleet=fleet, strategy=a_strategy(on_failure=Action.HOLD))
    played.turn()
    played.fail(*played.fresh())
    seen = status_of(played.turn(1.0))
    assert {one["outcome"] for one in seen["blocked"]} >= {"Failed", "NoFeasibleVariant"}
    assert any(one["noFeasibleVariant"] for one in seen["cohorts"])
    check("Deployment", seen)


def test_what_people_decided_is_documented() -> None:
    played = worlds.a_second_rollout(worlds.World, strategy=a_strategy(gates=(ACCURACY,)))
    fully = verbs.Request(verb=Verb.PROMOTE, full=True, by="ana")
    played.record = verbs.apply(played.record, fully, played.now)
    check("Deployment", status_of(played.turn(1.0)))
    played.confirm(*played.fresh(), answers=WRONG)
    check("Deployment", status_of(played.turn(1.0)))
    played.finish()
    played.record = verbs.apply(played.record, verbs.Request(verb=Verb.RETRY, by="ana"), played.now)
    seen = status_of(played.turn(1.0))
    assert {one["liftedBy"] for one in seen["quarantine"]} == {"ana"}
    check("Deployment", seen)

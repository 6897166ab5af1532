"""From a report to what is chosen: the metric's direction, floors, formats and cut memory."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from shoal.contract import choice
from shoal.contract.assignment import ArtifactRole
from shoal.contract.budget import Budget
from shoal.contract.digest import Digest
from shoal.contract.problem import Problem
from shoal.controller.domain.archive import ClassArchive
from shoal.controller.reconcile import archives, deployments, revisions
from shoal.controller.reconcile.jobs import JobRequest, JobResult, ProcessJobs
from shoal.controller.reconcile.models import Searches
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.revisions import Need
from shoal.controller.reconcile.world import World
from shoal.controller.store.blobs import Blobs
from shoal.controller.store.port import Put, Record
from tests.unit.reconcile.test_passes import play, settle, status
from tests.unit.reconcile.test_searches import PROFILE
from tests.unit.reconcile.workshop import (
    ScriptedJobs,
    a_deployment,
    a_device,
    a_model,
    a_record,
    a_report,
)

UNLIMITED = Budget()


def of_errors(folder: Path) -> dict[str, Any]:
    """A report whose score is a mean error: the big variant 0.30, the little one 0.35."""
    report = a_report(folder)
    report |= {
        "metric": "mae",
        "smaller_is_better": True,
        "source": {"score": 0.3, "bytes": 6_000},
        "constraints": {"min_score": 0.4},
    }
    for row, score in zip(report["pareto"], (0.3, 0.35), strict=True):
        row |= {
            "score": score,
            "score_interval": [score - 0.02, score + 0.06],
            "validation_score": score,
            "validation_interval": [score - 0.01, score + 0.01],
        }
    return report


def archive_of(folder: Path, report: dict[str, Any], **quality: object) -> ClassArchive:
    """The archive that the planner sees of a Model with this quality."""
    found = asyncio.run(archives.take_in(JobResult(report=report, folder=folder), Blobs(folder)))
    spec = {
        "source": "sha256:" + "a" * 64,
        "quality": {"minScore": None, "floor": "measured", **quality},
        "compression": {"objective": "accuracy"},
    }
    data = revisions.new_revision("digits", 1, spec)
    data["classes"] = {"class": {"state": "Ready", "archive": json.loads(json.dumps(found))}}
    record = Record(
        kind="ModelRevision", namespace="default", name="digits.1", uid="", resource_version=1,
        data=data,
    )  # fmt: skip
    (archive,) = revisions.model_view(record).archives
    return archive


def best(archive: ClassArchive, budget: Budget = UNLIMITED) -> list[int]:
    """The bytes of what is feasible, best first."""
    order = choice.ranked(archive.points, budget, archive.min_score, choice.Objective.ACCURACY)
    return [one.bytes for one in order]


def test_of_a_metric_of_errors_the_smaller_score_is_chosen(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, of_errors(tmp_path))
    assert best(archive) == [6_000, 3_000]
    assert archive.min_score == -0.4
    big, _ = archive.points
    assert big.score == -0.3
    assert list(big.validation_interval) == pytest.approx([-0.31, -0.29])


def test_of_two_floors_the_stricter_counts_whichever_way_the_metric_goes(tmp_path: Path) -> None:
    assert best(archive_of(tmp_path, of_errors(tmp_path), minScore=0.32)) == [6_000]
    assert best(archive_of(tmp_path, of_errors(tmp_path), minScore=0.5)) == [6_000, 3_000]


def test_a_proven_floor_asks_the_worse_end_of_the_interval(tmp_path: Path) -> None:
    assert best(archive_of(tmp_path, of_errors(tmp_path), floor="proven")) == [6_000]


def test_a_miss_is_told_in_the_unit_of_the_metric(tmp_path: Path) -> None:
    (miss,) = archive_of(tmp_path, of_errors(tmp_path), minScore=0.25).nearest(UNLIMITED)
    assert (miss.constraint, miss.limit, miss.nearest) == ("min_score", 0.25, 0.3)
    assert miss.missed_by == pytest.approx(0.05)


def test_what_people_read_has_the_score_of_the_metric(world: World, jobs: ScriptedJobs) -> None:
    jobs.report = of_errors(jobs.folder)

    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        [revision] = status(world, "Model", "digits")["revisions"]
        assert revision["score"] == 0.3
        (found,) = revision["classes"].values()
        assert found["chosen"]["default"]["score"] == 0.3
        shown = [one.data["status"] for one in world.cache.all("Variant")]
        assert sorted(one["score"] for one in shown) == [0.3, 0.35]
        assert {(one["metric"], one["smaller_is_better"]) for one in shown} == {("mae", True)}

    play(world, [*a_device("one", app="reader"), a_model(), a_deployment()], story)


def with_split(model: Put) -> Put:
    spec = model.data["spec"]
    compression = {**spec["compression"], "methods": ["quantize", "split"]}
    return a_record("Model", "digits", {**model.data, "spec": {**spec, "compression": compression}})


def a_profile(name: str, memory: str) -> Put:
    spec = {
        "priority": 0,
        "selector": {"matchLabels": {"size": name}},
        "budget": {"artifact": None, "memory": memory, "latency": {"p95": None}},
        "runtime": {"engines": ["onnxruntime"]},
    }
    return a_record("DeviceProfile", name, {"metadata": {"name": name}, "spec": spec})


def test_a_smaller_memory_that_joins_has_the_archive_looked_through_again(
    world: World,
    jobs: ScriptedJobs,
) -> None:
    puts = [
        *(with_split(a_model()), a_deployment(), a_profile("wide", "40MB")),
        *(a_profile("less", "12MB"), a_profile("tight", "5MB")),
        *a_device("one", app="reader", size="wide"),
    ]

    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        assert [one.memory_bytes for one in jobs.asked] == [40_000_000]
        await world.commit(list(a_device("two", app="reader", size="less")))
        await settle(world, searches)
        assert len(jobs.asked) == 1  # something in the archive is small enough
        await world.commit(list(a_device("three", app="reader", size="tight")))
        await settle(world, searches)
        await settle(world, searches)
        assert [one.memory_bytes for one in jobs.asked] == [40_000_000, 5_000_000]
        assert status(world, "Model", "digits")["revisions"][0]["ready"]

    play(world, puts, story)


def test_fewer_golden_inputs_than_asked_for_are_told() -> None:
    archive = {"points": [{}, {}], "golden": {"rows": 57}}
    assert archives.summary(archive, {"data": {"golden": 57}}) == "2 variants on the front"
    told = archives.summary(archive, {"data": {"golden": 400}})
    assert told == "2 variants on the front; 57 golden inputs of 400 asked for"
    assert archives.summary({"points": [], "golden": None}, {"data": {}}).startswith("0 variants")


def test_what_an_old_archive_alone_has_stays_in_the_new_one() -> None:
    old = {"points": [{"digest": "a", "bytes": 1}, {"digest": "b", "bytes": 2}], "output": "y"}
    new = {"points": [{"digest": "b", "bytes": 3}], "output": "z"}
    found = archives.joined(old, new)
    assert found["points"] == [{"digest": "b", "bytes": 3}, {"digest": "a", "bytes": 1}]
    assert found["output"] == "z"


def test_a_failure_to_look_again_leaves_the_archive(world: World, jobs: ScriptedJobs) -> None:
    puts = [
        *(with_split(a_model()), a_deployment(), a_profile("tight", "5MB")),
        *a_device("one", app="reader"),
    ]

    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        jobs.refusal = Problem(reason="Crashed", message="no memory")
        await world.commit(list(a_device("two", app="reader", size="tight")))
        await settle(world, searches)
        await settle(world, searches)
        assert len(jobs.asked) == 2
        [revision] = status(world, "Model", "digits")["revisions"]
        assert revision["ready"]
        (found,) = revision["classes"].values()
        assert (found["state"], found["variants"]) == ("Ready", 2)
        assert "noFeasibleVariant" in found["chosen"]["tight"]

    play(world, puts, story)


def test_without_split_memory_only_picks_from_the_archive() -> None:
    spec = {"compression": {"methods": ["quantize"]}}
    assert revisions.need(spec, PROFILE, 5) == Need(profile=PROFILE)


def test_a_device_is_told_the_engine_and_the_kind_of_file(
    world: World,
    jobs: ScriptedJobs,
) -> None:
    report = a_report(jobs.folder)
    for row in report["pareto"]:
        path = jobs.folder / row["file"]
        row |= {"file": path.with_suffix(".tflite").name, "runtime": "litert"}
        path.rename(path.with_suffix(".tflite"))
    jobs.report = report

    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        await deployments.reconcile(world, Key("Deployment", "default", "digits"))
        told = world.cache.get("Assignment", "default", "one")
        assert told is not None
        (one,) = told.data["deployments"].values()
        (model,) = [a for a in one["artifacts"] if a["role"] == ArtifactRole.MODEL]
        assert (one["engine"], model["name"]) == ("litert", "model.tflite")

    play(world, [*a_device("one", app="reader"), a_model(), a_deployment()], story)


def test_a_job_is_given_its_engines_and_its_memory(tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    blob.write_bytes(b"anything")
    request = JobRequest(
        files=(("model", Digest("sha256:" + "a" * 64)),),
        quality=(("floor", "proven"), ("maxDrop", 0.5), ("metric", "mae"), ("minScore", None)),
        compression=(
            ("effort", "quick"),
            ("methods", ("split",)),
            ("objective", "bytes"),
            ("seed", 0),
        ),
        golden=2,
        profile=PROFILE,
        memory_bytes=5_000_000,
    )
    command = ProcessJobs(tmp_path, lambda _digest: blob, 60.0)._prepare(tmp_path / "job", request)
    line = dict(zip(command[2::2], command[3::2], strict=False))
    assert Path(command[1]).name == "model"  # told by its first bytes, not by a suffix
    assert line["--engines"] == "onnxruntime"
    assert (line["--floor"], line["--metric"], line["--max-drop"]) == ("proven", "mae", "0.5")
    profile = json.loads(Path(line["--profile"]).read_text())
    assert profile["spec"]["budget"] == {"memory": "5000000B"}

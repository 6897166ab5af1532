"""The passes of models, devices and deployments, on a memory store and real blobs.

Searches are answered by the test through the `Jobs` port; everything else is the real thing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from shoal.contract import digest as digests
from shoal.contract import jsonform
from shoal.contract.problem import FailedError, Problem
from shoal.contract.profile import HardwareProfile
from shoal.contract.report import DeviceReport
from shoal.controller.reconcile import deployments, devices, models
from shoal.controller.reconcile.jobs import JobRequest, JobResult
from shoal.controller.reconcile.models import Searches
from shoal.controller.reconcile.queue import Key
from shoal.controller.reconcile.world import Cadence, World
from shoal.controller.store.blobs import Blobs
from shoal.controller.store.memory import MemoryStore
from shoal.controller.store.port import Put

NOW = 1_800_000_000.0
HARDWARE = HardwareProfile(
    arch="x86_64",
    cpu="a cpu",
    cores=2,
    memory_bytes=1 << 30,
    disk_free_bytes=1 << 30,
    isa=("avx2",),
    engines=(("onnxruntime", "1.31.1"),),
    providers=("CPUExecutionProvider",),
)


@dataclass(slots=True)
class ScriptedJobs:
    """Answers every search with the same files, or refuses it; remembers what was asked."""

    folder: Path
    asked: list[JobRequest] = field(default_factory=list)
    refusal: Problem | None = None

    async def run(self, request: JobRequest) -> JobResult:
        self.asked.append(request)
        if self.refusal is not None:
            raise FailedError(self.refusal)
        return JobResult(report=a_report(self.folder), folder=self.folder)


def a_report(folder: Path) -> dict[str, Any]:
    """A report with two variants whose files lie in `folder`."""
    rows = []
    for name, size, agreement in (("big", 2_000, 1.0), ("little", 500, 0.98)):
        (folder / f"{name}.onnx").write_bytes(name.encode() * size)
        (folder / f"{name}.npz").write_bytes(name.encode())
        rows.append(
            {
                "digest": digests.of_file(folder / f"{name}.onnx"),
                "file": f"{name}.onnx",
                "runtime": "onnxruntime",
                "recipe": {"passes": [name]},
                "bytes": (folder / f"{name}.onnx").stat().st_size,
                "score": 0.98,
                "score_interval": [0.96, 0.99],
                "validation_score": 0.98,
                "validation_interval": [0.96, 0.99],
                "floor_proven": False,
                "latency_ms": {"p50": 0.1, "p95": 0.2},
                "latency_ratio": 1.0,
                "peak_memory_bytes": 10_000_000,
                "validation_agreement": agreement,
                "parity": {"agreement": agreement, "max_abs": 0.0},
                "is_source": name == "big",
                "reference": {
                    "file": f"{name}.npz",
                    "digest": digests.of_file(folder / f"{name}.npz"),
                    "bytes": (folder / f"{name}.npz").stat().st_size,
                },
            }
        )
    (folder / "golden.npz").write_bytes(b"golden")
    return {
        "source": {"score": 0.98, "bytes": 6_000},
        "constraints": {"min_score": 0.96},
        "output": "logits",
        "pareto": rows,
        "golden": {
            "file": "golden.npz",
            "digest": digests.of_file(folder / "golden.npz"),
            "bytes": 6,
            "rows": 2,
            "labels": [1, 2],
            "source_answers": [1, 2],
        },
    }


@pytest.fixture
def jobs(tmp_path: Path) -> ScriptedJobs:
    folder = tmp_path / "job"
    folder.mkdir()
    return ScriptedJobs(folder=folder)


@pytest.fixture
def world(tmp_path: Path, jobs: ScriptedJobs) -> World:
    return World(
        store=MemoryStore(),
        blobs=Blobs(tmp_path / "data"),
        jobs=jobs,
        now=lambda: NOW,
        cadence=Cadence(heartbeat_s=1, telemetry_window_s=1),
    )


def a_device(name: str, **labels: str) -> list[Put]:
    """A device with these labels that has just reported."""
    report = DeviceReport(
        device=name,
        boot_id="boot",
        sequence=1,
        agent_version="0.1.0",
        desired_version=0,
        hardware=HARDWARE,
    )
    return [
        a_record("Device", name, {"metadata": {"name": name, "labels": labels}, "spec": {}}),
        a_record(
            "Observation",
            name,
            {"report": jsonform.to_json(report), "last_seen_ms": NOW * 1000, "past_boots": []},
        ),
    ]


def a_model(source: str = "sha256:" + "a" * 64) -> Put:
    spec = {
        "source": source,
        "assets": [],
        "quality": {"metric": "top1", "maxDrop": 0.02, "minScore": None, "floor": "measured"},
        "data": {
            "calibration": "sha256:" + "b" * 64,
            "evaluation": "sha256:" + "c" * 64,
            "train": None,
            "golden": 2,
        },
        "compression": {
            "methods": ["quantize"],
            "objective": "accuracy",
            "effort": "quick",
            "seed": 0,
        },
    }
    return a_record("Model", "digits", {"metadata": {"name": "digits"}, "spec": spec})


def a_deployment(name: str = "digits", model: str = "digits") -> Put:
    strategy = {
        "waves": [
            {"name": "all", "size": "100%", "soak": "1s", "maxSoak": "5s", "approval": "auto"}
        ],
        "successThreshold": "90%",
        "maxFailures": "10%",
        "quorum": "50%",
        "maxUnavailable": "100%",
        "deviceTimeout": "10m",
        "gates": [],
        "onFailure": {"action": "rollback", "scope": "deployment"},
        "progressDeadline": "10m",
        "onDeadline": "hold",
    }
    spec = {
        "model": model,
        "selector": {"matchLabels": {"app": "reader"}},
        "strategy": strategy,
    }
    return a_record(
        "Deployment",
        name,
        {"metadata": {"name": name, "generation": 1, "creationTime": name}, "spec": spec},
    )


def a_record(kind: str, name: str, data: dict[str, Any]) -> Put:
    return Put(kind=kind, namespace="default", name=name, data=data, expected=None)


MODEL = Key("Model", "default", "digits")
Story = Callable[[World, Searches], Awaitable[None]]


def play(world: World, puts: list[Put], story: Story) -> None:
    """Store `puts`, then run `story` with searches that the passes may start."""

    async def run() -> None:
        await world.store.commit(puts)
        await world.load()
        searches = Searches(world, lambda _key: None)
        await story(world, searches)
        await searches.close()

    asyncio.run(run())


async def settle(world: World, searches: Searches) -> None:
    """Run the Model's pass until its searches are taken in."""
    for _ in range(3):
        await models.reconcile(world, searches, MODEL)
        await searches.idle()


def status(world: World, kind: str, name: str) -> dict[str, Any]:
    record = world.cache.get(kind, "default", name)
    assert record is not None
    return dict(record.data["status"])


def fleet_of_two() -> list[Put]:
    return [*a_device("one", app="reader"), *a_device("two", app="reader"), a_model()]


def test_a_model_without_devices_waits_for_a_profile_class(
    world: World, jobs: ScriptedJobs
) -> None:
    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        [condition] = status(world, "Model", "digits")["conditions"]
        assert (condition["status"], condition["reason"]) == ("Unknown", "NoProfileClass")
        assert jobs.asked == []

    play(world, [a_model()], story)


def test_one_search_serves_all_devices_of_a_class(world: World, jobs: ScriptedJobs) -> None:
    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        await settle(world, searches)
        assert len(jobs.asked) == 1
        [revision] = status(world, "Model", "digits")["revisions"]
        assert revision["ready"]
        assert revision["score"] == 0.98
        assert len(list(world.cache.all("Variant"))) == 2

    play(world, [*fleet_of_two(), a_deployment()], story)


def test_a_pass_with_nothing_new_writes_nothing(world: World) -> None:
    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        before = (await world.store.list("Model")).resource_version
        await models.reconcile(world, searches, MODEL)
        assert (await world.store.list("Model")).resource_version == before

    play(world, [*fleet_of_two(), a_deployment()], story)


def test_a_refused_source_is_told_with_its_reason(world: World, jobs: ScriptedJobs) -> None:
    jobs.refusal = Problem(reason="NotOnnx", message="this is no model")

    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        [condition] = status(world, "Model", "digits")["conditions"]
        assert (condition["status"], condition["reason"]) == ("False", "NotOnnx")
        assert [e.data["spec"]["message"] for e in world.cache.all("Event")] == [
            "revision 1 (aaaaaaaaaaaa): this is no model"
        ]

    play(world, [*fleet_of_two(), a_deployment()], story)


def test_new_content_is_a_new_revision(world: World, jobs: ScriptedJobs) -> None:
    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        model = world.cache.get("Model", "default", "digits")
        assert model is not None
        changed = {**model.data["spec"], "source": "sha256:" + "d" * 64}
        await world.commit(
            [
                Put(
                    kind="Model",
                    namespace="default",
                    name="digits",
                    data={**model.data, "spec": changed},
                    expected=model.resource_version,
                )
            ]
        )
        await settle(world, searches)
        numbers = [one["number"] for one in status(world, "Model", "digits")["revisions"]]
        assert numbers == [1, 2]
        assert [dict(one.files)["model"][7] for one in jobs.asked] == ["a", "d"]

    play(world, [*fleet_of_two(), a_deployment()], story)


def test_a_device_learns_its_cadence_before_its_first_assignment(world: World) -> None:
    async def story(world: World, _searches: Searches) -> None:
        key = Key("Device", "default", "one")
        await devices.reconcile(world, key)
        assignment = world.cache.get("Assignment", "default", "one")
        assert assignment is not None
        assert (assignment.data["heartbeat_s"], assignment.data["deployments"]) == (1, {})
        before = (await world.store.list("Device")).resource_version
        await devices.reconcile(world, key)
        assert (await world.store.list("Device")).resource_version == before

    play(world, a_device("one"), story)


def test_a_deployment_gives_every_selected_device_its_variant(world: World) -> None:
    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        await deployments.reconcile(world, Key("Deployment", "default", "digits"))
        for name in ("one", "two"):
            record = world.cache.get("Assignment", "default", name)
            assert record is not None
            assignment = record.data["deployments"]["default/digits"]
            roles = [one["role"] for one in assignment["artifacts"]]
            assert roles == ["model", "golden", "reference"]
            assert assignment["output"] == "logits"
        assert world.cache.get("Assignment", "default", "three") is None

    play(world, [*fleet_of_two(), *a_device("three", app="writer"), a_deployment()], story)


def test_the_younger_of_two_deployments_of_a_model_on_one_device_gives_way(world: World) -> None:
    async def story(world: World, searches: Searches) -> None:
        await settle(world, searches)
        await deployments.reconcile(world, Key("Deployment", "default", "second"))
        conditions = {c["type"]: c for c in status(world, "Deployment", "second")["conditions"]}
        assert conditions["Conflict"]["status"] == "True"
        assert "default/first" in conditions["Conflict"]["message"]
        assert world.cache.get("Assignment", "default", "one") is None

    play(world, [*fleet_of_two(), a_deployment("first"), a_deployment("second")], story)

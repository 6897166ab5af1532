"""Records as they are stored, and searches that a test answers."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shoal.contract import digest as digests
from shoal.contract import jsonform
from shoal.contract.problem import FailedError, Problem
from shoal.contract.profile import HardwareProfile
from shoal.contract.report import DeviceReport
from shoal.controller.reconcile.jobs import JobRequest, JobResult
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
    report: dict[str, Any] = field(default_factory=dict)

    async def run(self, request: JobRequest) -> JobResult:
        self.asked.append(request)
        if self.refusal is not None:
            raise FailedError(self.refusal)
        # Written once: another search may be reading these files by now.
        self.report = self.report or a_report(self.folder)
        return JobResult(report=self.report, folder=self.folder)


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


def a_device(name: str, hardware: HardwareProfile = HARDWARE, /, **labels: str) -> list[Put]:
    """A device with these labels that has just reported."""
    report = DeviceReport(
        device=name,
        boot_id="boot",
        sequence=1,
        agent_version="0.1.0",
        desired_version=0,
        hardware=hardware,
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

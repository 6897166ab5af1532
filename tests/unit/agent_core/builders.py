"""Assignments for tests of the agent; a blob's name is its content."""

from shoal.contract import digest
from shoal.contract.assignment import Artifact, ArtifactRole, Assignment
from shoal.contract.digest import Digest
from shoal.contract.report import PreflightResult

PASSED = PreflightResult(
    agreement=1.0,
    p50_ms=1.0,
    p95_ms=2.0,
    active_p95_ms=None,
    latency_ratio=None,
    peak_memory_bytes=1_000,
    load_ms=5.0,
)


def blob(name: str) -> Digest:
    return digest.of_bytes(name.encode())


def an_assignment(
    variant: str = "a",
    *,
    generation: int = 1,
    deployment: str = "default/digits",
    golden: bool = True,
    soak_s: float = 3.0,
) -> Assignment:
    artifacts = [_artifact(ArtifactRole.MODEL, variant)]
    if golden:
        artifacts.append(_artifact(ArtifactRole.GOLDEN, "golden"))
        artifacts.append(_artifact(ArtifactRole.REFERENCE, f"reference of {variant}"))
    return Assignment(
        deployment=deployment,
        model=deployment.partition("/")[2],
        revision=generation,
        generation=generation,
        variant=blob(variant),
        artifacts=tuple(artifacts),
        soak_s=soak_s,
    )


def _artifact(role: ArtifactRole, name: str) -> Artifact:
    return Artifact(role=role, name=name, digest=blob(name), size_bytes=1_000)

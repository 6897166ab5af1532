"""Desired state on the wire."""

from shoal.contract.assignment import (
    Artifact,
    ArtifactRole,
    Assignment,
    DesiredState,
    Preflight,
    Trial,
)
from shoal.contract.budget import Budget
from shoal.contract.codec.checks import at_most, digest_in, finite
from shoal.contract.limits import (
    ARTIFACTS_PER_ASSIGNMENT,
    DEPLOYMENTS_PER_DEVICE,
    TRIALS_PER_DEVICE,
)
from shoal.v1 import desired_pb2

_ROLES = {
    ArtifactRole.MODEL: desired_pb2.ARTIFACT_ROLE_MODEL,
    ArtifactRole.GOLDEN: desired_pb2.ARTIFACT_ROLE_GOLDEN,
    ArtifactRole.REFERENCE: desired_pb2.ARTIFACT_ROLE_REFERENCE,
    ArtifactRole.ASSET: desired_pb2.ARTIFACT_ROLE_ASSET,
}
_ROLES_BACK = {number: role for role, number in _ROLES.items()}


def encode_desired(value: DesiredState) -> desired_pb2.DesiredState:
    """The message of a desired state."""
    return desired_pb2.DesiredState(
        device=value.device,
        version=value.version,
        assignments=[_encode_assignment(one) for one in value.assignments],
        telemetry_window_s=value.telemetry_window_s,
        heartbeat_s=value.heartbeat_s,
        trials=[
            desired_pb2.Trial(key=one.key, assignment=_encode_assignment(one.assignment))
            for one in value.trials
        ],
    )


def decode_desired(message: desired_pb2.DesiredState) -> DesiredState:
    """The desired state in a message.

    Raises:
        ValueError: an unknown role, a malformed digest, a bad number or too many entries.
    """
    at_most(message.assignments, DEPLOYMENTS_PER_DEVICE, "assignments")
    at_most(message.trials, TRIALS_PER_DEVICE, "trials")
    return DesiredState(
        device=message.device,
        version=message.version,
        assignments=tuple(
            _decode_assignment(one, f"assignments[{i}]")
            for i, one in enumerate(message.assignments)
        ),
        telemetry_window_s=finite(message.telemetry_window_s, "telemetry_window_s"),
        heartbeat_s=finite(message.heartbeat_s, "heartbeat_s"),
        trials=tuple(
            Trial(
                key=one.key,
                assignment=_decode_assignment(one.assignment, f"trials[{i}].assignment"),
            )
            for i, one in enumerate(message.trials)
        ),
    )


def _encode_assignment(value: Assignment) -> desired_pb2.Assignment:
    return desired_pb2.Assignment(
        deployment=value.deployment,
        model=value.model,
        revision=value.revision,
        generation=value.generation,
        variant=value.variant,
        artifacts=[
            desired_pb2.Artifact(
                role=_ROLES[one.role], name=one.name, digest=one.digest, size_bytes=one.size_bytes
            )
            for one in value.artifacts
        ],
        engine=value.engine,
        providers=value.providers,
        threads=value.threads,
        output=value.output,
        soak_s=value.soak_s,
        shadow_share=value.shadow_share,
        shadow_s=value.shadow_s,
        min_inferences=value.min_inferences,
        preflight=_encode_preflight(value.preflight),
    )


def _decode_assignment(message: desired_pb2.Assignment, place: str) -> Assignment:
    at_most(message.artifacts, ARTIFACTS_PER_ASSIGNMENT, f"{place}.artifacts")
    return Assignment(
        deployment=message.deployment,
        model=message.model,
        revision=message.revision,
        generation=message.generation,
        variant=digest_in(message.variant, f"{place}.variant"),
        artifacts=tuple(
            _decode_artifact(one, f"{place}.artifacts[{i}]")
            for i, one in enumerate(message.artifacts)
        ),
        engine=message.engine,
        providers=tuple(message.providers),
        threads=message.threads,
        output=message.output,
        soak_s=finite(message.soak_s, f"{place}.soak_s"),
        shadow_share=finite(message.shadow_share, f"{place}.shadow_share"),
        shadow_s=finite(message.shadow_s, f"{place}.shadow_s"),
        min_inferences=message.min_inferences,
        preflight=_decode_preflight(message.preflight, f"{place}.preflight"),
    )


def _decode_artifact(message: desired_pb2.Artifact, place: str) -> Artifact:
    role = _ROLES_BACK.get(message.role)
    if role is None:
        raise ValueError(f"{place}.role: {message.role} is not a known artifact role")
    return Artifact(
        role=role,
        name=message.name,
        digest=digest_in(message.digest, f"{place}.digest"),
        size_bytes=message.size_bytes,
    )


def _encode_preflight(value: Preflight) -> desired_pb2.Preflight:
    # A None leaves an optional field absent: protobuf takes it as "not given".
    return desired_pb2.Preflight(
        max_artifact_bytes=value.budget.artifact_bytes,
        max_memory_bytes=value.budget.memory_bytes,
        max_latency_p95_ms=value.budget.latency_p95_ms,
        max_latency_ratio=value.max_latency_ratio,
        min_agreement=value.min_agreement,
    )


def _decode_preflight(message: desired_pb2.Preflight, place: str) -> Preflight:
    latency, ratio = message.max_latency_p95_ms, message.max_latency_ratio
    return Preflight(
        budget=Budget(
            artifact_bytes=message.max_artifact_bytes
            if message.HasField("max_artifact_bytes")
            else None,
            memory_bytes=message.max_memory_bytes if message.HasField("max_memory_bytes") else None,
            latency_p95_ms=finite(latency, f"{place}.max_latency_p95_ms")
            if message.HasField("max_latency_p95_ms")
            else None,
        ),
        max_latency_ratio=finite(ratio, f"{place}.max_latency_ratio")
        if message.HasField("max_latency_ratio")
        else None,
        min_agreement=finite(message.min_agreement, f"{place}.min_agreement"),
    )

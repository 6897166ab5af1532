"""Observed state on the wire."""

from shoal.contract.codec.checks import at_most, digest_in, finite, text_for_people
from shoal.contract.codec.hardware import decode_hardware, encode_hardware
from shoal.contract.limits import DEPLOYMENTS_PER_DEVICE, GOLDEN_INPUTS, TRIALS_PER_DEVICE
from shoal.contract.report import (
    DeploymentReport,
    DeviceReport,
    GoldenAnswers,
    Phase,
    PreflightResult,
    TrialResult,
)
from shoal.v1 import report_pb2

_PHASES = {
    Phase.PENDING: report_pb2.PHASE_PENDING,
    Phase.FETCHING: report_pb2.PHASE_FETCHING,
    Phase.PREFLIGHT: report_pb2.PHASE_PREFLIGHT,
    Phase.SOAKING: report_pb2.PHASE_SOAKING,
    Phase.CONFIRMED: report_pb2.PHASE_CONFIRMED,
    Phase.FAILED: report_pb2.PHASE_FAILED,
    Phase.REFUSED: report_pb2.PHASE_REFUSED,
    Phase.LOCAL_ROLLBACK: report_pb2.PHASE_LOCAL_ROLLBACK,
}
_PHASES_BACK = {number: phase for phase, number in _PHASES.items()}


def encode_report(value: DeviceReport) -> report_pb2.DeviceReport:
    """The message of a device's report."""
    return report_pb2.DeviceReport(
        device=value.device,
        boot_id=value.boot_id,
        sequence=value.sequence,
        agent_version=value.agent_version,
        desired_version=value.desired_version,
        hardware=encode_hardware(value.hardware),
        deployments=[_encode_deployment(one) for one in value.deployments],
        serving_url=value.serving_url,
        spool_windows=value.spool_windows,
        link=value.link,
        trials=[_encode_trial(one) for one in value.trials],
        scouts=value.scouts,
    )


def decode_report(message: report_pb2.DeviceReport) -> DeviceReport:
    """The report in a message.

    Raises:
        ValueError: an unknown phase, a malformed digest, a bad number or too many entries.
    """
    at_most(message.deployments, DEPLOYMENTS_PER_DEVICE, "deployments")
    at_most(message.trials, TRIALS_PER_DEVICE, "trials")
    return DeviceReport(
        device=message.device,
        boot_id=message.boot_id,
        sequence=message.sequence,
        agent_version=message.agent_version,
        desired_version=message.desired_version,
        hardware=decode_hardware(message.hardware),
        deployments=tuple(
            _decode_deployment(one, f"deployments[{i}]")
            for i, one in enumerate(message.deployments)
        ),
        serving_url=message.serving_url,
        spool_windows=message.spool_windows,
        link=message.link,
        trials=tuple(_decode_trial(one, f"trials[{i}]") for i, one in enumerate(message.trials)),
        scouts=message.scouts,
    )


def _encode_deployment(value: DeploymentReport) -> report_pb2.DeploymentReport:
    return report_pb2.DeploymentReport(
        deployment=value.deployment,
        generation=value.generation,
        revision=value.revision,
        phase=_PHASES[value.phase],
        variant=value.variant,
        reason=value.reason,
        message=text_for_people(value.message),
        running=value.running or "",
        running_generation=value.running_generation,
        running_revision=value.running_revision,
        running_model=value.running_model,
        good_inferences=value.good_inferences,
        errors=value.errors,
        restarts=value.restarts,
        fetched_bytes=value.fetched_bytes,
        preflight=_encode_preflight(value.preflight) if value.preflight else None,
        golden=_encode_golden(value.golden) if value.golden else None,
        previous=value.previous or "",
    )


def _decode_deployment(message: report_pb2.DeploymentReport, place: str) -> DeploymentReport:
    phase = _PHASES_BACK.get(message.phase)
    if phase is None:
        raise ValueError(f"{place}.phase: {message.phase} is not a known phase")
    return DeploymentReport(
        deployment=message.deployment,
        generation=message.generation,
        revision=message.revision,
        phase=phase,
        variant=digest_in(message.variant, f"{place}.variant"),
        reason=message.reason,
        message=text_for_people(message.message),
        running=digest_in(message.running, f"{place}.running") if message.running else None,
        running_generation=message.running_generation,
        running_revision=message.running_revision,
        running_model=message.running_model,
        good_inferences=message.good_inferences,
        errors=message.errors,
        restarts=message.restarts,
        fetched_bytes=message.fetched_bytes,
        preflight=_decode_preflight(message.preflight, f"{place}.preflight")
        if message.HasField("preflight")
        else None,
        golden=_decode_golden(message.golden, f"{place}.golden")
        if message.HasField("golden")
        else None,
        previous=digest_in(message.previous, f"{place}.previous") if message.previous else None,
    )


def _encode_preflight(value: PreflightResult) -> report_pb2.PreflightResult:
    return report_pb2.PreflightResult(
        agreement=value.agreement,
        p50_ms=value.p50_ms,
        p95_ms=value.p95_ms,
        active_p95_ms=value.active_p95_ms,
        latency_ratio=value.latency_ratio,
        peak_memory_bytes=value.peak_memory_bytes,
        load_ms=value.load_ms,
    )


def _decode_preflight(message: report_pb2.PreflightResult, place: str) -> PreflightResult:
    return PreflightResult(
        agreement=finite(message.agreement, f"{place}.agreement"),
        p50_ms=finite(message.p50_ms, f"{place}.p50_ms"),
        p95_ms=finite(message.p95_ms, f"{place}.p95_ms"),
        active_p95_ms=finite(message.active_p95_ms, f"{place}.active_p95_ms")
        if message.HasField("active_p95_ms")
        else None,
        latency_ratio=finite(message.latency_ratio, f"{place}.latency_ratio")
        if message.HasField("latency_ratio")
        else None,
        peak_memory_bytes=message.peak_memory_bytes,
        load_ms=finite(message.load_ms, f"{place}.load_ms"),
    )


def _encode_trial(value: TrialResult) -> report_pb2.TrialResult:
    return report_pb2.TrialResult(
        key=value.key,
        result=_encode_preflight(value.result) if value.result else None,
        reason=value.reason,
        message=text_for_people(value.message),
    )


def _decode_trial(message: report_pb2.TrialResult, place: str) -> TrialResult:
    return TrialResult(
        key=message.key,
        result=_decode_preflight(message.result, f"{place}.result")
        if message.HasField("result")
        else None,
        reason=message.reason,
        message=text_for_people(message.message),
    )


def _encode_golden(value: GoldenAnswers) -> report_pb2.GoldenAnswers:
    return report_pb2.GoldenAnswers(
        golden=value.golden, candidate=value.candidate, active=value.active
    )


def _decode_golden(message: report_pb2.GoldenAnswers, place: str) -> GoldenAnswers:
    at_most(message.candidate, GOLDEN_INPUTS, f"{place}.candidate")
    at_most(message.active, GOLDEN_INPUTS, f"{place}.active")
    return GoldenAnswers(
        golden=digest_in(message.golden, f"{place}.golden"),
        candidate=tuple(message.candidate),
        active=tuple(message.active),
    )

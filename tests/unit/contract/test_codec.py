"""Contract values survive the wire; what no honest peer sends is refused with its field."""

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given

from shoal.contract import codec
from shoal.contract import digest as digests
from shoal.contract.assignment import Assignment, DesiredState
from shoal.contract.enrolment import EnrolRequest, EnrolResponse
from shoal.contract.limits import (
    ARTIFACTS_PER_ASSIGNMENT,
    CLASSES_COUNTED,
    DEPLOYMENTS_PER_DEVICE,
    GOLDEN_INPUTS,
    HISTOGRAM_BUCKETS,
    LABELS,
    MESSAGE_TEXT_CHARS,
)
from shoal.contract.profile import HardwareProfile
from shoal.contract.report import DeploymentReport, DeviceReport, Phase
from shoal.contract.telemetry import TelemetryBatch
from shoal.v1 import desired_pb2, device_plane_pb2, report_pb2, telemetry_pb2
from tests.unit.contract import strategies

DIGEST = digests.of_bytes(b"")
HARDWARE = HardwareProfile(
    arch="x86_64",
    cpu="",
    cores=1,
    memory_bytes=1,
    disk_free_bytes=1,
    isa=(),
    engines=(),
    providers=(),
)


def travelled(message: Message) -> Any:
    return codec.parse(type(message), message.SerializeToString())


@given(strategies.hardware)
def test_hardware_survives(value: HardwareProfile) -> None:
    assert codec.decode_hardware(travelled(codec.encode_hardware(value))) == value


@given(strategies.desired_states)
def test_desired_states_survive(value: DesiredState) -> None:
    assert codec.decode_desired(travelled(codec.encode_desired(value))) == value


@given(strategies.device_reports)
def test_reports_survive(value: DeviceReport) -> None:
    assert codec.decode_report(travelled(codec.encode_report(value))) == value


@given(strategies.batches)
def test_telemetry_survives(value: TelemetryBatch) -> None:
    assert codec.decode_telemetry(travelled(codec.encode_telemetry(value))) == value


@given(strategies.enrol_requests)
def test_enrol_requests_survive(value: EnrolRequest) -> None:
    assert codec.decode_enrol_request(travelled(codec.encode_enrol_request(value))) == value


@given(strategies.enrol_responses)
def test_enrol_responses_survive(value: EnrolResponse) -> None:
    assert codec.decode_enrol_response(travelled(codec.encode_enrol_response(value))) == value


def test_bytes_that_are_no_message_are_refused() -> None:
    with pytest.raises(ValueError, match="DesiredState"):
        codec.parse(desired_pb2.DesiredState, b"\xff\xff\xff")


def a_desired_message() -> desired_pb2.DesiredState:
    assignment = Assignment(
        deployment="default/d",
        model="m",
        revision=1,
        generation=1,
        variant=DIGEST,
        artifacts=(),
    )
    message = codec.encode_desired(
        DesiredState(device="dev-a", version=1, assignments=(assignment,))
    )
    message.assignments[0].artifacts.add(role=desired_pb2.ARTIFACT_ROLE_MODEL, digest=DIGEST)
    return message


def a_report_message() -> report_pb2.DeviceReport:
    deployment = DeploymentReport(
        deployment="default/d", generation=1, revision=1, phase=Phase.SOAKING, variant=DIGEST
    )
    report = DeviceReport(
        device="dev-a",
        boot_id="b",
        sequence=1,
        agent_version="0",
        desired_version=1,
        hardware=HARDWARE,
        deployments=(deployment,),
    )
    message = codec.encode_report(report)
    message.deployments[0].golden.golden = DIGEST
    message.deployments[0].preflight.p50_ms = 1.0
    return message


def a_batch_message() -> telemetry_pb2.TelemetryBatch:
    message = telemetry_pb2.TelemetryBatch()
    window = message.windows.add(variant=DIGEST)
    window.latency_ms.index.extend([1, 2])
    window.latency_ms.count.extend([1, 1])
    return message


def _unknown_role(message: desired_pb2.DesiredState) -> None:
    message.assignments[0].artifacts[0].role = 9  # type: ignore[assignment]


def _no_role(message: desired_pb2.DesiredState) -> None:
    message.assignments[0].artifacts[0].role = desired_pb2.ARTIFACT_ROLE_UNSPECIFIED


def _bad_artifact_digest(message: desired_pb2.DesiredState) -> None:
    message.assignments[0].artifacts[0].digest = "sha256:12"


def _bad_variant(message: desired_pb2.DesiredState) -> None:
    message.assignments[0].variant = "../../etc/passwd"


def _negative_soak(message: desired_pb2.DesiredState) -> None:
    message.assignments[0].soak_s = -1.0


def _endless_limit(message: desired_pb2.DesiredState) -> None:
    message.assignments[0].preflight.max_latency_p95_ms = float("inf")


def _nan_ratio(message: desired_pb2.DesiredState) -> None:
    message.assignments[0].preflight.max_latency_ratio = float("nan")


def _many_artifacts(message: desired_pb2.DesiredState) -> None:
    for _ in range(ARTIFACTS_PER_ASSIGNMENT):
        message.assignments[0].artifacts.add()


def _many_assignments(message: desired_pb2.DesiredState) -> None:
    for _ in range(DEPLOYMENTS_PER_DEVICE):
        message.assignments.add()


def _bad_heartbeat(message: desired_pb2.DesiredState) -> None:
    message.heartbeat_s = float("nan")


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (_unknown_role, r"assignments\[0\]\.artifacts\[0\]\.role"),
        (_no_role, r"assignments\[0\]\.artifacts\[0\]\.role"),
        (_bad_artifact_digest, r"assignments\[0\]\.artifacts\[0\]\.digest"),
        (_bad_variant, r"assignments\[0\]\.variant"),
        (_negative_soak, r"assignments\[0\]\.soak_s"),
        (_endless_limit, r"assignments\[0\]\.preflight\.max_latency_p95_ms"),
        (_nan_ratio, r"assignments\[0\]\.preflight\.max_latency_ratio"),
        (_many_artifacts, r"assignments\[0\]\.artifacts: has 33"),
        (_many_assignments, r"assignments: has 33"),
        (_bad_heartbeat, "heartbeat_s"),
    ],
)
def test_a_spoilt_desired_state_is_refused(
    spoil: Callable[[desired_pb2.DesiredState], None], field: str
) -> None:
    message = a_desired_message()
    codec.decode_desired(message)
    spoil(message)
    with pytest.raises(ValueError, match=f"^{field}"):
        codec.decode_desired(message)


def _unknown_phase(message: report_pb2.DeviceReport) -> None:
    message.deployments[0].phase = 77  # type: ignore[assignment]


def _bad_running(message: report_pb2.DeviceReport) -> None:
    message.deployments[0].running = "none"


def _bad_golden(message: report_pb2.DeviceReport) -> None:
    message.deployments[0].golden.golden = ""


def _many_answers(message: report_pb2.DeviceReport) -> None:
    message.deployments[0].golden.candidate.extend([0] * (GOLDEN_INPUTS + 1))


def _many_old_answers(message: report_pb2.DeviceReport) -> None:
    message.deployments[0].golden.active.extend([0] * (GOLDEN_INPUTS + 1))


def _nan_latency(message: report_pb2.DeviceReport) -> None:
    message.deployments[0].preflight.active_p95_ms = float("nan")


def _many_deployments(message: report_pb2.DeviceReport) -> None:
    for _ in range(DEPLOYMENTS_PER_DEVICE):
        message.deployments.add()


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (_unknown_phase, r"deployments\[0\]\.phase"),
        (_bad_running, r"deployments\[0\]\.running"),
        (_bad_golden, r"deployments\[0\]\.golden\.golden"),
        (_many_answers, r"deployments\[0\]\.golden\.candidate"),
        (_many_old_answers, r"deployments\[0\]\.golden\.active"),
        (_nan_latency, r"deployments\[0\]\.preflight\.active_p95_ms"),
        (_many_deployments, "deployments: has 33"),
    ],
)
def test_a_spoilt_report_is_refused(
    spoil: Callable[[report_pb2.DeviceReport], None], field: str
) -> None:
    message = a_report_message()
    codec.decode_report(message)
    spoil(message)
    with pytest.raises(ValueError, match=f"^{field}"):
        codec.decode_report(message)


def _unpaired(message: telemetry_pb2.TelemetryBatch) -> None:
    message.windows[0].latency_ms.count.pop()


def _falling(message: telemetry_pb2.TelemetryBatch) -> None:
    message.windows[0].latency_ms.index[1] = 1


def _many_buckets(message: telemetry_pb2.TelemetryBatch) -> None:
    message.windows[0].latency_ms.index.extend(range(3, 3 + HISTOGRAM_BUCKETS))


def _many_classes(message: telemetry_pb2.TelemetryBatch) -> None:
    message.windows[0].classes.update(dict.fromkeys(range(CLASSES_COUNTED + 1), 1))


def _bad_total(message: telemetry_pb2.TelemetryBatch) -> None:
    message.windows[0].latency_ms.total = float("inf")


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (_unpaired, r"windows\[0\]\.latency_ms\.count"),
        (_falling, r"windows\[0\]\.latency_ms\.index"),
        (_many_buckets, r"windows\[0\]\.latency_ms\.index"),
        (_many_classes, r"windows\[0\]\.classes"),
        (_bad_total, r"windows\[0\]\.latency_ms\.total"),
    ],
)
def test_spoilt_telemetry_is_refused(
    spoil: Callable[[telemetry_pb2.TelemetryBatch], None], field: str
) -> None:
    message = a_batch_message()
    codec.decode_telemetry(message)
    spoil(message)
    with pytest.raises(ValueError, match=f"^{field}"):
        codec.decode_telemetry(message)


def test_too_many_labels_are_refused() -> None:
    message = device_plane_pb2.EnrolRequest(labels={f"device/{i}": "" for i in range(LABELS + 1)})
    with pytest.raises(ValueError, match=r"^labels: has 65 items, the limit is 64"):
        codec.decode_enrol_request(message)


def test_text_for_people_is_cut_and_never_refused() -> None:
    message = a_report_message()
    message.deployments[0].message = "x" * (2 * MESSAGE_TEXT_CHARS)
    decoded = codec.decode_report(message)
    assert len(decoded.deployments[0].message) == MESSAGE_TEXT_CHARS

"""The observed state of the device, from its context."""

from dataclasses import dataclass

from shoal.agent.core.lives import Context, Life, golden_of
from shoal.contract.limits import MESSAGE_TEXT_CHARS
from shoal.contract.profile import HardwareProfile
from shoal.contract.report import (
    DeploymentReport,
    DeviceReport,
    GoldenAnswers,
    Phase,
    TrialResult,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a report says that the core does not decide."""

    device: str
    boot_id: str
    agent_version: str
    hardware: HardwareProfile
    serving_url: str = ""
    link: str = "grpc"
    trials: tuple[TrialResult, ...] = ()
    scouts: bool = True


def device_report(
    context: Context, facts: Facts, *, sequence: int, spool_windows: int
) -> DeviceReport:
    """Everything, whole: any report may be lost or repeated without harm."""
    reports = (_deployment_report(life) for life in context.lives)
    return DeviceReport(
        device=facts.device,
        boot_id=facts.boot_id,
        sequence=sequence,
        agent_version=facts.agent_version,
        desired_version=context.desired_version,
        hardware=facts.hardware,
        deployments=tuple(report for report in reports if report is not None),
        serving_url=facts.serving_url,
        spool_windows=spool_windows,
        link=facts.link,
        trials=facts.trials,
        scouts=facts.scouts,
    )


def _deployment_report(life: Life) -> DeploymentReport | None:
    phase: Phase | None = life.state.phase
    if phase is None:
        return None
    install, running = life.install, life.running
    return DeploymentReport(
        deployment=life.deployment,
        generation=life.assignment.generation,
        revision=life.assignment.revision,
        phase=phase,
        variant=life.assignment.variant,
        reason=install.reason,
        message=install.message[:MESSAGE_TEXT_CHARS],
        running=None if running is None else running.variant,
        running_generation=0 if running is None else running.generation,
        running_revision=0 if running is None else running.assignment.revision,
        running_model="" if running is None else running.assignment.model,
        good_inferences=install.good,
        errors=install.errors,
        restarts=install.restarts,
        fetched_bytes=install.fetched_bytes,
        preflight=install.preflight,
        golden=_golden_answers(life),
        previous=None if life.previous is None else life.previous.variant,
    )


def _golden_answers(life: Life) -> GoldenAnswers | None:
    """The answers of the switched engine, until the controller has acknowledged them."""
    golden, install = golden_of(life.assignment), life.install
    if golden is None or install.candidate_answers is None or install.acknowledged:
        return None
    return GoldenAnswers(
        golden=golden, candidate=install.candidate_answers, active=install.active_answers
    )

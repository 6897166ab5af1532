"""From what a device said to its outcome (design: section 6 points 2 and 3)."""

from dataclasses import dataclass

from shoal.contract.reason import Reason
from shoal.contract.report import DeploymentReport, Phase
from shoal.controller.domain.fleet import DeviceView
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.domain.revisions import Revision
from shoal.controller.domain.rollout import CohortProgress, DeviceRecord, Target
from shoal.controller.planning import targets

# Where a phase of the told generation leads when it is not about what runs.
_PHASES = {
    Phase.PENDING: Outcome.PENDING,
    Phase.FETCHING: Outcome.FETCHING,
    Phase.PREFLIGHT: Outcome.PREFLIGHT,
    Phase.SOAKING: Outcome.SOAKING,
    Phase.FAILED: Outcome.FAILED,
    Phase.REFUSED: Outcome.REFUSED,
    Phase.LOCAL_ROLLBACK: Outcome.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An outcome with the device's own words where it went wrong."""

    outcome: Outcome
    reason: str = ""
    message: str = ""


def untold(*, lost: bool) -> Standing:
    """A device whose turn has not come."""
    return Standing(outcome=Outcome.UNREACHABLE if lost else Outcome.PENDING)


def of(
    now: float,
    current: Revision,
    progress: CohortProgress,
    device: DeviceView,
    known: DeviceRecord | None,
) -> Standing:
    """Where a device stands with what its cohort gets from the current revision."""
    content = current.content.of(progress.cohort)
    if content is None or not content.variants:
        why = content.reason if content else ""
        return Standing(outcome=Outcome.NO_FEASIBLE_VARIANT, message=why)
    if progress.reverted:
        return Standing(outcome=Outcome.SUPERSEDED, reason=Reason.COHORT_REVERTED)
    if known is None or known.told is None or known.told.revision != current.number:
        return untold(lost=device.lost)
    if known.again or known.told.variant != targets.variant_of(content, progress):
        return untold(lost=device.lost)
    return _told(now, current.content.strategy.device_timeout_s, device, known, known.told)


def confirmed(device: DeviceView, known: DeviceRecord, told: Target) -> bool:
    """Whether the device is observed running what it was told, under the generation it was told.

    An engine that is just starting again runs nothing for a moment; that revokes nothing. Another
    digest does.
    """
    report = device.report
    if report is None or report.generation != known.generation:
        return False
    if report.phase is not Phase.CONFIRMED:
        return False
    if report.running is None:
        return known.confirmed
    return report.running == told.variant and report.running_generation == known.generation


def _told(
    now: float, timeout_s: float, device: DeviceView, known: DeviceRecord, told: Target
) -> Standing:
    report = device.report
    if confirmed(device, known, told):
        return Standing(outcome=Outcome.CONFIRMED)
    outcome = _phase(report, known.generation)
    if outcome.failure and report is not None:
        local = report.phase is Phase.LOCAL_ROLLBACK
        reason = report.reason or (Reason.LOCAL_ROLLBACK if local else "")
        return Standing(outcome=outcome, reason=reason, message=report.message)
    if device.lost:
        return Standing(outcome=Outcome.UNREACHABLE)
    if now >= deadline(known, told, timeout_s):
        return Standing(
            outcome=Outcome.TIMED_OUT,
            reason=Reason.TIMED_OUT,
            message=f"still {outcome} {timeout_s:g} s after it was told",
        )
    return Standing(outcome=outcome)


def deadline(known: DeviceRecord, told: Target, timeout_s: float) -> float:
    """When a device has taken too long.

    The timeout covers fetch, preflight and switch, the soak comes on top. Told at 100 with
    deviceTimeout 60 s and soak 30 s: 190.
    """
    return known.since + timeout_s + told.soak_s


def _phase(report: DeploymentReport | None, generation: int) -> Outcome:
    """The phase under the told generation; Confirmed without the proof is Pending."""
    if report is None or report.generation != generation:
        return Outcome.PENDING
    return _PHASES.get(report.phase, Outcome.PENDING)

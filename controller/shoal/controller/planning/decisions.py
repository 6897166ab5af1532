"""What a guard may answer, besides that it does not apply."""

from dataclasses import dataclass

from shoal.contract.reason import Reason
from shoal.controller.domain.plan import PlanEvent, Severity
from shoal.controller.domain.rollout import RolloutRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The record changed: look again, from the first guard on."""

    record: RolloutRecord
    events: tuple[PlanEvent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A pause by Shoal, ended by new evidence, promote, retry, abort or undo."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """A device whose turn has come and that may not start, why, and until when if that is known."""

    device: str
    reason: Reason
    message: str
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """This pass ends here; `go` names the devices that may be told the current revision now.

    An empty `reason` is the ordinary course of things.
    """

    reason: Reason | None = None
    message: str = ""
    go: tuple[str, ...] = ()


Decision = Moved | Held | Settled


def normal(reason: Reason, message: str) -> PlanEvent:
    """An event that is good or neutral news."""
    return PlanEvent(severity=Severity.NORMAL, reason=reason, message=message)


def warning(reason: Reason, message: str) -> PlanEvent:
    """An event that somebody should look at."""
    return PlanEvent(severity=Severity.WARNING, reason=reason, message=message)

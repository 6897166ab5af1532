"""Which budget, threshold or window lets a rollout starve, seen from where a rehearsal stands."""

from dataclasses import dataclass

from shoal.contract.reason import Reason
from shoal.controller.deciding.rehearsing import End, Rehearsal
from shoal.controller.domain.plan import Plan
from shoal.controller.planning import allocating, naming
from shoal.controller.planning.decisions import Withheld
from shoal.controller.planning.looking import look
from shoal.controller.planning.view import View

# What an operator would have to change, by the reason for which the planner waits or holds.
_FIELDS: dict[str, str] = {
    Reason.MAX_UNAVAILABLE: "maxUnavailable",
    Reason.QUORUM_MISSING: "quorum",
    Reason.THRESHOLD_UNMET: "successThreshold",
    Reason.TOO_MANY_COHORTS: "selector",
    Reason.TOO_MANY_DEVICES: "maxDevices",
    Reason.TOO_MANY_FAILURES: "maxFailures",
    Reason.PROGRESS_DEADLINE: "progressDeadline",
    Reason.APPROVAL_MISSING: "approval",
    Reason.PAUSED: "pause",
    Reason.NO_FEASIBLE_VARIANT: "budget",
    Reason.CONFLICT: "selector",
    Reason.MODEL_NOT_READY: "model",
    Reason.NO_DEVICES: "selector",
    Reason.OUTSIDE_WINDOW: "window",
    Reason.RATE_LIMITED: "ratePerMinute",
    Reason.SUSPENDED: "suspended",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Starvation:
    """Something that keeps a rollout from its end although every device does well.

    `by` is the field of the manifest to look at, or the state of the rollout.
    """

    by: str
    reason: str
    message: str


def causes(view: View, plan: Plan, rehearsal: Rehearsal | None) -> tuple[Starvation, ...]:
    """Everything that stands in the way; nothing where the rollout would end well."""
    if rehearsal is None:
        held = plan.record.hold or plan.record.waiting
        going = view.current is not None and not view.current.result.open
        return () if held is None or going else (_cause(held.reason, held.message),)
    if rehearsal.end is not End.STANDS:
        return ()
    standing = rehearsal.plan.record.hold or rehearsal.plan.record.waiting
    found = [] if standing is None else [_cause(standing.reason, standing.message)]
    if standing is not None and standing.reason == Reason.PROGRESS_DEADLINE and rehearsal.waits:
        last = rehearsal.waits[-1]
        if last.reason:
            found.append(_cause(last.reason, last.message))
    if not found:
        found = _withheld(look(rehearsal.snapshot, rehearsal.plan.record))
    return tuple(found)


def _cause(reason: str, message: str) -> Starvation:
    return Starvation(by=_FIELDS.get(reason, reason), reason=reason, message=message)


def _withheld(view: View) -> list[Starvation]:
    """What keeps devices back whose wave came: one cause for each reason."""
    devices: dict[Reason, list[Withheld]] = {}
    for one in allocating.allocate(view).withheld:
        devices.setdefault(one.reason, []).append(one)
    return [
        _cause(reason, f"{naming.listed([one.device for one in those])} wait: {those[0].message}")
        for reason, those in devices.items()
    ]

"""The conditions of a deployment: Progressing, Available, Degraded, Following, Conflict."""

from shoal.contract.reason import Reason
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.domain.plan import Condition
from shoal.controller.planning import naming
from shoal.controller.planning.guards import deadlines
from shoal.controller.planning.view import View


def conditions_of(view: View) -> tuple[Condition, ...]:
    """All five, always in this order."""
    return (
        _progressing(view),
        _available(view),
        _degraded(view),
        _following(view),
        _conflict(view),
    )


def following(view: View) -> bool:
    """Whether a new model revision starts a rollout by itself."""
    return view.snapshot.pinned is None and not view.record.suspended


def _progressing(view: View) -> Condition:
    record, current = view.record, view.current
    if record.hold is not None:
        return _no("Progressing", record.hold.reason, record.hold.message)
    if current is None or not current.result.open:
        waiting = record.waiting
        if waiting is not None:
            return _no("Progressing", waiting.reason, waiting.message)
        why = f"revision {current.number} is {current.result}" if current else ""
        return _no("Progressing", current.reason if current else Reason.STARTED, why)
    due = deadlines.due_at(view)
    if due is not None and view.now >= due:
        return _no("Progressing", Reason.PROGRESS_DEADLINE, deadlines.expired_message(view))
    reason = Reason.REOPENED if current.completed_at is not None else Reason.STARTED
    return _yes("Progressing", current.reason or reason, current.message)


def _available(view: View) -> Condition:
    """Whether the share of devices that may be missing at once is not exceeded."""
    ready = sum(one.device.ready and not one.device.lost for one in view.members)
    missing = len(view.members) - ready
    allowed = max(1, view.strategy.max_unavailable.down(len(view.members)))
    verb = "is" if len(view.members) == 1 else "are"
    text = f"{ready} of {naming.counted(len(view.members), 'device')} {verb} ready"
    if view.members and missing <= allowed:
        return _yes("Available", "DevicesReady", text)
    return _no("Available", "DevicesMissing" if view.members else Reason.NO_DEVICES, text)


def _degraded(view: View) -> Condition:
    failed = sorted(one.name for one in view.members if one.outcome.failure)
    unfit = sorted(one.name for one in view.members if one.outcome is Outcome.NO_FEASIBLE_VARIANT)
    back = sorted(one.content.profile for one in view.cohorts if one.progress.reverted)
    parts = [
        f"{what}: {naming.listed(names)}"
        for what, names in (
            ("failed", failed),
            ("no feasible variant", unfit),
            ("cohorts taken back", back),
        )
        if names
    ]
    if parts:
        return _yes("Degraded", "DevicesBlocked", "; ".join(parts))
    return _no("Degraded", "AsExpected", "")


def _following(view: View) -> Condition:
    if view.snapshot.pinned is not None:
        pinned = f"pinned to revision {view.snapshot.pinned}"
        return _no("Following", Reason.PINNED, view.snapshot.missing_pin or pinned)
    if view.record.suspended:
        message = "until a newer model revision, a changed spec, or rollout resume --follow"
        return _no("Following", view.record.suspended, message)
    return _yes("Following", "Following", "")


def _conflict(view: View) -> Condition:
    other = view.snapshot.conflict
    if other is None:
        return _no("Conflict", "None", "")
    names = naming.listed(other.devices)
    return _yes("Conflict", Reason.CONFLICT, f"{other.deployment} already has {names}")


def _yes(kind: str, reason: str, message: str) -> Condition:
    return Condition(type=kind, status=True, reason=reason, message=message)


def _no(kind: str, reason: str, message: str) -> Condition:
    return Condition(type=kind, status=False, reason=reason, message=message)

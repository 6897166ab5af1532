"""Guard 2: what cannot run is held: a conflict, a missing model, nothing to start from.

An impossible budget is refused at admission; one that no variant meets is found by thresholds. What
the selector picks is known only here, so maxDevices is checked before anything is told.
"""

from dataclasses import replace

from shoal.contract.reason import Reason
from shoal.controller.planning import freezing, naming
from shoal.controller.planning.decisions import Decision, Held, Settled
from shoal.controller.planning.view import View


def decide(view: View) -> Decision | None:
    """Hold or wait where there is no way to go on, or nothing to start with yet."""
    snapshot = view.snapshot
    if snapshot.conflict is not None:
        other = snapshot.conflict
        return Held(
            reason=Reason.CONFLICT,
            message=f"{snapshot.deployment} and {other.deployment} both deploy {snapshot.model}; "
            f"{other.deployment} is older and keeps {naming.listed(other.devices)}",
        )
    crowd = _crowd(view)
    if crowd is not None:
        return crowd
    if not snapshot.models and (view.current is None or view.running):
        return Held(reason=Reason.MODEL_NOT_READY, message=f"model {snapshot.model} does not exist")
    return None if view.current is not None else _nothing_to_start(view)


def _crowd(view: View) -> Held | None:
    """A selector that picks more than was meant, as long as none of it has been told."""
    most = view.strategy.max_devices
    begun = view.current is not None and (not view.running or view.record.wave >= 0)
    if begun or most is None or len(view.members) <= most:
        return None
    return Held(
        reason=Reason.TOO_MANY_DEVICES,
        message=f"the selector picks {naming.counted(len(view.members), 'device')},"
        f" maxDevices allows {most}",
    )


def _nothing_to_start(view: View) -> Settled | None:
    """What the first revision waits for."""
    snapshot = view.snapshot
    model = snapshot.newest_ready
    if model is None:
        wanted = (
            snapshot.model if snapshot.pinned is None else f"{snapshot.model}@{snapshot.pinned}"
        )
        message = snapshot.missing_pin or f"{wanted} is not ready yet"
        return Settled(reason=Reason.MODEL_NOT_READY, message=message)
    content = freezing.content_of(replace(snapshot, record=view.record), model)
    if isinstance(content, freezing.NotYet):
        return Settled(reason=content.reason, message=content.message)
    return None

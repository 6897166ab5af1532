"""Write down how a pass ended: a hold with its start, or what is being waited for."""

from dataclasses import replace

from shoal.contract.reason import Reason
from shoal.controller.domain.plan import PlanEvent
from shoal.controller.domain.revisions import Result, Revision, WaveState
from shoal.controller.domain.rollout import Hold, RolloutRecord, Waiting
from shoal.controller.domain.snapshot import Snapshot
from shoal.controller.planning.decisions import Held, Settled, normal, warning

_WARNED = frozenset({Reason.NO_DEVICES})  # waiting that somebody should look at


def close(
    snapshot: Snapshot, record: RolloutRecord, decision: Held | Settled
) -> tuple[RolloutRecord, tuple[PlanEvent, ...]]:
    """The record with the hold or the waiting, and an event where the reason is a new one."""
    if isinstance(decision, Held):
        return _hold(snapshot.now, record, decision)
    before = record.waiting
    events: tuple[PlanEvent, ...] = ()
    waiting = None
    if decision.reason is not None:
        waiting = Waiting(reason=decision.reason, message=decision.message)
        if before is None or before.reason != decision.reason:
            say = warning if decision.reason in _WARNED else normal
            events = (say(decision.reason, decision.message),)
    record = replace(record, hold=None, waiting=waiting)
    current = record.current
    if current is not None and current.result.open:
        reason = decision.reason or ""
        record = _open(record, current, Result.ACTIVE, reason, decision.message)
    return record, events


def _hold(
    now: float, record: RolloutRecord, held: Held
) -> tuple[RolloutRecord, tuple[PlanEvent, ...]]:
    before = record.hold
    same = before is not None and before.reason == held.reason
    since = before.since if before is not None and same else now
    events = () if same else (warning(held.reason, held.message),)
    record = replace(
        record, hold=Hold(reason=held.reason, message=held.message, since=since), waiting=None
    )
    current = record.current
    if current is not None and current.result.open:
        record = _open(record, current, Result.HELD, held.reason, held.message)
    return record, events


def _open(
    record: RolloutRecord, current: Revision, result: Result, reason: str, message: str
) -> RolloutRecord:
    """The current revision and its wave in this state."""
    state = WaveState.HELD if result is Result.HELD else WaveState.ACTIVE
    waves = tuple(
        replace(one, state=state) if one.state in {WaveState.ACTIVE, WaveState.HELD} else one
        for one in current.waves
    )
    return record.with_current(result=result, reason=reason, message=message, waves=waves)

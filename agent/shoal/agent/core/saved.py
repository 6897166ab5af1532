"""What survives a restart: the persisted form of the context, and the bridges to the live one.

Tickets, what the engine holds, counts and back-off are of one process and are left out. `save` and
`resume` are the only ways between both forms; the JSON form is `shoal.contract.jsonform`'s.
"""

from dataclasses import dataclass, replace

from shoal.agent.core import assignments, outcomes, serving, soaks
from shoal.agent.core import events as ev
from shoal.agent.core.effects import Collect, Effect
from shoal.agent.core.lives import Context, Install, Life, Slot, Start, State
from shoal.agent.core.outcomes import Outcome
from shoal.contract.assignment import Assignment
from shoal.contract.report import PreflightResult

_ON_THE_WAY = frozenset({State.PENDING, State.FETCHING, State.PREFLIGHT})
_STARTING = frozenset({State.LOADING, State.SWITCHING})


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedSlot:
    """A slot on disk."""

    assignment: Assignment
    confirmed: bool
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedLife:
    """One deployment on disk."""

    deployment: str
    state: State
    assignment: Assignment
    active: SavedSlot | None
    previous: SavedSlot | None
    successor: Assignment | None
    leaving: bool
    starts: tuple[Start, ...]
    reason: str
    message: str
    preflight: PreflightResult | None
    active_answers: tuple[int, ...]
    candidate_answers: tuple[int, ...] | None
    reconfirming: bool
    acknowledged: bool
    restarts: int
    fetched_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedDevice:
    """The device on disk."""

    desired_version: int
    telemetry_window_s: float
    heartbeat_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """Everything that survives."""

    device: SavedDevice
    lives: tuple[SavedLife, ...]


def save(context: Context) -> Saved:
    """The persisted form of `context`."""
    device = SavedDevice(
        desired_version=context.desired_version,
        telemetry_window_s=context.telemetry_window_s,
        heartbeat_s=context.heartbeat_s,
    )
    return Saved(device=device, lives=tuple(_save_life(life) for life in context.lives))


def _save_life(life: Life) -> SavedLife:
    return SavedLife(
        deployment=life.deployment,
        state=life.state,
        assignment=life.assignment,
        active=_save_slot(life.active),
        previous=_save_slot(life.previous),
        successor=life.successor,
        leaving=life.leaving,
        starts=life.starts,
        reason=life.install.reason,
        message=life.install.message,
        preflight=life.install.preflight,
        active_answers=life.install.active_answers,
        candidate_answers=life.install.candidate_answers,
        reconfirming=life.install.reconfirming,
        acknowledged=life.install.acknowledged,
        restarts=life.install.restarts,
        fetched_bytes=life.install.fetched_bytes,
    )


def _save_slot(slot: Slot | None) -> SavedSlot | None:
    if slot is None:
        return None
    return SavedSlot(assignment=slot.assignment, confirmed=slot.confirmed, since=slot.since)


def resume(saved: Saved, now: float) -> tuple[Context, tuple[Effect, ...]]:
    """The live form in a new process, and the effects that continue where the last one stopped.

    Slots come back first (I1); the controller is not needed. A start that took the whole agent
    with it counts as a failed one, or a candidate could kill the device for ever.
    """
    context = Context(
        desired_version=saved.device.desired_version,
        telemetry_window_s=saved.device.telemetry_window_s,
        heartbeat_s=saved.device.heartbeat_s,
    )
    back: list[Effect] = []
    onward: list[Effect] = []
    for one in saved.lives:
        life, effects = _served_again(_live(one))
        back.extend((outcomes.point(life), *effects))
        life, effects = _continued(life, now)
        onward.extend(effects)
        context = context.with_life(life)
    return context, (*back, Collect(), *onward)


def _live(one: SavedLife) -> Life:
    install = Install(
        reason=one.reason,
        message=one.message,
        preflight=one.preflight,
        active_answers=one.active_answers,
        candidate_answers=one.candidate_answers,
        reconfirming=one.reconfirming,
        acknowledged=one.acknowledged,
        restarts=one.restarts,
        fetched_bytes=one.fetched_bytes,
    )
    return Life(
        deployment=one.deployment,
        state=one.state,
        assignment=one.assignment,
        install=install,
        active=_live_slot(one.active),
        previous=_live_slot(one.previous),
        successor=one.successor,
        leaving=one.leaving,
        starts=one.starts,
    )


def _live_slot(slot: SavedSlot | None) -> Slot | None:
    if slot is None:
        return None
    return Slot(
        assignment=slot.assignment,
        loaded_as=slot.assignment.generation,
        confirmed=slot.confirmed,
        since=slot.since,
    )


def _served_again(life: Life) -> Outcome:
    return (life, ()) if life.state is State.REMOVING else serving.restore(life)


def _continued(life: Life, now: float) -> Outcome:
    """Take up the install where the journal ends."""
    if life.state in _STARTING:
        life = outcomes.failed_start(life, life.assignment.variant)
    if life.leaving or life.state is State.REMOVING:
        return _leave_again(life, now)
    if life.successor is not None:
        return assignments.take_up(life, life.successor)
    if life.state in _STARTING | _ON_THE_WAY:
        return _begin_again(life)
    if life.state is State.SOAKING:
        life = replace(life, install=replace(life.install, soak_start=now))
        return soaks.observe(life, wait_s=0.0)
    return life, ()


def _begin_again(life: Life) -> Outcome:
    """The same assignment from the survey on: what is on disk is not fetched again."""
    fetched_bytes = life.install.fetched_bytes
    life, effects = assignments.begin(life, life.assignment)
    return replace(life, install=replace(life.install, fetched_bytes=fetched_bytes)), effects


def _leave_again(life: Life, now: float) -> Outcome:
    successor = life.successor
    life, effects = assignments.depart(life, ev.Unassigned(), now)
    return replace(life, successor=successor), effects

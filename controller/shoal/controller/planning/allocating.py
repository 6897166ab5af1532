"""Which devices may be told now, and what keeps the others of an open wave waiting.

Windows, the rate and maxUnavailable are asked in this order. Unavailable is a device from when it
was told until it confirmed or finished otherwise, or one that is not ready; telling such a device
costs nothing more. Lost devices are a debt: they count nowhere, and are told when they are back,
or at once where a return must reach them before they wake up.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from shoal.contract.reason import Reason
from shoal.controller.planning import pacing, targets
from shoal.controller.planning.budgets import Group, Room, free, in_flight, unavailable
from shoal.controller.planning.decisions import Settled, Withheld
from shoal.controller.planning.view import CohortView, Member, View

__all__ = [
    "Allocation",
    "allocate",
    "allowed",
    "in_flight",
    "settled",
    "taken_back",
    "unavailable",
    "wanting",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Who may be told the current revision now, and who has to wait for what."""

    go: tuple[str, ...] = ()
    withheld: tuple[Withheld, ...] = ()


def allowed(view: View) -> tuple[str, ...]:
    """Devices of open waves and debts of finished cohorts that may be told now."""
    return allocate(view).go


def allocate(view: View) -> Allocation:
    """Everyone whose turn has come, sorted into those who may start and those who may not yet."""
    if view.current is None or view.current.result.tombstone:
        return Allocation()
    room, pace, places = Room(view), pacing.left(view), pacing.places(view)
    # What must be taken back comes first, so that unproven variants never become more.
    back = tuple(_misplaced(view, ()))
    room.reserve(one for one in back if _moves(view, one))
    room.release(one for one in back if _withdrawn(view, one))
    go, withheld = [], []
    for cohort, member in _candidates(view):
        new = not cohort.progress.returning
        why = pacing.withheld(view, member.device) if new else None
        if why is None and new and pace < 1:
            why = pacing.limited(view, member.device)
        joins = member.known is None or member.known.told is None
        if why is None and joins and places < 1:
            why = pacing.crowded(view, member.device)
        if why is None and not free(member) and (full := room.take(member)) is not None:
            why = _full(room, member, full)
        if why is not None:
            withheld.append(why)
            continue
        pace -= new
        places -= joins
        go.append(member.name)
    return Allocation(go=tuple(go), withheld=tuple(withheld))


def settled(view: View) -> Settled:
    """Let start who may; where nothing moves nor may move, say what is being waited for."""
    found = allocate(view)
    moving = any(in_flight(one) for cohort in view.open for one in cohort.judged)
    if found.go or moving or not found.withheld:
        return Settled(go=found.go)
    first = found.withheld[0]
    who = f"{first.device} waits"
    if found.withheld[1:]:
        who = f"{len(found.withheld)} devices wait, {first.device} among them"
    message = f"{who}: {first.message}"
    return Settled(reason=first.reason, message=message)


def taken_back(view: View, go: Collection[str]) -> tuple[str, ...]:
    """Devices that hold what may not stand and that do not move on by themselves.

    They go back whatever guard decided, also while paused, within what `go` leaves of
    maxUnavailable. A reachable device whose wave came waits for its turn instead.
    """
    room = Room(view)
    room.reserve(one for one in view.members if one.name in go and not free(one))
    return tuple(
        one.name for one in _misplaced(view, go) if not _moves(view, one) or room.take(one) is None
    )


def wanting(cohort: CohortView, member: Member) -> bool:
    """Whether its turn has come and it was not told yet, or is to be told again."""
    if not member.in_wave or (member.device.lost and not cohort.progress.returning):
        return False
    again = member.known is not None and member.known.again
    return again or not member.told


def _misplaced(view: View, go: Collection[str]) -> Iterator[Member]:
    """Devices whose assignment may not stand and that are not called to the current revision.

    A device of a return that is called and has to wait is among them where moving it is free: it
    must not wake up to what was given up. So is a suspended one, which nothing new is told.
    """
    called = {one.name for one in _called(view)}
    for member in view.members:
        told = member.known.told if member.known else None
        if told is None or member.name in go or member.name in called:
            continue
        if not targets.stale(view.record, told):
            continue
        # What has nowhere to go but where it is already is not moved.
        if targets.rest(view.record, told, member.device.report) != told:
            yield member


def _moves(view: View, member: Member) -> bool:
    """Whether leading it back makes it unavailable."""
    return not free(member) and not _withdrawn(view, member)


def _withdrawn(view: View, member: Member) -> bool:
    """Whether it has nowhere to go back to: it keeps what it runs, and nothing is under way."""
    told = member.known.told if member.known else None
    return told is not None and targets.rest(view.record, told, member.device.report) is None


def _called(view: View) -> Iterator[Member]:
    if view.current is not None and view.current.result.tombstone:
        return
    for cohort in view.cohorts:
        back = cohort.progress.returning
        for member in cohort.members:
            exempt = free(member) if back else member.device.suspended
            if wanting(cohort, member) and not exempt:
                yield member


def _candidates(view: View) -> Iterator[tuple[CohortView, Member]]:
    """First devices of all cohorts, then second ones, so that every canary starts early."""
    queues = [
        [(cohort, one) for one in cohort.members if wanting(cohort, one)] for cohort in view.cohorts
    ]
    for place in range(max((len(one) for one in queues), default=0)):
        yield from (queue[place] for queue in queues if place < len(queue))


def _full(room: Room, member: Member, group: Group) -> Withheld:
    return Withheld(
        device=member.name,
        reason=Reason.MAX_UNAVAILABLE,
        message=f"as many devices of {group} are unavailable as may be: {room.limit(group)}",
    )

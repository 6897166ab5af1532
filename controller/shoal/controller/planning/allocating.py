"""Which devices may be told now: those whose wave came, within maxUnavailable."""

from collections.abc import Collection, Iterable, Iterator

from shoal.contract.report import Phase
from shoal.controller.domain.outcomes import Outcome
from shoal.controller.planning import targets
from shoal.controller.planning.view import CohortView, Member, View


def allowed(view: View) -> tuple[str, ...]:
    """Devices of open waves and debts of finished cohorts that may be told now.

    25 % of 9 devices is 2 at a time. Unavailable is a device from when it was told until it
    confirmed or finished otherwise, or one that is not ready; telling such a device costs nothing
    more. Lost devices are a debt: they count nowhere, and are told when they are back, or at once
    where a return must reach them before they wake up.
    """
    if view.current is None or view.current.result.tombstone:
        return ()
    # What must be taken back comes first, so that unproven variants never become more.
    owed = [one for one in _misplaced(view, ()) if not _free(one)]
    return _within(_left(view) - len(owed), _candidates(view))


def taken_back(view: View, go: Collection[str]) -> tuple[str, ...]:
    """Devices that hold what may not stand and that do not move on by themselves.

    They go back whatever guard decided, also while paused, within what `go` leaves of
    maxUnavailable. A reachable device whose wave came waits for its turn instead.
    """
    starting = [one for one in view.members if one.name in go and not _free(one)]
    return _within(_left(view) - len(starting), _misplaced(view, go))


def _left(view: View) -> int:
    limit = max(1, view.strategy.max_unavailable.down(len(view.members)))
    return limit - sum(unavailable(one) for one in view.members)


def _within(left: int, members: Iterable[Member]) -> tuple[str, ...]:
    names = []
    for member in members:
        if not _free(member):
            if left <= 0:
                continue
            left -= 1
        names.append(member.name)
    return tuple(names)


def _free(member: Member) -> bool:
    """Whether telling the device something makes none unavailable that was not so before."""
    return member.device.lost or unavailable(member)


def _misplaced(view: View, go: Collection[str]) -> Iterator[Member]:
    """Devices whose assignment may not stand and that are not called to the current revision.

    A device of a return that is called and has to wait is among them where moving it is free: it
    must not wake up to what was given up.
    """
    dead = view.current is not None and view.current.result.tombstone
    called = {
        one.name
        for cohort in view.cohorts
        for one in cohort.members
        if not dead and wanting(cohort, one) and not (cohort.progress.returning and _free(one))
    }
    for member in view.members:
        told = member.known.told if member.known else None
        if told is None or member.name in go or member.name in called:
            continue
        if not targets.stale(view.record, told):
            continue
        # What has nowhere to go but where it is already is not moved.
        if targets.rest(view.record, told, member.device.report) != told:
            yield member


def unavailable(member: Member) -> bool:
    """Whether the device serves nobody, or may stop to at any moment; never so when lost."""
    if member.device.lost:
        return False
    return not member.device.ready or in_flight(member)


def in_flight(member: Member) -> bool:
    """Whether what it was told last has not come to an end, one way or the other."""
    known, report = member.known, member.device.report
    if known is None or known.told is None or known.confirmed:
        return False
    if report is None or report.generation != known.generation:
        return member.outcome is not Outcome.TIMED_OUT
    if report.phase.terminal:
        return False
    return report.phase is Phase.SOAKING or member.outcome is not Outcome.TIMED_OUT


def wanting(cohort: CohortView, member: Member) -> bool:
    """Whether its turn has come and it was not told yet, or is to be told again."""
    if not member.in_wave or (member.device.lost and not cohort.progress.returning):
        return False
    again = member.known is not None and member.known.again
    return again or not member.told


def _candidates(view: View) -> Iterator[Member]:
    """First devices of all cohorts, then second ones, so that every canary starts early."""
    queues = [[one for one in cohort.members if wanting(cohort, one)] for cohort in view.cohorts]
    for place in range(max((len(one) for one in queues), default=0)):
        yield from (queue[place] for queue in queues if place < len(queue))

"""When to look again though nothing changed."""

from collections.abc import Collection, Iterator

from shoal.contract import windows
from shoal.controller.planning import allocating, standing
from shoal.controller.planning.guards import deadlines, inconclusive
from shoal.controller.planning.view import View


def next_wake(view: View) -> float | None:
    """The nearest instant after now at which time alone may change a decision."""
    return min((one for one in _instants(view) if one > view.now), default=None)


def _paced(view: View) -> bool:
    """Whether time alone may let a device start: windows open, and minutes pass."""
    strategy = view.strategy
    own = any(one.device.window is not None for one in view.members)
    return strategy.window is not None or strategy.rate is not None or own


def _instants(view: View) -> Iterator[float]:
    if _paced(view):
        withheld = allocating.allocate(view).withheld
        yield from (one.until for one in withheld if one.until)
        yield from _closings(view, {one.device for one in withheld})
    due = deadlines.due_at(view)
    if due is not None:
        yield due
    for cohort in view.cohorts:
        until = inconclusive.soaked_until(view, cohort)
        if cohort.open and until is not None:
            yield until
        for member in cohort.in_wave:
            known = member.known
            if known is not None and known.told is not None and not member.outcome.finished:
                yield standing.deadline(known, known.told, view.strategy.device_timeout_s)


def _closings(view: View, waiting: Collection[str]) -> Iterator[float]:
    """When a window closes before these devices could start: they wait for its next opening then.

    A window from 2:00 to 6:00 in which maxUnavailable keeps two devices waiting: 6:00.
    """
    found = {one.device.window for one in view.members if one.name in waiting}
    for window in {*found, view.strategy.window if waiting else None}:
        closes = None if window is None else windows.closes_at(window, view.now)
        if closes is not None:
            yield closes

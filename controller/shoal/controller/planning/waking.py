"""When to look again though nothing changed."""

from collections.abc import Iterator

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
        yield from (one.until for one in allocating.allocate(view).withheld if one.until)
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

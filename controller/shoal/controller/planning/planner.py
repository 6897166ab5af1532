"""The rollout planner: a pure function from a snapshot to a plan (design: section 6).

What devices said is folded in first; then the guards are asked in their order, and the first that
applies decides. The order is the specification (point 10). A guard that changes the record sends
the planner back to the first one, so that each decision is made on what is true by then.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from shoal.controller.domain.plan import Plan, PlanEvent
from shoal.controller.domain.snapshot import Snapshot
from shoal.controller.planning import closing, looking, presenting, telling, waking
from shoal.controller.planning.decisions import Decision, Moved, Settled
from shoal.controller.planning.guards import (
    advancing,
    approvals,
    assigning,
    deadlines,
    deleted,
    failing,
    inconclusive,
    intents,
    pausing,
    quorums,
    runnable,
    superseding,
    thresholds,
)
from shoal.controller.planning.observing import observe
from shoal.controller.planning.view import View

Guard = Callable[[View], Decision | None]

GUARDS: tuple[Guard, ...] = (
    deleted.decide,  #       1 deleted
    runnable.decide,  #      2 cannot run: hold
    intents.decide,  #       3 the user's abort or undo
    superseding.decide,  #   4 newer approved revision: supersede
    failing.decide,  #       5 hard stop, failed gate, too many failures: onFailure
    pausing.decide,  #       6 paused: nothing new starts
    deadlines.decide,  #     7 progress deadline
    quorums.decide,  #       8 quorum missing: hold
    assigning.decide,  #     9 wave unfinished: assign within window, rate, maxUnavailable
    thresholds.decide,  #   10 thresholds unmet: hold
    inconclusive.decide,  # 11 gate inconclusive: prolong, then onInconclusive
    approvals.decide,  #    12 approval missing: wait
    advancing.decide,  #    13 next wave, or complete
)

# Each turn advances a wave, climbs a cohort, falls a step or changes the revision: all bounded, and
# far fewer than this. Reaching it is our own mistake, and a loop would take the controller with it.
_TURNS = 1_000


def plan(snapshot: Snapshot, guards: Sequence[Guard] = GUARDS) -> Plan:
    """What to tell which device now, what to remember, and when to look again.

    Law: with the record of its own plan, the same snapshot gives the same record, no event and
    nothing to tell. What was told bears on what is decided (a withdrawal makes room for another
    device), so that passes are made until one of them tells nothing.
    """
    events: tuple[PlanEvent, ...] = ()
    now = snapshot
    for _ in range(_TURNS):
        view, go, news = _decide(now, guards)
        record, events = telling.tell(view, go), (*events, *news)
        if record == view.record:
            return _planned(snapshot, view, events)
        now = replace(snapshot, record=record)
    raise RuntimeError(f"{snapshot.deployment}: telling devices does not come to rest")


def _planned(snapshot: Snapshot, view: View, events: tuple[PlanEvent, ...]) -> Plan:
    return Plan(
        record=view.record,
        tells=telling.tells(snapshot.record, view.record),
        withdrawals=telling.withdrawals(snapshot.record, view.record),
        desired=telling.desired(view.record),
        status=presenting.status_of(view),
        events=events,
        wake_at=waking.next_wake(view),
        removed=snapshot.deleted,
    )


def _decide(
    snapshot: Snapshot, guards: Sequence[Guard]
) -> tuple[View, tuple[str, ...], tuple[PlanEvent, ...]]:
    """The view under the record of what was decided, who may be told, and what is news."""
    record = snapshot.record
    events: tuple[PlanEvent, ...] = ()
    for _ in range(_TURNS):
        seen = observe(snapshot, record)
        decision = _first(seen.view, guards)
        events = (*events, *seen.events)
        if not isinstance(decision, Moved):
            record, news = closing.close(snapshot, seen.view.record, decision)
            go = decision.go if isinstance(decision, Settled) else ()
            return looking.under(seen.view, record), go, (*events, *news)
        record, events = decision.record, (*events, *decision.events)
    raise RuntimeError(f"{snapshot.deployment}: the guards do not come to rest")


def _first(view: View, guards: Sequence[Guard]) -> Decision:
    for guard in guards:
        decision = guard(view)
        if decision is not None:
            return decision
    return Settled()

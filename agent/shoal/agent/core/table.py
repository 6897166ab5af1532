"""The life of an assignment (design: section 7): state and event, what handles it, where it leads.

A pair that is not in the table changes nothing: the answer is late, repeated or superseded. Coming
back after a crash, and the way to LocalRollback, are in `serving.py`, because they concern what
serves and not what is being installed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shoal.agent.core import assignments as turn
from shoal.agent.core import events as ev
from shoal.agent.core import installs as do
from shoal.agent.core import soaks as soak
from shoal.agent.core.lives import Life, State
from shoal.agent.core.outcomes import Outcome

# The event's type is the key of the row, so a handler only ever meets its own.
Handler = Callable[[Life, Any, float], Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one state answers one event."""

    handler: Handler
    leads_to: frozenset[State]


PENDING, FETCHING, PREFLIGHT = State.PENDING, State.FETCHING, State.PREFLIGHT
LOADING, SWITCHING, SOAKING = State.LOADING, State.SWITCHING, State.SOAKING
CONFIRMED, FAILED, REFUSED = State.CONFIRMED, State.FAILED, State.REFUSED
ROLLED_BACK, REMOVING = State.LOCAL_ROLLBACK, State.REMOVING

BEGUN = (PENDING, REFUSED, FAILED)  # a bad digest is refused, an impossible assignment fails

# fmt: off
ROWS: tuple[tuple[State, type, Handler, tuple[State, ...]], ...] = (
    # in state    on event          is handled by         and leads to one of
    (PENDING,     ev.Surveyed,      do.surveyed,          (FETCHING, PREFLIGHT, SOAKING, FAILED)),
    (FETCHING,    ev.Fetched,       do.fetched,           (PREFLIGHT, SOAKING)),
    (FETCHING,    ev.FetchFailed,   do.fetch_failed,      (FETCHING, FAILED)),
    (PREFLIGHT,   ev.Probed,        do.probed,            (LOADING,)),
    (PREFLIGHT,   ev.ProbeFailed,   do.probe_failed,      (REFUSED, FAILED)),
    (LOADING,     ev.Loaded,        do.loaded,            (SWITCHING,)),
    (LOADING,     ev.LoadFailed,    do.load_failed,       (LOADING, FAILED)),
    (SWITCHING,   ev.Activated,     do.activated,         (SOAKING, REMOVING, *BEGUN)),
    (SWITCHING,   ev.LoadFailed,    do.load_failed,       (SWITCHING, LOADING, REMOVING, *BEGUN)),
    (SOAKING,     ev.Observed,      soak.observed,        (SOAKING, CONFIRMED)),
    (SOAKING,     ev.ObserveFailed, soak.observe_failed,  (SOAKING,)),
    (REMOVING,    ev.Removed,       turn.removed,         (REMOVING, *BEGUN)),

    # a higher generation: the newest supersedes at any stage, only a moving pointer is waited for
    (PENDING,     ev.Assigned,      turn.supersede,       BEGUN),
    (FETCHING,    ev.Assigned,      turn.supersede,       BEGUN),
    (PREFLIGHT,   ev.Assigned,      turn.supersede,       BEGUN),
    (LOADING,     ev.Assigned,      turn.supersede,       BEGUN),
    (SWITCHING,   ev.Assigned,      turn.follow,          (SWITCHING,)),
    (SOAKING,     ev.Assigned,      turn.supersede,       BEGUN),
    (CONFIRMED,   ev.Assigned,      turn.supersede,       BEGUN),
    (FAILED,      ev.Assigned,      turn.supersede,       BEGUN),
    (REFUSED,     ev.Assigned,      turn.supersede,       BEGUN),
    (ROLLED_BACK, ev.Assigned,      turn.supersede,       BEGUN),
    (REMOVING,    ev.Assigned,      turn.follow,          (REMOVING,)),

    # absent from the desired state
    (PENDING,     ev.Unassigned,    turn.depart,          (REMOVING,)),
    (FETCHING,    ev.Unassigned,    turn.depart,          (REMOVING,)),
    (PREFLIGHT,   ev.Unassigned,    turn.depart,          (REMOVING,)),
    (LOADING,     ev.Unassigned,    turn.depart,          (REMOVING,)),
    (SWITCHING,   ev.Unassigned,    turn.depart_later,    (SWITCHING,)),
    (SOAKING,     ev.Unassigned,    turn.depart,          (REMOVING,)),
    (CONFIRMED,   ev.Unassigned,    turn.depart,          (REMOVING,)),
    (FAILED,      ev.Unassigned,    turn.depart,          (REMOVING,)),
    (REFUSED,     ev.Unassigned,    turn.depart,          (REMOVING,)),
    (ROLLED_BACK, ev.Unassigned,    turn.depart,          (REMOVING,)),
    (REMOVING,    ev.Unassigned,    turn.depart_later,    (REMOVING,)),
)
# fmt: on

TABLE: dict[tuple[State, type], Rule] = {
    (state, event): Rule(handler=handler, leads_to=frozenset(leads_to))
    for state, event, handler, leads_to in ROWS
}

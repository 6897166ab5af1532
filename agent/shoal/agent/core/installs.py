"""The way of one assignment to its switch: what each answer leads to.

Every function takes a life whose outstanding ticket has just been answered and returns the life
after it with the effects that follow. Failures leave the active slot as it is (I1).
"""

from dataclasses import replace

from shoal.agent.core import events as ev
from shoal.agent.core.assignments import depart, take_up
from shoal.agent.core.effects import Activate, Discard, Fetch, Load, Probe
from shoal.agent.core.lives import Life, State, serves_alike
from shoal.agent.core.outcomes import Outcome, cancel, failed_start, finish, issue, point
from shoal.agent.core.soaks import soak
from shoal.contract.limits import MIB
from shoal.contract.reason import Reason

DISK_RESERVE_BYTES = 4 * MIB  # left free for journal, spool and status
FETCH_STRIKES = 3  # wrong bytes, or a controller that has no such artifact
BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 30.0
START_AGAIN_S = 1.0

_REFUSALS = frozenset(
    {
        Reason.PARITY_FAILED,
        Reason.LATENCY_EXCEEDED,
        Reason.MEMORY_EXCEEDED,
        Reason.ARTIFACT_EXCEEDED,
    }
)
_BROKEN_LINK = frozenset({Reason.UNREACHABLE, Reason.TIMED_OUT})


def backoff_s(attempts: int) -> float:
    """The longest wait before the next try: 0.5, 1, 2, 4, … 30 s after 1, 2, 3, 4, … failures."""
    return min(BACKOFF_FIRST_S * 2.0 ** min(attempts - 1, 16), BACKOFF_MAX_S)


def surveyed(life: Life, event: ev.Surveyed, now: float) -> Outcome:
    """Fetch what is missing where it fits; what is there already is not fetched again.

    With 10 MiB missing, 2 MiB of them in partial files, 8 MiB are still to come: 12 MiB must be
    free, because 4 MiB are left for journal, spool and status.
    """
    if not event.missing:
        return staged(life, now)
    if event.missing_bytes + DISK_RESERVE_BYTES > event.free_bytes:
        message = (
            f"{event.missing_bytes} bytes are to be fetched and {DISK_RESERVE_BYTES} kept free, "
            f"but only {event.free_bytes} are free"
        )
        return finish(life, State.FAILED, Reason.DISK_FULL, message)
    return _fetch(replace(life, state=State.FETCHING), after_s=0.0)


def fetched(life: Life, event: ev.Fetched, now: float) -> Outcome:
    """Everything is on disk."""
    install = replace(
        life.install,
        fetched_bytes=life.install.fetched_bytes + event.received_bytes,
        reason="",
        message="",
    )
    return staged(replace(life, install=install), now)


def fetch_failed(life: Life, event: ev.FetchFailed, now: float) -> Outcome:
    """Try again for as long as only the link is broken; wrong bytes and refusals count."""
    del now
    broken_link = event.reason in _BROKEN_LINK
    install = replace(
        life.install,
        attempts=1 if event.received_bytes else life.install.attempts + 1,
        strikes=life.install.strikes + (0 if broken_link else 1),
        fetched_bytes=life.install.fetched_bytes + event.received_bytes,
        reason=event.reason,
        message=event.message,
    )
    life = replace(life, install=install)
    if event.reason is Reason.DISK_FULL or install.strikes >= FETCH_STRIKES:
        return finish(life, State.FAILED, event.reason, event.message)
    return _fetch(life, after_s=backoff_s(install.attempts))


def _fetch(life: Life, after_s: float) -> Outcome:
    life = issue(life)
    fetch = Fetch(
        deployment=life.deployment,
        ticket=life.install.ticket,
        artifacts=life.assignment.artifacts,
        after_s=after_s,
    )
    return life, (fetch,)


def staged(life: Life, now: float) -> Outcome:
    """All artifacts are complete: prove them, or only confirm again what serves already."""
    active = life.active
    if active is not None and life.up and serves_alike(active.assignment, life.assignment):
        relabelled = replace(active, assignment=life.assignment)
        install = replace(life.install, reconfirming=True)
        return soak(replace(life, active=relabelled, install=install), now)
    life = issue(replace(life, state=State.PREFLIGHT))
    probe = Probe(
        deployment=life.deployment,
        ticket=life.install.ticket,
        assignment=life.assignment,
        active=None if active is None else active.variant,
    )
    return life, (probe,)


def probed(life: Life, event: ev.Probed, now: float) -> Outcome:
    """The candidate passed; load it beside the active slot."""
    del now
    install = replace(
        life.install, preflight=event.result, active_answers=event.active_answers, attempts=0
    )
    return load(replace(life, state=State.LOADING, install=install))


def probe_failed(life: Life, event: ev.ProbeFailed, now: float) -> Outcome:
    """Beyond a limit: refused with the numbers. Did not run: failed, and a failed start."""
    del now
    life = replace(life, install=replace(life.install, preflight=event.result))
    if event.reason in _REFUSALS:
        return finish(life, State.REFUSED, event.reason, event.message)
    life = failed_start(life, life.assignment.variant)
    return finish(life, State.FAILED, event.reason, event.message)


def load(life: Life, after_s: float = 0.0) -> Outcome:
    """Load the candidate, or wait: a slot that is being restored comes first (I1).

    A slot that keeps failing must not hold up the candidate that replaces it (I6).
    """
    hopeful = life.active is not None and not life.is_bad(life.active.variant)
    if life.restore and hopeful:
        return replace(life, install=replace(life.install, ticket=0)), ()
    life = issue(life)
    ticket = life.install.ticket
    return life, (
        Load(deployment=life.deployment, ticket=ticket, slot=life.candidate, after_s=after_s),
    )


def loaded(life: Life, event: ev.Loaded, now: float) -> Outcome:
    """The candidate is warm; move the pointer."""
    del event, now
    life = issue(replace(life, state=State.SWITCHING))
    ticket = life.install.ticket
    return life, (Activate(deployment=life.deployment, ticket=ticket, slot=life.candidate),)


def load_failed(life: Life, event: ev.LoadFailed, now: float) -> Outcome:
    """Start again, three times at most; where the engine died, its exit decides.

    The fresh ticket is answered by nobody: it says that the exit is this candidate's.
    """
    if event.reason is Reason.CRASHED:
        return issue(life), ()
    return start_failed(life, event.reason, event.message, now)


def start_failed(life: Life, reason: str, message: str, now: float) -> Outcome:
    """One start of the candidate failed, in the engine."""
    life = failed_start(life, life.assignment.variant)
    discard = Discard(deployment=life.deployment, generation=life.assignment.generation)
    if life.leaving:
        following, effects = depart(life, ev.Unassigned(), now)
    elif life.successor is not None:
        following, effects = take_up(life, life.successor)
    elif life.is_bad(life.assignment.variant):
        following, effects = finish(life, State.FAILED, reason, message)
    else:
        install = replace(life.install, ticket=0, reason=reason, message=message)
        life = replace(life, state=State.LOADING, install=install)
        following, effects = load(life, after_s=START_AGAIN_S)
    return following, (discard, *effects)


def activated(life: Life, event: ev.Activated, now: float) -> Outcome:
    """The candidate serves; the slot before it is kept if it had been confirmed."""
    del event
    stale = () if life.restore == 0 else (cancel(life, life.restore),)
    confirmed = life.active is not None and life.active.confirmed
    life = replace(
        life,
        active=replace(life.candidate, since=now),
        previous=life.active if confirmed else life.previous,
        up=True,
        restore=0,
        install=replace(life.install, reason="", message=""),
    )
    if life.leaving:
        following, effects = depart(life, ev.Unassigned(), now)
    elif life.successor is not None:
        following, effects = take_up(life, life.successor)
    else:
        following, effects = soak(life, now)
    return following, (*stale, point(life), *effects)

"""Soak and confirm: the switched slot serves and is watched."""

from dataclasses import replace

from shoal.agent.core import events as ev
from shoal.agent.core.effects import Observe
from shoal.agent.core.lives import Life, State, golden_of
from shoal.agent.core.outcomes import Outcome, finish, forgiven, issue

LOOK_AGAIN_S = 1.0


def soak(life: Life, now: float) -> Outcome:
    """Start watching what has just been switched to."""
    install = replace(life.install, soak_start=now)
    return observe(replace(life, state=State.SOAKING, install=install), wait_s=0.0)


def observe(life: Life, wait_s: float) -> Outcome:
    """Ask the engine about the active slot; for its golden answers until it has given them."""
    slot = life.active
    if slot is None:
        raise RuntimeError(f"{life.deployment} soaks without an active slot")
    life = issue(life)
    wanted = life.install.candidate_answers is None
    look = Observe(
        deployment=life.deployment,
        ticket=life.install.ticket,
        slot=slot,
        golden=golden_of(life.assignment) if wanted else None,
        wait_s=wait_s,
    )
    return life, (look,)


def observed(life: Life, event: ev.Observed, now: float) -> Outcome:
    """Confirm after `soak_s` with enough good inferences or one whole pass of the golden set.

    With soak_s 3 and min_inferences 30: 2.9 s and 100 good ones go on soaking, 3.0 s and 29 good
    ones without golden answers too; 3.0 s and 30 good ones confirm, and so do 3.0 s, none at all
    and a golden set that was answered.
    """
    install = replace(life.install, good=event.good, errors=event.errors)
    if event.answers is not None:
        active = event.answers if install.reconfirming else install.active_answers
        install = replace(install, candidate_answers=event.answers, active_answers=active)
    # A wall clock that was set back must not prolong the soak for ever (I10).
    install = replace(install, soak_start=min(install.soak_start, now))
    life = replace(life, install=install)
    remaining_s = life.assignment.soak_s - (now - install.soak_start)
    proven = event.good >= life.assignment.min_inferences or bool(install.candidate_answers)
    if remaining_s <= 0 and proven and life.up:
        return confirm(life)
    return observe(life, wait_s=min(remaining_s, LOOK_AGAIN_S) if remaining_s > 0 else LOOK_AGAIN_S)


def observe_failed(life: Life, event: ev.ObserveFailed, now: float) -> Outcome:
    """The engine is busy dying or coming back; look again."""
    del event, now
    return observe(life, wait_s=LOOK_AGAIN_S)


def confirm(life: Life) -> Outcome:
    """The assignment is observed running; it is what the device will fall back to."""
    slot = life.active
    if slot is None:
        raise RuntimeError(f"{life.deployment} is confirmed without an active slot")
    life = forgiven(life, slot.variant)
    active = replace(slot, confirmed=True)
    return finish(replace(life, active=active), State.CONFIRMED, "", "")

"""What serves stays up: slots come back after a crash, and the previous one after a crash loop.

Nothing here needs the controller (I1, I10).
"""

from dataclasses import replace

from shoal.agent.core import events as ev
from shoal.agent.core import installs, outcomes
from shoal.agent.core.effects import Effect, Restore
from shoal.agent.core.lives import BAD_AFTER_STARTS, Context, Life, Slot, Start, State
from shoal.agent.core.outcomes import Outcome
from shoal.contract.reason import Reason

CRASH_LOOP_EXITS = 3
CRASH_LOOP_S = 60.0
RESTORE_AGAIN_S = 1.0
RESTORE_LATER_S = 30.0

_SWITCHES = frozenset({State.LOADING, State.SWITCHING})
_ANSWERED_FOR = frozenset({State.SOAKING, State.CONFIRMED})
_DAMAGED = frozenset({Reason.NOT_FOUND, Reason.DIGEST_MISMATCH})
_CRASHED = "the engine ended unexpectedly while it started this variant"
_CRASH_LOOP = f"the engine ended {CRASH_LOOP_EXITS} times within {CRASH_LOOP_S:g} s"


# --- the engine died ----------------------------------------------------------------------------


def engine_exited(context: Context, now: float) -> tuple[Context, tuple[Effect, ...]]:
    """Bring every slot back; a loop of exits costs the newest slot its place (watchdog).

    An exit while a candidate was being started counts against the candidate alone. Otherwise three
    exits within 60 s are a loop: exits at 0, 30 and 59 s are one, at 0, 30 and 61 s are not.
    """
    explained = any(_is_starting(life) for life in context.lives)
    recent = tuple(at for at in context.exits if 0 <= now - at < CRASH_LOOP_S)
    exits = recent if explained else (*recent, now)
    suspect = _suspect(context) if len(exits) >= CRASH_LOOP_EXITS else None
    effects: list[Effect] = []
    for life in context.lives:
        after, more = _exited(life, now)
        effects.extend(more)
        if life is suspect:
            after, more = give_up(after, Reason.CRASHED, _CRASH_LOOP, damaged=False)
            effects.extend(more)
        context = context.with_life(after)
    kept = exits if len(exits) < CRASH_LOOP_EXITS else ()
    return replace(context, exits=kept), tuple(effects)


def _is_starting(life: Life) -> bool:
    return life.state in _SWITCHES and life.install.ticket != 0


def _suspect(context: Context) -> Life | None:
    """Whose slot to give up: one that was not up yet, then the one that came last."""
    able = [life for life in context.lives if life.active and life.state is not State.REMOVING]
    return max(able, key=lambda life: (not life.up, _since(life)), default=None)


def _since(life: Life) -> float:
    return 0.0 if life.active is None else life.active.since


def _exited(life: Life, now: float) -> Outcome:
    if life.state is State.REMOVING:
        return replace(life, up=False), ()
    starting = _is_starting(life)
    cancelled = (outcomes.cancel(life, life.install.ticket),) if starting else ()
    if life.active is not None and (
        starting or life.active.generation == life.assignment.generation
    ):
        # What dies before the switch is the slot of before: it says nothing of the assignment.
        install = replace(life.install, restarts=life.install.restarts + 1)
        life = replace(life, install=install)
    life, back = restore(life)
    if not starting:
        return life, back
    life = replace(life, install=replace(life.install, ticket=0))
    life, more = installs.start_failed(life, Reason.CRASHED, _CRASHED, now)
    return life, (*cancelled, *back, *more)


# --- a slot comes back --------------------------------------------------------------------------


def restore(life: Life, after_s: float = 0.0) -> Outcome:
    """Bring the active slot into an engine that does not have it."""
    stale = () if life.restore == 0 else (outcomes.cancel(life, life.restore),)
    if life.active is None:
        return replace(life, up=False, restore=0), stale
    ticket = life.issued + 1
    slot = replace(life.active, loaded_as=life.active.generation)
    life = replace(life, active=slot, up=False, restore=ticket, issued=ticket)
    back = Restore(deployment=life.deployment, ticket=ticket, slot=slot, after_s=after_s)
    return life, (*stale, back)


def restored(life: Life, event: ev.Restored) -> Outcome:
    """The slot serves again, and a candidate that waited for it may be loaded."""
    del event
    life = replace(life, up=True)
    if life.active is not None and life.active.confirmed:
        life = outcomes.forgiven(life, life.active.variant)
    return _load_waiting(life)


def restore_failed(life: Life, event: ev.RestoreFailed) -> Outcome:
    """Try three times, then give the slot up; a damaged blob is given up at once."""
    if life.active is None or event.reason is Reason.CRASHED:
        return life, ()  # the exit of the engine decides
    if event.reason in _DAMAGED:
        return give_up(life, event.reason, event.message, damaged=True)
    variant = life.active.variant
    life = outcomes.failed_start(life, variant)
    if life.is_bad(variant):
        return give_up(life, event.reason, event.message, damaged=False)
    return restore(life, after_s=RESTORE_AGAIN_S)


def give_up(life: Life, reason: str, message: str, *, damaged: bool) -> Outcome:
    """The active slot does not serve: the previous confirmed one takes its place.

    Where there is none, a confirmed slot is tried for ever, one that never proved itself (or whose
    bytes are gone) is dropped.
    """
    active, fallback = life.active, life.fallback
    if active is None:
        return life, ()
    if not damaged:
        life = _marked_bad(life, active)
    if fallback is None and active.confirmed and not damaged:
        life, back = restore(life, after_s=RESTORE_LATER_S)
        return _load_waiting(life, back)
    life, ended = _ended(life, active, fallback, (reason, message))
    life, back = restore(replace(life, active=fallback, previous=None))
    return _load_waiting(life, (*ended, *back, outcomes.point(life)))


def _ended(
    life: Life, active: Slot, fallback: Slot | None, why: tuple[str, str]
) -> tuple[Life, tuple[Effect, ...]]:
    """What becomes of the assignment that the lost slot answered for.

    After Confirmed only LocalRollback may follow under the same generation (I7); with nothing to
    fall to it stays, and the report says that nothing runs.
    """
    answers = life.state in _ANSWERED_FOR and active.generation == life.assignment.generation
    if not answers or (fallback is None and life.state is State.CONFIRMED):
        return life, ()
    state = State.FAILED if fallback is None else State.LOCAL_ROLLBACK
    abandoned = outcomes.abandon(life)
    life, effects = outcomes.finish(life, state, *why)
    return life, (*abandoned, *effects)


def _marked_bad(life: Life, slot: Slot) -> Life:
    others = tuple(start for start in life.starts if start.digest != slot.variant)
    bad = Start(digest=slot.variant, failures=BAD_AFTER_STARTS)
    return replace(life, starts=(*others, bad))


def _load_waiting(life: Life, before: tuple[Effect, ...] = ()) -> Outcome:
    if life.state is not State.LOADING or life.install.ticket:
        return life, before
    life, effects = installs.load(life)
    return life, (*before, *effects)

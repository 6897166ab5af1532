"""One step of the agent: context and event in, context and effects out.

The invariants that the agent upholds (design: section 7), and where:

I1  a device that served keeps serving       installs: the active slot is only replaced by one
                                             that is loaded; serving: it comes back after a crash
I2  `current` is a complete blob             effects: Point follows the journal; lives.referenced
                                             keeps what slots name from being collected
I3  only verified bytes reach a session      Fetched means verified; Restore verifies again
I4  the accepted generation never decreases  machine: `_assigned`
I5  disk, memory and queues are bounded      installs: space is checked before the first byte
I6  observed converges to desired            table: every state has a way on; retries never end
                                             while only the link is broken
I7  one terminal status per generation       table: terminal states answer to a new generation only;
                                             LocalRollback after Confirmed is the one exception
"""

from dataclasses import replace

from shoal.agent.core import assignments, serving
from shoal.agent.core import events as ev
from shoal.agent.core.effects import Effect
from shoal.agent.core.lives import Context, Life, State
from shoal.agent.core.outcomes import Outcome
from shoal.agent.core.table import TABLE
from shoal.contract.assignment import Assignment, DesiredState

Step = tuple[Context, tuple[Effect, ...]]


def step(context: Context, event: ev.Event, now: float) -> Step:
    """What follows from one event; an event that is late, repeated or unknown changes nothing."""
    match event:
        case ev.Desired():
            return _desired(context, event.state, now)
        case ev.EngineExited():
            return serving.engine_exited(context, now)
        case ev.Acknowledged():
            return _acknowledged(context, event), ()
        case ev.Counted():
            return _counted(context, event), ()
        case ev.Restored() | ev.RestoreFailed():
            return _restore_answer(context, event)
        case _:
            return _install_answer(context, event, now)


def _desired(context: Context, state: DesiredState, now: float) -> Step:
    """Accept a desired state, whole; one older than what was accepted before is ignored."""
    if state.version < context.desired_version:
        return context, ()
    context = replace(
        context,
        desired_version=state.version,
        telemetry_window_s=state.telemetry_window_s,
        heartbeat_s=state.heartbeat_s,
    )
    effects: list[Effect] = []
    wanted = {assignment.deployment for assignment in state.assignments}
    for life in context.lives:
        if life.deployment not in wanted:
            context = _kept(context, _handled(life, ev.Unassigned(), now), effects)
    for assignment in state.assignments:
        outcome = _assigned(context, assignment, now)
        if outcome is not None:
            context = _kept(context, outcome, effects)
    return context, tuple(effects)


def _kept(context: Context, outcome: Outcome, effects: list[Effect]) -> Context:
    effects.extend(outcome[1])
    return context.with_life(outcome[0])


def _assigned(context: Context, assignment: Assignment, now: float) -> Outcome | None:
    """Accept a generation only above every accepted one (I4)."""
    life = context.life(assignment.deployment)
    if life is None:
        born = Life(
            deployment=assignment.deployment,
            state=State.PENDING,
            assignment=assignment,
            issued=context.issued,
        )
        return assignments.begin(born, assignment)
    # What is being removed has given up its generations; only a waiting successor holds one.
    starts_over = life.state is State.REMOVING and life.successor is None
    if not starts_over and assignment.generation <= life.newest_generation:
        return _stays(life, assignment)
    return _handled(life, ev.Assigned(assignment=assignment), now)


def _stays(life: Life, assignment: Assignment) -> Outcome | None:
    """A deployment that was to leave after its switch is wanted again under the same generation."""
    if life.leaving and assignment.generation == life.assignment.generation:
        return replace(life, leaving=False), ()
    return None


def _handled(life: Life, event: ev.LifeEvent, now: float) -> Outcome:
    rule = TABLE.get((life.state, type(event)))
    return (life, ()) if rule is None else rule.handler(life, event, now)


def _install_answer(context: Context, event: ev.InstallAnswer, now: float) -> Step:
    life = context.life(event.deployment)
    if life is None or event.ticket != life.install.ticket:
        return context, ()
    if (life.state, type(event)) not in TABLE:
        return context, ()
    answered = replace(life, install=replace(life.install, ticket=0))
    after, effects = _handled(answered, event, now)
    if isinstance(event, ev.Removed) and after.state is State.REMOVING:
        return replace(context.without(life.deployment), issued=after.issued), effects
    return context.with_life(after), effects


def _restore_answer(context: Context, event: ev.RestoreAnswer) -> Step:
    life = context.life(event.deployment)
    if life is None or event.ticket != life.restore:
        return context, ()
    answered = replace(life, restore=0)
    match event:
        case ev.Restored():
            after, effects = serving.restored(answered, event)
        case ev.RestoreFailed():
            after, effects = serving.restore_failed(answered, event)
    return context.with_life(after), effects


def _acknowledged(context: Context, event: ev.Acknowledged) -> Context:
    life = context.life(event.deployment)
    if life is None or life.assignment.generation != event.generation:
        return context
    return context.with_life(replace(life, install=replace(life.install, acknowledged=True)))


def _counted(context: Context, event: ev.Counted) -> Context:
    life = context.life(event.deployment)
    if life is None:
        return context
    install = replace(life.install, good=event.good, errors=event.errors)
    return context.with_life(replace(life, install=install))

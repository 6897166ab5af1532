"""A device around the pure core: an engine, a disk and a journal that are plain values.

It runs effects when a test says so, in any order the test likes, and checks the laws that hold in
every single step.
"""

from collections.abc import Callable
from dataclasses import replace

from shoal.agent.core import events as ev
from shoal.agent.core import machine, saved
from shoal.agent.core.effects import (
    Activate,
    Answered,
    Cancel,
    Collect,
    Discard,
    Effect,
    Fetch,
    Load,
    Observe,
    Point,
    Probe,
    Remove,
    Restore,
    Survey,
)
from shoal.agent.core.lives import Context, Life, State, referenced
from shoal.agent.core.table import TABLE
from shoal.contract.assignment import Assignment, DesiredState
from shoal.contract.digest import Digest
from shoal.contract.reason import Reason
from tests.unit.agent_core.builders import PASSED

ENGINE_WORK = (Load, Activate, Restore, Remove)


class World:
    """One device; `pending` are the effects that wait for their answer."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.free_bytes = 1 << 30
        self.context = Context()
        self.durable = saved.save(self.context)
        self.pending: list[Answered] = []
        self.disk: set[Digest] = set()
        self.links: dict[str, tuple[Digest | None, Digest | None]] = {}
        self.engine: dict[str, int] = {}  # deployment to the generation that serves
        self.candidates: set[tuple[str, int]] = set()
        self.fed: list[ev.Event] = []
        self.outcomes: dict[tuple[str, int], list[State]] = {}
        self.effects: list[Effect] = []
        self.version = 0
        self.good = 0

    # --- what a test does -----------------------------------------------------------------------

    def assign(self, *assignments: Assignment) -> None:
        self.version += 1
        self.feed(
            ev.Desired(
                state=DesiredState(device="one", version=self.version, assignments=assignments)
            )
        )

    def feed(self, event: ev.Event) -> None:
        self.fed.append(event)
        before = self.context
        self.context, effects = machine.step(before, event, self.now)
        self.durable = saved.save(self.context)
        self._check(before, event)
        self.effects.extend(effects)
        for effect in effects:
            self._run(effect)

    def effects_of(self, act: Callable[[], None]) -> list[Effect]:
        """What the core asks for while `act` runs."""
        self.effects.clear()
        act()
        return list(self.effects)

    def succeed(self, effect: Answered) -> None:
        """Do what the effect asks and answer it."""
        self.pending.remove(effect)
        if isinstance(effect, Observe):
            self.now += effect.wait_s
        self.feed(self._done(effect))

    def fail(self, effect: Answered, reason: Reason) -> None:
        self.pending.remove(effect)
        failed = failure_of(effect, reason)
        if isinstance(effect, Restore) and reason in {Reason.NOT_FOUND, Reason.DIGEST_MISMATCH}:
            self.disk.discard(effect.slot.variant)
        self.feed(failed)

    def engine_dies(self) -> None:
        """The process takes its slots along; whoever asked it something hears of it or not."""
        self.engine.clear()
        self.candidates.clear()
        self.feed(ev.EngineExited(returncode=-9))

    def agent_dies(self) -> None:
        """Everything in memory is gone; the journal is not."""
        self.pending.clear()
        self.engine.clear()
        self.candidates.clear()
        self.fed.clear()
        self.context, effects = saved.resume(self.durable, self.now)
        self.durable = saved.save(self.context)
        for effect in effects:
            self._run(effect)

    def settle(self, limit: int = 500) -> None:
        """Answer everything well until nothing is left to do."""
        for _ in range(limit):
            if not self.pending:
                return
            self.succeed(self.pending[0])
        raise AssertionError(f"still busy with {self.pending}")

    def life(self, deployment: str = "default/digits") -> Life:
        life = self.context.life(deployment)
        assert life is not None
        return life

    # --- how the world answers ------------------------------------------------------------------

    def _run(self, effect: Effect) -> None:
        match effect:
            case Cancel():
                self.pending = [
                    one
                    for one in self.pending
                    if (one.deployment, one.ticket) != (effect.deployment, effect.ticket)
                ]
            case Collect():
                self.disk &= referenced(self.context)
            case Point():
                self.links[effect.deployment] = (effect.current, effect.previous)
            case Discard():
                self.candidates.discard((effect.deployment, effect.generation))
            case _:
                self.pending.append(effect)

    def _done(self, effect: Answered) -> ev.Event:  # noqa: PLR0911 - one a kind of effect
        name, ticket = effect.deployment, effect.ticket
        match effect:
            case Survey():
                missing = tuple(a for a in effect.artifacts if a.digest not in self.disk)
                return ev.Surveyed(
                    deployment=name,
                    ticket=ticket,
                    missing=missing,
                    missing_bytes=sum(a.size_bytes for a in missing),
                    free_bytes=self.free_bytes,
                )
            case Fetch():
                self.disk.update(a.digest for a in effect.artifacts)
                return ev.Fetched(deployment=name, ticket=ticket, received_bytes=1_000)
            case Probe():
                assert effect.assignment.variant in self.disk
                return ev.Probed(
                    deployment=name, ticket=ticket, result=PASSED, active_answers=(1, 2, 3)
                )
            case Load():
                assert effect.slot.variant in self.disk  # I3
                self.candidates.add((name, effect.slot.loaded_as))
                return ev.Loaded(deployment=name, ticket=ticket)
            case Activate():
                assert (name, effect.slot.loaded_as) in self.candidates
                self.engine[name] = effect.slot.loaded_as
                return ev.Activated(deployment=name, ticket=ticket)
            case Observe():
                self.good += 7
                answers = None if effect.golden is None else (3, 2, 1)
                return ev.Observed(
                    deployment=name, ticket=ticket, good=self.good, errors=0, answers=answers
                )
            case Restore():
                return self._restored(effect)
            case Remove():
                self.engine.pop(name, None)
                return ev.Removed(deployment=name, ticket=ticket)

    def _restored(self, effect: Restore) -> ev.Event:
        if effect.slot.variant not in self.disk:
            return failure_of(effect, Reason.NOT_FOUND)
        self.engine[effect.deployment] = effect.slot.loaded_as
        return ev.Restored(deployment=effect.deployment, ticket=effect.ticket)

    # --- the laws of every step -----------------------------------------------------------------

    def _check(self, before: Context, event: ev.Event) -> None:
        for life in self.context.lives:
            old = before.life(life.deployment)
            self._one_terminal_status(life)
            self._never_backwards(old, life)
            self._keeps_serving(old, life, event)
            self._follows_the_table(old, life, event)
        assert [one.deployment for one in self.context.lives] == sorted(
            one.deployment for one in self.context.lives
        )

    def _one_terminal_status(self, life: Life) -> None:
        """I7; a deployment that is removed may come back with generations of its own."""
        phase = life.state.phase
        if phase is None:
            kept = {key: seen for key, seen in self.outcomes.items() if key[0] != life.deployment}
            self.outcomes = kept
            return
        seen = self.outcomes.setdefault((life.deployment, life.assignment.generation), [])
        if seen and seen[-1] is not life.state:
            assert seen == [State.CONFIRMED], (seen, life.state)
            assert life.state is State.LOCAL_ROLLBACK
        if phase.terminal and (not seen or seen[-1] is not life.state):
            seen.append(life.state)

    def _never_backwards(self, old: Life | None, life: Life) -> None:
        """I4."""
        if old is not None and old.state is not State.REMOVING:
            assert life.newest_generation >= old.assignment.generation

    def _keeps_serving(self, old: Life | None, life: Life, event: ev.Event) -> None:
        """I1: what was confirmed is only replaced by what was loaded or confirmed before it."""
        if old is None or old.active is None or not old.active.confirmed:
            return
        if isinstance(event, ev.Removed | ev.RestoreFailed):
            return
        assert life.active is not None
        if life.active.variant != old.active.variant:
            known = (old.candidate.variant, old.previous and old.previous.variant)
            assert life.active.variant in known

    def _follows_the_table(self, old: Life | None, life: Life, event: ev.Event) -> None:
        if old is None or old.state is life.state:
            return
        rule = TABLE.get((old.state, type(event)))
        if rule is not None:
            assert life.state in rule.leads_to
        else:
            assert isinstance(event, ev.Desired | ev.EngineExited | ev.Restored | ev.RestoreFailed)


def failure_of(effect: Answered, reason: Reason) -> ev.Event:
    """The answer that says it went wrong; effects that cannot fail have none."""
    name, ticket, message = effect.deployment, effect.ticket, "on purpose"
    match effect:
        case Fetch():
            return ev.FetchFailed(
                deployment=name, ticket=ticket, reason=reason, message=message, received_bytes=0
            )
        case Probe():
            return ev.ProbeFailed(
                deployment=name,
                ticket=ticket,
                reason=reason,
                message=message,
                result=replace(PASSED, agreement=0.5),
            )
        case Load() | Activate():
            return ev.LoadFailed(deployment=name, ticket=ticket, reason=reason, message=message)
        case Observe():
            return ev.ObserveFailed(deployment=name, ticket=ticket, reason=reason, message=message)
        case Restore():
            return ev.RestoreFailed(deployment=name, ticket=ticket, reason=reason, message=message)
        case Survey() | Remove():
            raise RuntimeError(f"{type(effect).__name__} cannot fail")

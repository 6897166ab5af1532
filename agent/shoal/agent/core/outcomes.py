"""The moves that every part of a life shares: tickets, ends, failed starts, links."""

from dataclasses import replace

from shoal.agent.core.effects import Cancel, Collect, Discard, Effect, Point
from shoal.agent.core.lives import STARTS_KEPT, Life, Slot, Start, State
from shoal.contract.digest import Digest

Outcome = tuple[Life, tuple[Effect, ...]]


def issue(life: Life) -> Life:
    """The life with a fresh ticket for its install."""
    number = life.issued + 1
    return replace(life, issued=number, install=replace(life.install, ticket=number))


def finish(life: Life, state: State, reason: str, message: str) -> Outcome:
    """End the assignment; garbage is collected because its files may no longer be needed."""
    install = replace(life.install, ticket=0, reason=reason, message=message)
    return replace(life, state=state, install=install), (Collect(),)


def failed_start(life: Life, digest: Digest) -> Life:
    """The life with one more failed start of `digest`; the oldest entries are forgotten (I5)."""
    others = [start for start in life.starts if start.digest != digest]
    added = Start(digest=digest, failures=life.failures(digest) + 1)
    return replace(life, starts=(*others, added)[-STARTS_KEPT:])


def forgiven(life: Life, digest: Digest) -> Life:
    """The life in which `digest` has proved itself."""
    return replace(life, starts=tuple(s for s in life.starts if s.digest != digest))


def abandon(life: Life) -> tuple[Effect, ...]:
    """What ends the outstanding work of a life that turns to something else."""
    effects: list[Effect] = []
    if life.install.ticket:
        effects.append(cancel(life, life.install.ticket))
    if life.state is State.LOADING:
        generation = life.assignment.generation
        effects.append(Discard(deployment=life.deployment, generation=generation))
    return tuple(effects)


def cancel(life: Life, ticket: int) -> Cancel:
    """What stops an effect of this life."""
    return Cancel(deployment=life.deployment, ticket=ticket)


def point(life: Life) -> Point:
    """The links on disk that say what the life says."""
    return Point(
        deployment=life.deployment, current=_variant(life.active), previous=_variant(life.previous)
    )


def _variant(slot: Slot | None) -> Digest | None:
    return None if slot is None else slot.variant

"""Who measures what before a choice is frozen: at most two idle devices a class, for a minute.

Scouts cost devices time, so that they are only sent where a budget limits latency or memory, and
where the builder's estimate comes near enough to that limit for a device to differ. A variant of
which none of them said anything gets another turn later, which nothing waits for.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from shoal.contract import choice
from shoal.contract.budget import Budget
from shoal.contract.choice import Objective, Point
from shoal.contract.digest import Digest
from shoal.controller.domain.archive import ClassArchive

SCOUTS = 2  # of a class
AT_MOST_S = 60.0  # that a class may keep a rollout from starting
LEADING = 2  # by the budget as it is, and as many by one without latency and memory
TRIALS = 6  # of a class
TURNS = 3  # of a variant of which nothing is heard
AGAIN_S = 600.0  # between them
SLOWER = 20.0  # that a device may be, beside the builder
LARGER = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scouting:
    """What goes on for one class: every device measures every variant, until a moment.

    No rollout waits for what goes on `again`.
    """

    devices: tuple[str, ...]
    variants: tuple[Digest, ...]
    until: float
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is over for one class.

    `ended` are the variants that need no scouts any more; each of the `silent` had so many turns
    in which nobody said anything of it, and another is due at `again_at`. Where nobody could go at
    all, that is when to look again.
    """

    ended: tuple[Digest, ...] = ()
    silent: tuple[tuple[Digest, int], ...] = ()
    again_at: float = 0.0

    def wanted(self, leading: Iterable[Digest], now: float) -> tuple[Digest, ...]:
        """What is to be measured now: those that had no turn yet, else those whose turn is due."""
        turns = dict(self.silent)
        left = [one for one in leading if one not in self.ended]
        fresh = tuple(one for one in left if one not in turns)
        return fresh or (tuple(left) if now >= self.again_at else ())

    def put_off(self, now: float) -> "Past":
        """The same while nobody can go: no report says that a device has nothing else to do."""
        return self if self.again_at > now else replace(self, again_at=now + AGAIN_S)

    def after(self, turn: Iterable[Digest], told: Collection[Digest], now: float) -> "Past":
        """The same once `turn` had theirs, and something was said of those `told`."""
        turns, ended = dict(self.silent), list(self.ended)
        for one in turn:
            had = turns.pop(one, 0) + 1
            if one in told or had >= TURNS:
                ended.append(one)
            else:
                turns[one] = had
        return Past(
            ended=tuple(dict.fromkeys(ended)),
            silent=tuple(sorted(turns.items())),
            again_at=now + AGAIN_S if turns else 0.0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What one class looks like now.

    `wanted` are the variants that no scout has had yet, `idle` the devices that could go, `heard`
    those of which anything may still come, and `answers` what came of which variant. With `again`
    they had a turn before, and so many are over: others may have the next.
    """

    now: float
    wanted: tuple[Digest, ...]
    idle: tuple[str, ...]
    heard: frozenset[str]
    answers: frozenset[tuple[str, Digest]]
    again: int = 0


def step(known: Scouting | None, scene: Scene) -> Scouting | None:
    """What goes on from now; None where nothing does, because all is known or nobody can go."""
    if known is None:
        if not scene.wanted or not scene.idle:
            return None
        chosen = sorted(scene.idle, key=lambda one: _lot(one, scene.wanted[0], scene.again))
        return Scouting(
            devices=tuple(sorted(chosen[:SCOUTS])),
            variants=scene.wanted,
            until=scene.now + AT_MOST_S,
            again=scene.again > 0,
        )
    missing = any(
        (device, variant) not in scene.answers
        for device in known.devices
        if device in scene.heard
        for variant in known.variants
    )
    return known if missing and scene.now < known.until else None


def leading(
    archive: ClassArchive, budgets: Iterable[Budget], objective: Objective
) -> tuple[Digest, ...]:
    """The variants that are worth a scout, the source among them as what others are compared with.

    Example: 5 ms are allowed, and the estimates are 0.1 to 0.2 ms: none, as no device of the class
    is 25 times slower than the builder.
    """
    found: dict[Digest, None] = {}
    for budget in budgets:
        free = Budget(artifact_bytes=budget.artifact_bytes)
        by_size = choice.ranked(archive.points, free, archive.min_score, objective)
        fitting = choice.ranked(archive.points, budget, archive.min_score, objective)
        leaders = [*fitting[:LEADING], *by_size[:LEADING]]
        if any(_close(one, budget) for one in leaders):
            found |= dict.fromkeys(one.digest for one in leaders)
            found |= dict.fromkeys(one.digest for one in by_size if one.is_source)
    return tuple(found)[:TRIALS]


def _close(point: Point, budget: Budget) -> bool:
    """Whether a device may find what the builder did not."""
    latency, memory = budget.latency_p95_ms, budget.memory_bytes
    slow = latency is not None and point.latency_p95_ms * SLOWER > latency
    return slow or (memory is not None and point.peak_memory_bytes * LARGER > memory)


def _lot(device: str, variant: Digest, turn: int) -> str:
    """Not always the same devices have the work."""
    return hashlib.sha256(f"{device} {variant} {turn}".encode()).hexdigest()

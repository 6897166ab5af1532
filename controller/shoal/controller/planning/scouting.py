"""Who measures what before a choice is frozen: at most two idle devices a class, for a minute.

Scouts cost devices time, so that they are only sent where a budget limits latency or memory, and
where the builder's estimate comes near enough to that limit for a device to differ.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from shoal.contract import choice
from shoal.contract.budget import Budget
from shoal.contract.choice import Objective, Point
from shoal.contract.digest import Digest
from shoal.controller.domain.archive import ClassArchive

SCOUTS = 2  # of a class
AT_MOST_S = 60.0  # that a class may keep a rollout from starting
LEADING = 2  # by the budget as it is, and as many by one without latency and memory
TRIALS = 6  # of a class
SLOWER = 20.0  # that a device may be, beside the builder
LARGER = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scouting:
    """What goes on for one class: every device measures every variant, until a moment."""

    devices: tuple[str, ...]
    variants: tuple[Digest, ...]
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What one class looks like now.

    `wanted` are the variants that no scout has had yet, `idle` the devices that could go, `heard`
    those of which anything may still come, and `answers` what came of which variant.
    """

    now: float
    wanted: tuple[Digest, ...]
    idle: tuple[str, ...]
    heard: frozenset[str]
    answers: frozenset[tuple[str, Digest]]


def step(known: Scouting | None, scene: Scene) -> Scouting | None:
    """What goes on from now; None where nothing does, because all is known or nobody can go."""
    if known is None:
        if not scene.wanted or not scene.idle:
            return None
        chosen = sorted(scene.idle, key=lambda one: _lot(one, scene.wanted[0]))
        return Scouting(
            devices=tuple(sorted(chosen[:SCOUTS])),
            variants=scene.wanted,
            until=scene.now + AT_MOST_S,
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


def without(wanted: Iterable[Digest], known: Collection[Digest]) -> tuple[Digest, ...]:
    """What is left to measure."""
    return tuple(one for one in wanted if one not in known)


def _close(point: Point, budget: Budget) -> bool:
    """Whether a device may find what the builder did not."""
    latency, memory = budget.latency_p95_ms, budget.memory_bytes
    slow = latency is not None and point.latency_p95_ms * SLOWER > latency
    return slow or (memory is not None and point.peak_memory_bytes * LARGER > memory)


def _lot(device: str, variant: Digest) -> str:
    """Not always the same devices have the work."""
    return hashlib.sha256(f"{device} {variant}".encode()).hexdigest()

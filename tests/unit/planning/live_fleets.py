"""Fleets with live evidence: half of them runs revision 2, and everybody has numbers."""

import random
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from shoal.controller.domain.evidence import GateVerdict, Source
from shoal.controller.domain.gating import GateSpec, Metric
from shoal.controller.domain.live import DeviceEvidence, LiveEvidence, Sample
from tests.unit.planning.builders import SMALL, a_strategy, a_wave, devices_of, variant
from tests.unit.planning.worlds import Make, World, a_complete_world

LATENCY = GateSpec(metric=Metric.LATENCY_P95, limit=1.2, min_samples=60)
ERRORS = GateSpec(metric=Metric.ERROR_RATE, limit=0.01, min_samples=60)
OLD, NEW = variant(1, 100), variant(2, 100)
WAVES = (a_wave("half", 50), a_wave("all", 100))
Numbers = Callable[[random.Random, bool], dict[str, Any]]


def a_fleet(make: Make, *gates: GateSpec, count: int = 40, **changes: Any) -> World:
    """The first wave, half of the fleet, runs revision 2 and has confirmed."""
    strategy = a_strategy(waves=WAVES, **changes)
    world = a_complete_world(make, strategy=strategy, fleet=devices_of(SMALL, count))
    world.edit(gates=gates)
    world.publish()
    world.turn(1.0)
    world.confirm(*world.fresh())
    return world


def a_sample(digest: Any = NEW, **changes: Any) -> Sample:
    """Ordinary numbers."""
    sample = Sample(
        variant=digest,
        requests=1000,
        answered=1000,
        latency_ms=(1.0, 2.0, 3.0),
        labelled=500,
        correct=475,
        confident=1000,
        confidence=0.9,
        windows=20,
        memory_bytes=1e7,
        memory_peak_bytes=12_000_000,
        drift=0.0,
    )
    return replace(sample, **changes)


def evidence(
    world: World, numbers: Numbers, seed: int = 1, updated: Collection[str] = ()
) -> LiveEvidence:
    """Everybody's numbers: `numbers` says what an updated device shows, and what another one.

    Updated are those on revision 2 where nobody is named.
    """
    rng, updated = random.Random(seed), updated or world.on_revision(2)
    devices = []
    for one in world.fleet:
        is_updated = one.name in updated
        devices.append(
            DeviceEvidence(
                device=one.name,
                before=a_sample(OLD, **numbers(rng, False)),
                after=(a_sample(NEW if is_updated else OLD, **numbers(rng, is_updated)),),
            )
        )
    return LiveEvidence(devices=tuple(sorted(devices, key=lambda one: one.device)))


def slow(by: float) -> Numbers:
    """A p95 that differs from device to device, and by this factor where updated."""

    def numbers(rng: random.Random, updated: bool) -> dict[str, Any]:  # noqa: FBT001 - the side
        p95 = 2.0 * rng.uniform(0.97, 1.03) * (by if updated else 1.0)
        return {"latency_ms": (p95 / 2, p95, p95 * 1.5)}

    return numbers


def failing(rate: float) -> Numbers:
    """About one error in a thousand, and this share more where updated."""

    def numbers(rng: random.Random, updated: bool) -> dict[str, Any]:  # noqa: FBT001 - the side
        return {"errors": rng.choice((0, 1, 2)) + (round(1000 * rate) if updated else 0)}

    return numbers


def gate_of(world: World, source: Source = Source.TRAFFIC) -> GateVerdict:
    """The newest verdict of revision 2 from this source."""
    given_up = len(world.record.revisions) > 2
    waves = world.record.revisions[1].waves if given_up else world.plan.status.waves
    shown = [one for wave in waves for one in wave.gates if one.source is source]
    return shown[-1]


def show(world: World, numbers: Numbers) -> None:
    """Everybody's numbers arrive, and a pass is made."""
    world.live = evidence(world, numbers)
    world.turn(1.0)


def judged(world: World, numbers: Numbers) -> GateVerdict:
    """What the last gate on traffic says of these numbers."""
    show(world, numbers)
    return gate_of(world)

"""Requests on simulated devices: what they served, as telemetry to the production store."""

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from shoal.contract.digest import Digest
from shoal.contract.histogram import Recorder
from shoal.contract.telemetry import TelemetryBatch, TelemetryWindow
from shoal.controller.domain.evidence import GateVerdict, Source
from shoal.lab.simulation.device import Manner, SimulatedDevice
from shoal.lab.simulation.fleet import DEPLOYMENT, Fleet, Wave
from shoal.lab.simulation.models import SIZES, digest_of
from shoal.lab.simulation.simulation import Setting, Simulation

WINDOW_S = 10.0
REQUESTS = 60  # in each window
HALVES = (Wave(name="half", size="50%"), Wave(name="all", size="100%"))


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedFleet(Fleet):
    """One cohort, updated by halves, with these gates."""

    gates: tuple[dict[str, Any], ...] = ()

    def strategy(self, soak_s: int) -> dict[str, Any]:
        """The strategy with its gates, fully defaulted as the API stores it."""
        return Fleet.strategy(self, soak_s) | {"gates": list(self.gates)}


def a_simulation(gates: Collection[dict[str, Any]], devices: int = 40, seed: int = 1) -> Simulation:
    """A fleet of one cohort that has just begun its first rollout."""
    fleet = GatedFleet(
        small=devices,
        large=0,
        soak_s=20,
        max_soak_s=400,
        heartbeat_s=15.0,
        waves=HALVES,
        progress_deadline_s=3600,
        gates=tuple(gates),
    )
    return Simulation(seed, Setting(fleet=fleet, manner=Manner(heartbeat_s=30.0), pace_s=3.0))


@dataclass(slots=True, kw_only=True)
class Traffic:
    """Every device serves requests; `slowdown` is how slow its variant is there."""

    simulation: Simulation
    slowdown: Callable[[str, Digest], float] = lambda _device, _variant: 1.0
    rng: random.Random = field(default_factory=lambda: random.Random(1))
    _sequence: int = 0

    def start(self) -> None:
        """Let requests come from now on."""
        for device in self.simulation.devices.values():
            usual_ms = self.rng.uniform(2.0, 6.0)  # devices are not alike
            self._later(device, usual_ms)

    def _later(self, device: SimulatedDevice, usual_ms: float) -> None:
        def served() -> None:
            self._serve(device, usual_ms)
            self._later(device, usual_ms)

        self.simulation.timeline.later(WINDOW_S, served)

    def _serve(self, device: SimulatedDevice, usual_ms: float) -> None:
        variant = device.engine.serving.get(DEPLOYMENT)
        if variant is None:
            return
        recorder = Recorder()
        slow = self.slowdown(device.name, variant)
        for _ in range(REQUESTS):
            recorder.record(usual_ms * slow * self.rng.lognormvariate(0.0, 0.3))
        self._sequence += 1
        window = TelemetryWindow(
            deployment=DEPLOYMENT,
            variant=variant,
            generation=1,
            start_ms=round((self.simulation.timeline.now() - WINDOW_S) * 1000),
            duration_ms=round(WINDOW_S * 1000),
            requests=REQUESTS,
            errors=0,
            latency_ms=recorder.freeze(),
        )
        batch = TelemetryBatch(
            device=device.name, boot_id="1", sequence=self._sequence, windows=(window,)
        )
        self.simulation.send_telemetry(batch)


def is_of(revision: int, variant: Digest) -> bool:
    """Whether it is a variant of this model revision."""
    return variant in {digest_of(f"model {revision} of {size} bytes") for size in SIZES}


def verdicts(simulation: Simulation, revision: int) -> list[GateVerdict]:
    """What the gates on traffic said in the waves of this revision, and what they say now."""
    record = simulation.record()
    found = record.revision(revision)
    waves = found.waves if found else ()
    shown = [*(one for wave in waves for one in wave.gates)]
    if record.going.number == revision:
        shown += [one for cohort in record.cohorts for one in cohort.verdicts]
    return [one for one in shown if one.source is Source.TRAFFIC]

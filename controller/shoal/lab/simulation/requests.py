"""Requests on simulated devices: what they served goes as telemetry to the production store."""

from __future__ import annotations

import functools
import random
from typing import TYPE_CHECKING

from shoal.contract.digest import Digest
from shoal.contract.histogram import Histogram, Recorder
from shoal.contract.telemetry import TelemetryBatch, TelemetryWindow
from shoal.lab.simulation.fleet import DEPLOYMENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoal.lab.simulation.device import SimulatedDevice
    from shoal.lab.simulation.simulation import Simulation

WINDOW_S = 10.0
REQUESTS = 60  # in each window
USUAL_MS = (2.0, 3.0, 4.5, 6.0)  # devices are not alike
DRAWS = 16  # different windows of one device at one speed


class Requests:
    """Every device serves requests; `slowdown` is how slow its variant is there."""

    def __init__(
        self, world: Simulation, slowdown: Callable[[str, Digest], float] | None = None
    ) -> None:
        self._world = world
        self._slowdown = slowdown or (lambda _device, variant: world.variants.slowdown(variant))
        self._rng = random.Random(world.seed)  # noqa: S311 - a repeatable run, not a secret
        self._sequence = 0

    def begin(self, device: SimulatedDevice) -> None:
        """Let requests come from now on."""
        usual_ms = self._rng.choice(USUAL_MS)

        def served() -> None:
            self._serve(device, usual_ms)
            self._world.timeline.later(WINDOW_S, served)

        self._world.timeline.later(self._rng.uniform(0.0, WINDOW_S), served)

    def _serve(self, device: SimulatedDevice, usual_ms: float) -> None:
        variant = device.engine.serving.get(DEPLOYMENT)
        if variant is None or not device.up:
            return
        slow = self._slowdown(device.name, variant)
        self._sequence += 1
        window = TelemetryWindow(
            deployment=DEPLOYMENT,
            variant=variant,
            generation=1,
            start_ms=round((self._world.timeline.now() - WINDOW_S) * 1000),
            duration_ms=round(WINDOW_S * 1000),
            requests=REQUESTS,
            errors=self._world.variants.errors(variant, REQUESTS),
            latency_ms=_latencies(usual_ms * slow, self._rng.randrange(DRAWS)),
        )
        batch = TelemetryBatch(
            device=device.name, boot_id="1", sequence=self._sequence, windows=(window,)
        )
        self._world.send_telemetry(batch)


@functools.cache
def _latencies(usual_ms: float, draw: int) -> Histogram:
    """One window of requests; drawn once, since recording them is what takes long."""
    rng = random.Random(f"{usual_ms} {draw}")  # noqa: S311 - a repeatable run, not a secret
    recorder = Recorder()
    for _ in range(REQUESTS):
        recorder.record(usual_ms * rng.lognormvariate(0.0, 0.3))
    return recorder.freeze()

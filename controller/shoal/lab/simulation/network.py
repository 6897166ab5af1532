"""A network that drops, repeats, delays and reorders, and that can be cut for one device."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from shoal.lab.simulation.timeline import Timeline


@dataclass(slots=True)
class Network:
    """Carries messages as calls; `loss` and `repeats` are chances."""

    timeline: Timeline
    rng: random.Random
    loss: float = 0.05
    repeats: float = 0.05
    cut: set[str] = field(default_factory=set)

    def send(self, device: str, deliver: Callable[[], None]) -> None:
        """Deliver between `device` and the controller: perhaps, later, and perhaps twice."""
        copies = 1 + (self.rng.random() < self.repeats)
        for _ in range(copies):
            if self.rng.random() >= self.loss:
                delay = self.rng.expovariate(10.0)
                self.timeline.later(delay, lambda: self._arrive(device, deliver))

    def reaches(self, device: str) -> bool:
        return device not in self.cut

    def _arrive(self, device: str, deliver: Callable[[], None]) -> None:
        if self.reaches(device):
            deliver()

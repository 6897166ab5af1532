"""A network that drops, repeats, delays and reorders, and that can be cut for one device."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from shoal.lab.simulation.timeline import Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How bad the network is; shares of messages, seconds of delay.

    A late message takes `late_factor` times as long as it should: later ones overtake it.
    """

    loss: float = 0.05
    repeats: float = 0.05
    late: float = 0.0
    late_factor: float = 100.0
    delay_s: float = 0.1


CALM = Weather(loss=0.0, repeats=0.0)


@dataclass(slots=True)
class Network:
    """Carries messages as calls, and counts what arrived."""

    timeline: Timeline
    rng: random.Random
    weather: Weather
    cut: set[str] = field(default_factory=set)
    sent: int = 0
    delivered: int = 0

    def send(self, device: str, deliver: Callable[[], None]) -> None:
        """Deliver between `device` and the controller: perhaps, later, and perhaps twice."""
        weather, rng = self.weather, self.rng
        self.sent += 1
        copies = 1 + (rng.random() < weather.repeats)
        for _ in range(copies):
            if rng.random() >= weather.loss:
                delay_s = rng.expovariate(1 / weather.delay_s)
                if weather.late and rng.random() < weather.late:
                    delay_s *= weather.late_factor
                self.timeline.later(delay_s, lambda: self._arrive(device, deliver))

    def reaches(self, device: str) -> bool:
        """Whether the device is not cut off."""
        return device not in self.cut

    def _arrive(self, device: str, deliver: Callable[[], None]) -> None:
        if self.reaches(device):
            self.delivered += 1
            deliver()

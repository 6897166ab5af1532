"""Waiting between attempts with full jitter, so that a fleet does not return as one wave.

Source: "Exponential Backoff and Jitter", AWS Architecture Blog, 2015. Attempt n waits anywhere from
nothing to min(cap, base * 2**n): with base 0.2 s and cap 10 s at most 0.2, 0.4, 0.8, … 10, 10 s.
"""

from dataclasses import dataclass

from shoal.agent.core.ports import Rng


@dataclass(slots=True)
class Backoff:
    """The delays of one connection."""

    rng: Rng
    base_s: float = 0.2
    cap_s: float = 10.0
    _failures: int = 0

    def reset(self) -> None:
        """It worked: start small again."""
        self._failures = 0

    def next_s(self, at_least_s: float = 0.0) -> float:
        """How long to wait now; never less than the other side asked for."""
        limit = min(self.cap_s, self.base_s * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return at_least_s + self.rng.uniform(0, limit)

"""When the micro-benchmark runs: at the start, then every six hours, and never beside an install.

A score that was once known stays until a later one is.
"""

from shoal.agent.core.lives import Context
from shoal.agent.core.ports import Benchmark, Clock

AGAIN_S = 6 * 3600.0


class Speed:
    """The newest `score` of this machine, None until one is known."""

    def __init__(self, benchmark: Benchmark, clock: Clock) -> None:
        self._benchmark = benchmark
        self._clock = clock
        self._measured_at: float | None = None
        self.score: float | None = None

    async def look(self, context: Context) -> bool:
        """Measure where it is time and nothing is going on; whether the score is another now."""
        now = self._clock.now()
        # Whichever way the clock was set: neither every moment nor never again.
        if self._measured_at is not None and abs(now - self._measured_at) < AGAIN_S:
            return False
        if not context.idle:
            return False
        self._measured_at = now
        before, found = self.score, await self._benchmark.score()
        self.score = before if found is None else found
        return self.score != before

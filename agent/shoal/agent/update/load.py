"""How much of its time this machine answers requests, by the windows that engines close."""

from shoal.agent.core.ports import Clock
from shoal.contract.telemetry import TelemetryWindow

HEAVY = 0.25  # of the time: trials beside it would slow requests, and be slowed by them
_WINDOWS = 2  # without requests there are no windows: the last one counts for so many


class Load:
    """What the last window of every deployment says."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._shares: dict[str, tuple[float, float, float]] = {}

    def add(self, window: TelemetryWindow) -> None:
        """Take in a window: 100 answers of 30 ms in 10 s are a share of 0.3."""
        lasted_ms = max(window.duration_ms, 1)
        share = window.latency_ms.total / lasted_ms
        self._shares[window.deployment] = (share, self._clock.now(), _WINDOWS * lasted_ms / 1000)

    @property
    def heavy(self) -> bool:
        """Whether requests take more than a quarter of the time now."""
        now = self._clock.now()
        # Whichever way the clock was set, an old window does not count for long.
        shares = (
            share for share, at, counts_s in self._shares.values() if abs(now - at) < counts_s
        )
        return sum(shares) > HEAVY

"""Simulated time: a queue of things that happen, in order of time and then of planning.

Everybody lives in the same time, but each has a clock of its own that may be set wrong.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Handle:
    """Something that will happen, unless it is cancelled."""

    cancelled: bool = False

    def cancel(self) -> None:
        """Let it not happen."""
        self.cancelled = True


@dataclass(slots=True)
class Timeline:
    """The time of everybody; `after_each` is called when something has happened."""

    now_s: float = 1_800_000_000.0
    after_each: Callable[[], None] = lambda: None
    _queue: list[tuple[float, int, Handle, Callable[[], None]]] = field(default_factory=list)
    _count: int = 0

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.now_s

    def later(self, seconds: float, act: Callable[[], None]) -> Handle:
        """Let `act` happen after so many seconds."""
        handle = Handle()
        self._count += 1
        heapq.heappush(self._queue, (self.now_s + max(seconds, 0.0), self._count, handle, act))
        return handle

    def run(self, seconds: float) -> None:
        """Let everything happen that is due within so many seconds."""
        end = self.now_s + seconds
        while self._queue and self._queue[0][0] <= end:
            when, _, handle, act = heapq.heappop(self._queue)
            self.now_s = max(self.now_s, when)
            if not handle.cancelled:
                act()
                self.after_each()
        self.now_s = end


@dataclass(slots=True)
class Clock:
    """What one machine takes for the time."""

    timeline: Timeline
    ahead_s: float = 0.0

    def now(self) -> float:
        """Seconds since the epoch, as far as this machine knows."""
        return self.timeline.now_s + self.ahead_s

    def jump(self, seconds: float) -> None:
        """Be set forward, or back where `seconds` is negative."""
        self.ahead_s += seconds

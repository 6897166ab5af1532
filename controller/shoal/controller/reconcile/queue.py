"""The keyed work queue: each key once, one pass at a time, and again when it asked to be woken.

The manners of Kubernetes' workqueue: a key added while its own pass runs is run once more after it;
a failing key comes back later and later, and starts afresh when it succeeds.
"""

import asyncio
import heapq
from dataclasses import dataclass, field
from typing import NamedTuple

_BACKOFF_FIRST_S = 0.2
_BACKOFF_MOST_S = 30.0
_SET_BACK_S = 1.0  # less is the ordinary care of a clock
_DOUBLINGS = 10  # enough to reach the most; a float is full after a thousand, a night of failures


class Key(NamedTuple):
    """What one pass reconciles."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


@dataclass(slots=True)
class WorkQueue:
    """Keys that wait for a pass; times are seconds of the caller's clock."""

    _ready: dict[Key, None] = field(default_factory=dict)
    _running: set[Key] = field(default_factory=set)
    _again: set[Key] = field(default_factory=set)
    _timers: list[tuple[float, Key]] = field(default_factory=list)
    _wake_at: dict[Key, float] = field(default_factory=dict)
    _failures: dict[Key, int] = field(default_factory=dict)
    _latest_s: float = 0.0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, key: Key) -> None:
        """Run a pass for `key` as soon as possible."""
        if key in self._running:
            self._again.add(key)
            return
        self._ready[key] = None
        self._changed.set()

    def add_at(self, key: Key, when_s: float) -> None:
        """Run a pass for `key` at `when_s` at the latest; the earliest such wish counts."""
        if when_s >= self._wake_at.get(key, float("inf")):
            return
        self._wake_at[key] = when_s
        heapq.heappush(self._timers, (when_s, key))
        self._changed.set()

    def set_back(self, now_s: float) -> bool:
        """Whether the caller's clock was set back since this was asked last.

        Every timer is due at once then: it was set for a time that may be far away now. Whatever
        was decided by the wrong time and set no timer is the caller's to add.
        """
        back, self._latest_s = now_s < self._latest_s - _SET_BACK_S, now_s
        if back:
            waiting, self._timers, self._wake_at = tuple(self._wake_at), [], {}
            for key in waiting:
                self.add(key)
        return back

    def take(self, now_s: float) -> Key | None:
        """The next key, now running; None when nothing is due. Every taken key must be finished."""
        while self._timers and self._timers[0][0] <= now_s:
            when_s, key = heapq.heappop(self._timers)
            if self._wake_at.get(key) == when_s:
                del self._wake_at[key]
                self.add(key)
        if not self._ready:
            return None
        key = next(iter(self._ready))
        del self._ready[key]
        self._running.add(key)
        return key

    def finish(self, key: Key) -> None:
        """The pass of `key` ended well."""
        self._failures.pop(key, None)
        self._end(key)

    def fail(self, key: Key, now_s: float) -> float:
        """The pass of `key` failed; returns after how many seconds it comes back."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        delay_s = min(_BACKOFF_FIRST_S * 2.0 ** min(count, _DOUBLINGS), _BACKOFF_MOST_S)
        self._end(key)
        self.add_at(key, now_s + delay_s)
        return delay_s

    @property
    def waiting(self) -> int:
        """How many keys could run now."""
        return len(self._ready)

    def due_at(self) -> float | None:
        """When the earliest timer fires; None without timers."""
        return self._timers[0][0] if self._timers else None

    async def wait(self, timeout_s: float | None) -> None:
        """Until something was added, or `timeout_s` passed."""
        if self._ready:
            return
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        except TimeoutError:
            return

    def _end(self, key: Key) -> None:
        self._running.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

"""How many passes there were, how they ended and how long they took."""

import enum
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


class Ending(enum.StrEnum):
    """How a pass ended; a refused one lost a race, and runs again as a failed one does."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(slots=True)
class PassMeter:
    """Counts that only grow while the controller runs; `clock` is seconds since anything."""

    clock: Callable[[], float] = time.perf_counter
    passes: Counter[tuple[str, Ending]] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)

    def ended(self, kind: str, how: Ending) -> None:
        """Count a pass of a kind."""
        self.passes[kind, how] += 1

    @contextmanager
    def timed(self, kind: str) -> Iterator[None]:
        """Add the time of what is done within, however it ends."""
        started = self.clock()
        try:
            yield
        finally:
            self.seconds[kind] = self.seconds.get(kind, 0.0) + self.clock() - started

"""What the demo says while it runs: one line a step, with the seconds since the start."""

import sys
import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Progress:
    """Lines on stderr, so that stdout carries nothing but the result."""

    _start_s: float = field(default_factory=time.monotonic)
    _last: str = ""

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._start_s

    def say(self, text: str) -> None:
        """Print one line; the same line twice in a row is printed once."""
        if text != self._last:
            sys.stderr.write(f"[{self.seconds:6.1f} s] {text}\n")
            self._last = text

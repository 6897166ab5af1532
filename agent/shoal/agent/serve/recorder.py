"""What one slot measured since its switch, and in the window that is open now."""

import time
from collections import Counter
from collections.abc import Iterable

from shoal.contract import histogram
from shoal.contract.digest import Digest
from shoal.contract.limits import CLASSES_COUNTED
from shoal.contract.telemetry import TelemetryWindow


class Recorder:
    """Counts of one slot. Written by the event loop's thread alone."""

    def __init__(self, deployment: str, variant: Digest, generation: int) -> None:
        self.good = 0
        self.errors = 0
        self._deployment = deployment
        self._variant = variant
        self._generation = generation
        self.begin()

    def begin(self) -> None:
        """Open a window now, forgetting what the open one holds."""
        self._start_ms = round(time.time() * 1000)
        self._since = time.monotonic()
        self._good = 0
        self._errors = 0
        self._labelled = 0
        self._correct = 0
        self._latency_ms = histogram.Recorder()
        self._classes: Counter[int] = Counter()

    def succeeded(self, latency_s: float, classes: Iterable[int]) -> None:
        """One request was answered; `classes` are the predicted ones of its rows."""
        self.good += 1
        self._good += 1
        self._latency_ms.record(latency_s * 1000)
        for one in classes:
            if one in self._classes or len(self._classes) < CLASSES_COUNTED:
                self._classes[one] += 1

    def failed(self) -> None:
        """One request that the client formed well got no answer."""
        self.errors += 1
        self._errors += 1

    def labelled(self, rows: int, correct: int) -> None:
        """Labels of so many predictions came back, and so many were right."""
        self._labelled += rows
        self._correct += correct

    @property
    def idle(self) -> bool:
        """Whether the open window holds nothing."""
        return not (self._good or self._errors or self._labelled)

    def cut(self, rss_bytes: int) -> TelemetryWindow:
        """Close the open window and open the next one."""
        window = TelemetryWindow(
            deployment=self._deployment,
            variant=self._variant,
            generation=self._generation,
            start_ms=self._start_ms,
            duration_ms=round((time.monotonic() - self._since) * 1000),
            requests=self._good + self._errors,
            errors=self._errors,
            latency_ms=self._latency_ms.freeze(),
            labelled=self._labelled,
            correct=self._correct,
            classes=tuple(sorted(self._classes.items())),
            rss_bytes=rss_bytes,
        )
        self.begin()
        return window

"""What one slot measured since its switch, and in the window that is open now."""

import time
from collections import Counter
from collections.abc import Iterable

from shoal.contract import histogram
from shoal.contract.digest import Digest
from shoal.contract.limits import CLASSES_COUNTED, CONFIDENCE_STEPS, LARGEST_ERROR
from shoal.contract.telemetry import TelemetryWindow

# Answers of a slot whose latency says nothing of it yet: caches are cold (gates.md 8.7).
WARM_UP = 10


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
        self._confidences: Counter[int] = Counter()
        self._shadowed = 0
        self._shadow_differed = 0
        self._paired = 0
        self._paired_worse = 0
        self._paired_better = 0
        self._scored = 0
        self._absolute_error = 0.0
        self._squared_error = 0.0

    def succeeded(self, latency_s: float, classes: Iterable[int]) -> None:
        """One request was answered; `classes` are the predicted ones of its rows.

        How long the first ones took is left out.
        """
        self.good += 1
        self._good += 1
        if self.good > WARM_UP:
            self._latency_ms.record(latency_s * 1000)
        for one in classes:
            if one in self._classes or len(self._classes) < CLASSES_COUNTED:
                self._classes[one] += 1

    def confident(self, shares: Iterable[float]) -> None:
        """How sure answers were, from 0 to 1; 0.997 counts as 99 percent."""
        for one in shares:
            self._confidences[min(int(one * CONFIDENCE_STEPS), CONFIDENCE_STEPS - 1)] += 1

    def failed(self) -> None:
        """One request that the client formed well got no answer."""
        self.errors += 1
        self._errors += 1

    def labelled(self, rows: int, correct: int) -> None:
        """Labels of so many predictions came back, and so many were right."""
        self._labelled += rows
        self._correct += correct

    def shadowed(self, rows: int, differed: int) -> None:
        """The variant before answered so many rows too, and so many of them differently."""
        self._shadowed += rows
        self._shadow_differed += differed

    def paired(self, right: Iterable[tuple[bool, bool]]) -> None:
        """For labelled rows that both answered: whether this variant, and the one before, was."""
        for ours, theirs in right:
            self._paired += 1
            self._paired_worse += theirs and not ours
            self._paired_better += ours and not theirs

    def scored(self, errors: Iterable[float]) -> None:
        """Labels that are numbers came back; `errors` is how far off each answer was."""
        for one in errors:
            # An answer that is no number is taken to be so far off: in this order NaN is, too.
            error = min(LARGEST_ERROR, abs(one))
            self._scored += 1
            self._absolute_error += error
            self._squared_error += error * error

    @property
    def idle(self) -> bool:
        """Whether the open window holds nothing."""
        return not (self._good or self._errors or self._labelled or self._scored)

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
            confidences=tuple(sorted(self._confidences.items())),
            shadowed=self._shadowed,
            shadow_differed=self._shadow_differed,
            paired=self._paired,
            paired_worse=self._paired_worse,
            paired_better=self._paired_better,
            scored=self._scored,
            absolute_error=self._absolute_error,
            squared_error=self._squared_error,
        )
        self.begin()
        return window

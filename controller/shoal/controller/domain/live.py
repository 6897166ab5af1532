"""Live evidence as the planner sees it: per device what was before the rollout, and what is since.

A `Sample` is what is left of a `Tally` once quantiles and distances are taken: a few numbers, so
that whole fleets of them fit into a snapshot.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from shoal.contract.digest import Digest
from shoal.controller.domain.tallies import MILLION, Counted, Tally

QUANTILES = (0.50, 0.95, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one variant did on one device.

    `latency_ms` are p50, p95 and p99 of `answered` requests. `confidence` is the mean of
    `confident` answers, `memory_bytes` that of `windows`. `drift` is the share of predictions that
    moved to other classes against the device's own past, None without one.
    """

    variant: Digest
    requests: int = 0
    errors: int = 0
    answered: int = 0
    latency_ms: tuple[float, float, float] | None = None
    labelled: int = 0
    correct: int = 0
    shadowed: int = 0
    shadow_differed: int = 0
    paired: int = 0
    paired_worse: int = 0
    paired_better: int = 0
    scored: int = 0
    absolute_error: float = 0.0
    squared_error: float = 0.0
    confident: int = 0
    confidence: float = 0.0
    windows: int = 0
    memory_bytes: float = 0.0
    memory_peak_bytes: int = 0
    drift: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceEvidence:
    """One device: `before` the rollout started (frozen), and `after` for each variant since.

    `earlier` is the variant that served until the one of `before` did.
    """

    device: str
    before: Sample | None = None
    earlier: Sample | None = None
    after: tuple[Sample, ...] = ()

    def since(self, variant: Digest | None) -> Sample | None:
        """What this variant did here since the rollout started."""
        return next((one for one in self.after if one.variant == variant), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a query answered at one moment, seconds since the epoch; None: nothing."""

    at: float
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryAnswers:
    """The last answers to one query, oldest first."""

    query: str
    answers: tuple[Answer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEvidence:
    """All live evidence of one rollout; devices sorted by name."""

    devices: tuple[DeviceEvidence, ...] = ()
    queries: tuple[QueryAnswers, ...] = ()

    def answers(self, query: str) -> tuple[Answer, ...]:
        """The last answers to a query, oldest first."""
        return next((one.answers for one in self.queries if one.query == query), ())


def device_evidence(
    device: str,
    before: Iterable[tuple[Digest, Tally]],
    after: Iterable[tuple[Digest, Tally]],
) -> DeviceEvidence:
    """The evidence of one device from its tallies before and since the rollout's start.

    Its past is that of the variant which served last before the start.
    """
    tallies: dict[Digest, Tally] = {}
    for variant, tally in before:
        tallies[variant] = tallies.get(variant, Tally()).merge(tally)
    newest = sorted(tallies.items(), key=lambda one: (one[1].last_ms, one[0]), reverse=True)
    past, earlier, *_ = (*newest, None, None)
    since: dict[Digest, Tally] = {}
    for variant, tally in after:
        since[variant] = since.get(variant, Tally()).merge(tally)
    return DeviceEvidence(
        device=device,
        before=None if past is None else sample(past[0], past[1]),
        earlier=None if earlier is None else sample(earlier[0], earlier[1]),
        after=tuple(
            sample(variant, since[variant], None if past is None else past[1].classes)
            for variant in sorted(since)
        ),
    )


def sample(variant: Digest, tally: Tally, past: Counted | None = None) -> Sample:
    """The numbers of one tally; `past` are the classes that the device predicted before."""
    p50, p95, p99 = (tally.latency_ms.quantile(q) for q in QUANTILES)
    latency = None if p50 is None or p95 is None or p99 is None else (p50, p95, p99)
    confident = sum(count for _, count in tally.confidences)
    # Every answer lies somewhere in its percent: half a percent is the middle.
    total = sum((step + 0.5) * count for step, count in tally.confidences)
    return Sample(
        variant=variant,
        requests=tally.requests,
        errors=tally.errors,
        answered=tally.latency_ms.count,
        latency_ms=latency,
        labelled=tally.labelled,
        correct=tally.correct,
        shadowed=tally.shadowed,
        shadow_differed=tally.shadow_differed,
        paired=tally.paired,
        paired_worse=tally.paired_worse,
        paired_better=tally.paired_better,
        scored=tally.scored,
        absolute_error=tally.absolute_error / MILLION,
        squared_error=tally.squared_error / MILLION,
        confident=confident,
        confidence=total / confident / 100 if confident else 0.0,
        windows=tally.windows,
        memory_bytes=tally.memory_bytes / tally.windows if tally.windows else 0.0,
        memory_peak_bytes=tally.memory_peak_bytes,
        drift=drift(past, tally.classes) if past else None,
    )


def drift(before: Counted, after: Counted) -> float | None:
    """Half the sum of |share after - share before| over classes, less what chance alone gives.

    Shares of n and m draws differ by sqrt(2/pi) standard deviations on average even where nothing
    changed; that is taken off, so that few predictions do not look like drift. 50/50 before and
    60/40 after, of 10,000 each: 0.10 - 0.0056 = 0.094. None where one side is empty.
    """
    n, m = sum(count for _, count in before), sum(count for _, count in after)
    if not n or not m:
        return None
    old, new = dict(before), dict(after)
    moved = chance = 0.0
    for one in sorted({*old, *new}):
        was, now = old.get(one, 0) / n, new.get(one, 0) / m
        both = (old.get(one, 0) + new.get(one, 0)) / (n + m)
        moved += abs(now - was)
        chance += math.sqrt(2 / math.pi * both * (1 - both) * (1 / n + 1 / m))
    return (moved - chance) / 2

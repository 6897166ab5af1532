"""The production gates, watched at every look of a simulated rollout."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from bench.gating.durations import LatencyArm, LatencyStream
from bench.gating.mishaps import MishapStream
from bench.gating.streams import Arm, PairedStream, UnpairedStream, total
from shoal.controller.domain.evidence import Verdict
from shoal.controller.gates import effects, engine, incidents
from shoal.controller.gates.effects import LEAST_SAMPLES, Counts, Effect
from shoal.controller.gates.engine import Design, Estimate
from shoal.controller.gates.incidents import Exposure

ALPHA = 0.05  # of either side
_Q = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The first verdict of a rollout and how many samples its updated devices had given."""

    verdict: Verdict
    samples: int


def a_design(margin: float, least: float = engine.LEAST_DIFFERENCE) -> Design:
    """The design of the operating curves: 5 % on either side."""
    return Design(margin=margin, alpha_fail=ALPHA, mde=engine.least_effect(margin, least))


def watch(
    looks: int, estimate: Callable[[int], Estimate | None], design: Design
) -> tuple[Verdict, int]:
    """The first verdict, and the look that gave it; the last look where none did."""
    for look in range(looks):
        said = engine.verdict(estimate(look), design)
        if said is not Verdict.INCONCLUSIVE:
            return said, look
    return Verdict.INCONCLUSIVE, looks - 1


def paired(stream: PairedStream, design: Design) -> Outcome:
    """The paired gate on shadowed inputs."""
    every_b, every_c, every_n = stream.b.tolist(), stream.c.tolist(), stream.n.tolist()

    def estimate(look: int) -> Estimate | None:
        rows = zip(every_b[look], every_c[look], every_n[look], strict=True)
        counts = [row for row in rows if row[2] >= LEAST_SAMPLES[Effect.PAIRED]]
        votes = [effects.paired(b, c, n) for b, c, n in counts]
        return engine.compare(votes, None, design, floor=engine.paired_floor(counts, design.eps))

    said, look = watch(len(every_n), estimate, design)
    return Outcome(verdict=said, samples=total(stream.n, look))


def unpaired(
    stream: UnpairedStream, design: Design, kind: Effect = Effect.ACCURACY, *, past: bool = True
) -> Outcome:
    """The unpaired gate: each device against its own past, the updated against the others.

    Without `past` it compares rates of the two arms, as if nothing was known of before.
    """
    candidate = _changes(stream.candidate, LEAST_SAMPLES[kind], past=past)
    baseline = _changes(stream.baseline, LEAST_SAMPLES[kind], past=past)

    def estimate(look: int) -> Estimate | None:
        ours, theirs = candidate(look), baseline(look)
        floor = engine.rate_floor(ours, design.eps) + engine.rate_floor(theirs, design.eps)
        return engine.compare(
            [effects.rate_change(*one) if past else one[1].rate for one in ours],
            [effects.rate_change(*one) if past else one[1].rate for one in theirs],
            design,
            floor=floor,
        )

    said, look = watch(len(stream.candidate.n), estimate, design)
    return Outcome(verdict=said, samples=total(stream.candidate.n, look))


def _changes(arm: Arm, least: int, *, past: bool) -> Callable[[int], list[tuple[Counts, Counts]]]:
    nothing = Counts(events=0, n=0)
    before = [
        Counts(events=events, n=n) if past else nothing
        for events, n in zip(arm.events_before.tolist(), arm.n_before.tolist(), strict=True)
    ]
    every_event, every_n = arm.events.tolist(), arm.n.tolist()

    def at(look: int) -> list[tuple[Counts, Counts]]:
        rows = zip(before, every_event[look], every_n[look], strict=True)
        return [(was, Counts(events=events, n=n)) for was, events, n in rows if n >= least]

    return at


def latency(stream: LatencyStream, design: Design, *, others: bool = True) -> Outcome:
    """The latency gate on p95; without `others` each device stands beside its own past alone."""
    candidate = _ratios(stream.candidate)
    baseline = _ratios(stream.baseline) if others else None

    def estimate(look: int) -> Estimate | None:
        return engine.compare(candidate(look), baseline(look) if baseline else None, design)

    said, look = watch(len(stream.candidate.after), estimate, design)
    return Outcome(verdict=said, samples=int(stream.candidate.after[look].sum()))


def _ratios(arm: LatencyArm) -> Callable[[int], list[float]]:
    before = [arm.histogram(row).quantile(_Q) or 0.0 for row in arm.before]

    def at(look: int) -> list[float]:
        after = [arm.histogram(row) for row in arm.after[look]]
        return [
            effects.log_change(was, now.quantile(_Q) or 0.0)
            for was, now in zip(before, after, strict=True)
            if now.count >= LEAST_SAMPLES[Effect.LATENCY_P95]
        ]

    return at


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """What the incident gate says at some look: with the allowance for liars, without, passing."""

    robust: bool
    plain: bool
    passes: bool


def mishaps(stream: MishapStream, max_ratio: float) -> Struck:
    """The incident gate, evaluated whenever a device is struck for the first time."""
    limit = -math.log(ALPHA)
    found = [
        incidents.evidence(_exposures(stream, look), max_ratio)
        for look in sorted({one for one in stream.first.tolist() if one < stream.looks})
    ]
    return Struck(
        robust=any(one.log_e_fail_robust >= limit for one in found),
        plain=any(one.log_e_fail >= limit for one in found),
        passes=any(one.log_e_pass >= limit for one in found),
    )


def _exposures(stream: MishapStream, look: int) -> list[Exposure]:
    return [
        Exposure(
            device=f"device-{at}",
            candidate=at < stream.devices,
            since=0.0,
            until=float(look),
            incident_at=float(first) if first <= look else None,
        )
        for at, first in enumerate(stream.first.tolist())
    ]

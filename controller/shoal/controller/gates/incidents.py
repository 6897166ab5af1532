"""First incidents: a safe logrank test on when devices first go wrong.

Only a device's first incident counts (restart, crash, watchdog, lost contact): a crash loop is one
event. When one happens with Yc candidate and Yb baseline devices at risk, under the hazard ratio
theta it strikes a candidate with p(theta) = theta Yc / (theta Yc + Yb). With rho the largest ratio
allowed and f = p for a candidate event, 1 - p for a baseline one:

    fail: E  = mean over G of prod f(event; rho G) / f(event; rho),   G in {1.5, 2, 3, 5, 10}
    pass: E' = mean over G of prod f(event; rho / G) / f(event; rho)

Source: ter Schure, Perez-Ortiz, Ly, Gruenwald (2020), "The safe logrank test". The robust E divides
out, for each G, the g = ceil(eps D) largest factors of candidate events: g lying devices of D never
fail a rollout. It is recomputed from all exposures, sorted, so no order of reports matters.
"""

import hashlib
import math
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from shoal.controller.gates.engine import EPS, extremes

_RATIOS = (1.5, 2.0, 3.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """How long a device was watched in one arm, and its first incident there.

    Times are seconds on any clock that all exposures share. A device that switches has two: as
    baseline until then, as candidate from then on. An incident outside the exposure is no event,
    but from then on the device is no longer at risk.
    """

    device: str
    candidate: bool
    since: float
    until: float
    incident_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incidents:
    """What all first incidents say together; fail and pass where a log-e reaches ln(1/alpha)."""

    log_e_fail_robust: float
    log_e_fail: float
    log_e_pass: float
    events: int
    candidate_events: int


# Two at the same moment stand in the order of the hashes of their devices, which know no arm.
_Moment = tuple[float, bytes]
_LAST = b"\xff" * 33  # behind every hash of 32 bytes
_NEVER: _Moment = (math.inf, _LAST)
_ARMS = (True, False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """A device at risk from `since` to just before `end`, or struck at it."""

    candidate: bool
    since: float
    end: _Moment
    struck: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    candidate: bool
    at_risk: tuple[int, ...]  # candidate and baseline devices, the struck one among them


def evidence(exposures: Sequence[Exposure], max_ratio: float, eps: float = EPS) -> Incidents:
    """The e-values of first incidents against "the hazard ratio is at most (least) `max_ratio`".

    Raises:
        ValueError: `max_ratio` is not positive, or an exposure ends before it starts.
    """
    if not 0 < max_ratio < math.inf:
        raise ValueError(f"the largest ratio of incidents is positive, not {max_ratio}")
    if not all(one.since <= one.until for one in exposures):
        raise ValueError("an exposure ends after it starts")
    events = _events(frozenset(exposures))  # told twice is told once
    allowed = extremes(len({one.device for one in exposures if one.candidate}), eps)
    plain, robust, passing = [], [], []
    for ratio in _RATIOS:
        factors = [_factor(event, max_ratio * ratio, max_ratio) for event in events]
        struck = sorted(f for f, event in zip(factors, events, strict=True) if event.candidate)
        plain.append(math.fsum(factors))
        # Subtracting would leave rounding where nothing is left, so the rest is summed anew.
        kept = struck[: max(0, len(struck) - allowed)]
        spared = [f for f, event in zip(factors, events, strict=True) if not event.candidate]
        robust.append(math.fsum(kept + spared))
        passing.append(math.fsum(_factor(event, max_ratio / ratio, max_ratio) for event in events))
    return Incidents(
        log_e_fail_robust=_log_mean(robust),
        log_e_fail=_log_mean(plain),
        log_e_pass=_log_mean(passing),
        events=len(events),
        candidate_events=sum(event.candidate for event in events),
    )


def _events(exposures: Collection[Exposure]) -> list[_Event]:
    """First incidents in order, with how many of each arm were at risk just before."""
    spans = list(_spans(exposures))
    starts = {arm: sorted(one.since for one in spans if one.candidate is arm) for arm in _ARMS}
    ends = {arm: sorted(one.end for one in spans if one.candidate is arm) for arm in _ARMS}
    struck = sorted((one.end, one.candidate) for one in spans if one.struck)
    return [
        _Event(
            candidate=candidate,
            at_risk=tuple(
                bisect_right(starts[arm], moment[0]) - bisect_left(ends[arm], moment)
                for arm in _ARMS
            ),
        )
        for moment, candidate in struck
    ]


def _spans(exposures: Collection[Exposure]) -> Iterator[_Span]:
    """When each device was at risk, in one arm at a time and until its first incident."""
    of_device: dict[str, list[Exposure]] = {}
    for one in exposures:
        of_device.setdefault(one.device, []).append(one)
    for device, watched in of_device.items():
        watched.sort(key=lambda one: (one.since, one.until, one.candidate))
        incidents = [one.incident_at for one in watched if one.incident_at is not None]
        first = (min(incidents), _hash(device)) if incidents else _NEVER
        following = [(one.since, b"") for one in watched[1:]]
        for one, after in zip(watched, [*following, _NEVER], strict=True):
            end = min((one.until, _LAST), after, first)
            if end >= (one.since, b""):
                yield _Span(candidate=one.candidate, since=one.since, end=end, struck=end == first)


def _factor(event: _Event, theta: float, null: float) -> float:
    """The log of the likelihood ratio of the event under `theta` against `null`."""
    candidates, baselines = event.at_risk
    weight = math.log(null * candidates + baselines) - math.log(theta * candidates + baselines)
    return weight + (math.log(theta / null) if event.candidate else 0.0)


def _log_mean(logs: Sequence[float]) -> float:
    top = max(logs)
    return top + math.log(math.fsum(math.exp(one - top) for one in logs) / len(logs))


def _hash(device: str) -> bytes:
    return hashlib.sha256(device.encode()).digest()

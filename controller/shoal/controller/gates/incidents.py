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
from collections.abc import Iterable, Sequence
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    candidate: bool
    at_risk: tuple[int, int]  # candidate and baseline devices, the struck one among them


def evidence(exposures: Sequence[Exposure], max_ratio: float, eps: float = EPS) -> Incidents:
    """The e-values of first incidents against "the hazard ratio is at most (least) `max_ratio`".

    Raises:
        ValueError: `max_ratio` is not positive, or an exposure ends before it starts.
    """
    if not 0 < max_ratio < math.inf:
        raise ValueError(f"the largest ratio of incidents is positive, not {max_ratio}")
    if not all(one.since <= one.until for one in exposures):
        raise ValueError("an exposure ends after it starts")
    events = _events(exposures)
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


def _events(exposures: Sequence[Exposure]) -> list[_Event]:
    """First incidents in order, with how many of each arm were at risk just before.

    Two at the same moment stand in the order of the hashes of their devices, which knows nothing
    of arms.
    """
    first: dict[str, tuple[float, bytes]] = {}
    for one in exposures:
        if one.incident_at is not None:
            key = (one.incident_at, _hash(one.device))
            first[one.device] = min(key, first.get(one.device, key))
    arms = {side: _Arm(_of_arm(exposures, side), first) for side in (True, False)}
    struck = sorted(
        (first[one.device], one.candidate)
        for one in exposures
        if one.device in first and one.since <= first[one.device][0] <= one.until
    )
    return [
        _Event(candidate=side, at_risk=(arms[True].at_risk(key), arms[False].at_risk(key)))
        for key, side in _once(struck)
    ]


def _once(
    struck: Iterable[tuple[tuple[float, bytes], bool]],
) -> list[tuple[tuple[float, bytes], bool]]:
    """One event for each device: at the very moment of its switch it counts for the candidate."""
    return list({key: (key, side) for key, side in struck}.values())


class _Arm:
    """Who of one arm is at risk when: intervals that start at `since` and end at the first end."""

    def __init__(
        self, exposures: Iterable[Exposure], first: dict[str, tuple[float, bytes]]
    ) -> None:
        starts, ends = [], []
        for one in exposures:
            struck = first.get(one.device)
            if struck is not None and struck[0] < one.since:
                continue
            last = (one.until, _AFTER_ALL)
            starts.append(one.since)
            ends.append(min(last, struck) if struck is not None else last)
        self._starts, self._ends = sorted(starts), sorted(ends)

    def at_risk(self, moment: tuple[float, bytes]) -> int:
        """How many are watched and not yet struck just before `moment`."""
        return bisect_right(self._starts, moment[0]) - bisect_left(self._ends, moment)


_AFTER_ALL = b"\xff" * 33  # behind every hash of 32 bytes


def _of_arm(exposures: Iterable[Exposure], candidate: bool) -> list[Exposure]:  # noqa: FBT001 - the arm
    return [one for one in exposures if one.candidate is candidate]


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

"""Rollout gates as they are often built, on the same streams: pooled samples, fixed thresholds.

The pooled tests are correct always-valid tests of independent samples; samples of one device are
not. The thresholds model the rule "abort when the measured drop is beyond 1 point (10 % for
latency), from 30 samples on", looked at continuously; they are no product's code.
"""

import math

import numpy as np
import numpy.typing as npt

from bench.gating.durations import LatencyStream
from bench.gating.judging import ALPHA
from bench.gating.mishaps import MishapStream
from bench.gating.streams import Counts, PairedStream, UnpairedStream
from shoal.controller.domain.evidence import Verdict
from shoal.controller.gates import golden
from shoal.controller.gates.golden import Tally

_LEAST = 30
_POINT = 0.01
_SLOWER = 1.10
_DEVICES = 0.10  # devices with an incident
_RATIOS = (1.5, 2.0, 3.0, 5.0, 10.0)
Floats = npt.NDArray[np.float64]


def pooled_betting(stream: PairedStream, margin: float) -> Verdict:
    """The first verdict of the golden set's exact e-process, fed with pooled inputs."""
    sums = (one.sum(axis=1).tolist() for one in (stream.b, stream.c, stream.n))
    for b, c, n in zip(*sums, strict=True):
        counted = Tally(worse=b, better=c, same=n - b - c, active_right=0)
        if golden.fails(counted, margin, ALPHA):
            return Verdict.FAIL
        if golden.passes(counted, margin, ALPHA):
            return Verdict.PASS
    return Verdict.INCONCLUSIVE


def threshold_paired(stream: PairedStream) -> bool:
    """Whether the pooled paired drop is ever beyond one point."""
    b, c, n = (one.sum(axis=1) for one in (stream.b, stream.c, stream.n))
    return bool(((n >= _LEAST) & (b - c > _POINT * n)).any())


def pooled_rates(stream: UnpairedStream, margin: float) -> bool:
    """Whether the two-proportion mSPRT on pooled samples ever aborts."""
    return _differ(*_sums(stream), margin)


def threshold_rates(stream: UnpairedStream, margin: float = _POINT) -> bool:
    """Whether the pooled rates ever differ by more than one point."""
    ours, n, theirs, m = _sums(stream)
    counted = (n >= _LEAST) & (m >= _LEAST)
    return bool((counted & (ours / np.maximum(n, 1) - theirs / np.maximum(m, 1) > margin)).any())


def pooled_exceedance(stream: LatencyStream) -> bool:
    """Whether requests above the others' 95th percentile are ever significantly more frequent."""
    ours, theirs = stream.candidate, stream.baseline
    cut = _percentile(theirs.before.sum(axis=0), 0.95) + theirs.lowest
    above = [
        arm.after[:, :, max(0, cut - arm.lowest + 1) :].sum(axis=(1, 2)) for arm in (ours, theirs)
    ]
    totals = [arm.after.sum(axis=(1, 2)) for arm in (ours, theirs)]
    return _differ(above[0], totals[0], above[1], totals[1], 0.0)


def threshold_latency(stream: LatencyStream) -> bool:
    """Whether the pooled p95 is ever more than 10 % above the others'."""
    for look in range(len(stream.candidate.after)):
        found = [
            arm.histogram(arm.after[look].sum(axis=0))
            for arm in (stream.candidate, stream.baseline)
        ]
        ours, theirs = (one.quantile(0.95) for one in found)
        if min(one.count for one in found) >= _LEAST and (ours or 0) > _SLOWER * (theirs or 0):
            return True
    return False


def pooled_restarts(stream: MishapStream) -> bool:
    """Whether counting every restart as an independent event ever aborts."""
    ours, theirs = stream.restarts.cumsum(axis=0).T
    logs = []
    for ratio in _RATIOS:
        share = ratio / (ratio + 2)  # twice as many devices are not updated
        logs.append(ours * math.log(share * 3) + theirs * math.log((1 - share) * 1.5))
    return bool((np.logaddexp.reduce(logs, axis=0) - math.log(len(logs)) >= -math.log(ALPHA)).any())


def threshold_devices(stream: MishapStream) -> bool:
    """Whether more than 10 % of the updated devices ever had an incident."""
    struck = (stream.first[: stream.devices] < stream.looks).sum()
    return bool(struck > _DEVICES * stream.devices)


def _sums(stream: UnpairedStream) -> tuple[Counts, Counts, Counts, Counts]:
    ours, theirs = stream.candidate, stream.baseline
    sums = (one.sum(axis=1) for one in (ours.events, ours.n, theirs.events, theirs.n))
    first, second, third, fourth = sums
    return first, second, third, fourth


def _differ(ours: Counts, n: Counts, theirs: Counts, m: Counts, margin: float) -> bool:
    """Whether two pooled shares ever differ by more than `margin`, by the normal mixture."""
    counted = (n >= _LEAST) & (m >= _LEAST) & (ours + theirs > 0)
    ours, n, theirs, m = (one[counted] for one in (ours, n, theirs, m))
    share = (ours + theirs) / (n + m)
    variance = share * (1 - share) * (1 / n + 1 / m)
    ratio = max(margin, _POINT) ** 2 / variance
    z = np.sqrt((1 + 1 / ratio) * (np.log1p(ratio) - 2 * math.log(2 * ALPHA)))
    return bool((ours / n - theirs / m - margin > z * np.sqrt(variance)).any())


def _percentile(counts: Counts, share: float) -> int:
    return int(np.searchsorted(counts.cumsum(), share * counts.sum()))

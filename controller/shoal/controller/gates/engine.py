"""The device engine: each device has one vote, and one may look at any time.

Samples of one device resemble each other, so an always-valid test on pooled samples aborts 20-40 %
of healthy rollouts. Here every device gives one cumulative effect (positive = candidate worse); the
most extreme 5 % on each side are dropped (Yuen 1974, "The two-sample trimmed t for unequal
population variances"); how much devices differ gives the standard error; `boundary` widens it for
looking all the time; and the interval grows by what 5 % of lying devices can move the mean.

    T    = mean of the effects without the g = ceil(eps D) largest and smallest, h = D - 2g
    SE^2 = sum (w_d - mean w)^2 / (h (h-1)), w_d clamped to the kept range; at least the floor
    L, U = T -+ (t(z(r/SE^2, alpha), df) SE + beta s_w),   r = mde^2

Two arms subtract: T = Tc - Tb, SE^2 and the allowances add up, df by Welch and Satterthwaite. A
cumulative mean is a Brownian motion in the information 1/SE^2 whatever the correlation within a
device, so the boundary holds; when devices differ, more samples of the same devices stop helping.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shoal.controller.domain.evidence import Verdict
from shoal.controller.gates import boundary
from shoal.controller.gates.effects import Counts

MIN_DEVICES = 8  # a side; 2^-D bounds any sign test, so fewer devices prove nothing
EPS = 0.05  # the share of devices on each side that may lie
BETA = 0.11  # phi(1.645)/0.95: what dropping 5 % moves the mean of a normal sample, in s.d.
ALPHA_PASS = 0.05  # promotion needs all gates, so this is not split
LEAST_DIFFERENCE = 0.01  # one point: no boundary is tuned for less
LEAST_LOG_RATIO = math.log(1.1)
_WIDEST = 100.0  # standard errors: so little is known that no verdict could come of it
_NO_SCATTER = 1e-24  # a variance below is rounding, not knowledge


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What was fixed before the first look; changing any of it later voids the guarantee.

    `margin` is the limit of the effect, `mde` the effect that the boundary is tuned for,
    `alpha_fail` this gate's share of the chance to abort a healthy rollout.
    """

    margin: float
    alpha_fail: float
    alpha_pass: float = ALPHA_PASS
    mde: float
    eps: float = EPS
    beta: float = BETA


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """What the width of an interval is made of; the three add up to one.

    Where `devices` dominates more time does not help, more devices do.
    """

    sampling: float
    devices: float
    liars: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The confidence sequence of an effect now: `value` within [`low`, `high`].

    `trimmed` are the positions of candidate devices that were too extreme to count.
    """

    value: float
    low: float
    high: float
    devices: int
    baseline_devices: int
    trimmed: tuple[int, ...]
    shares: Shares


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arm:
    mean: float
    variance: float  # SE^2
    scatter: float  # s_w
    df: float
    trimmed: tuple[int, ...]


def least_effect(margin: float, least: float = LEAST_DIFFERENCE) -> float:
    """The effect to tune the boundary for: the margin, but not less than `least`."""
    return max(abs(margin), least)


def compare(
    candidate: Sequence[float],
    baseline: Sequence[float] | None,
    design: Design,
    *,
    floor: float = 0.0,
) -> Estimate | None:
    """The interval of the candidate's effect, minus the baseline's where there is one.

    `floor` is the least variance that the whole estimate can have: what sampling alone gives (see
    `paired_floor`). None with fewer than 8 devices on a side, while the interval would span more
    than a hundred standard errors, and where nothing scatters and no floor says how little that
    proves.

    Raises:
        ValueError: an effect or the floor is not finite.
    """
    sides = [candidate] if baseline is None else [candidate, baseline]
    if not all(map(math.isfinite, (floor, *(one for side in sides for one in side)))):
        raise ValueError("effects and their floor are finite numbers")
    if any(len(side) < MIN_DEVICES for side in sides):
        return None
    arms = [_arm(side, design.eps) for side in sides]
    scattered = sum(arm.variance for arm in arms)
    variance = max(scattered, floor)
    if variance <= _NO_SCATTER:
        return None
    value = arms[0].mean - (arms[1].mean if baseline is not None else 0.0)
    allowance = design.beta * sum(arm.scatter for arm in arms)
    ratio, df, error = design.mde**2 / variance, _freedom(arms), math.sqrt(variance)
    below = boundary.t_calibrated(boundary.mixture_z(ratio, design.alpha_fail), df) * error
    above = boundary.t_calibrated(boundary.mixture_z(ratio, design.alpha_pass), df) * error
    if max(below, above) > _WIDEST * error:
        return None
    liars = 2 * allowance / (below + above + 2 * allowance)
    sampling = min(1.0, floor / variance) * (1 - liars)
    return Estimate(
        value=value,
        low=value - below - allowance,
        high=value + above + allowance,
        devices=len(candidate),
        baseline_devices=0 if baseline is None else len(baseline),
        trimmed=arms[0].trimmed,
        shares=Shares(sampling=sampling, devices=1 - liars - sampling, liars=liars),
    )


def verdict(estimate: Estimate | None, design: Design) -> Verdict:
    """Fail when the interval lies wholly beyond the margin, pass when wholly within it."""
    if estimate is None:
        return Verdict.INCONCLUSIVE
    if estimate.low > design.margin:
        return Verdict.FAIL
    return Verdict.PASS if estimate.high < design.margin else Verdict.INCONCLUSIVE


def data_factor(estimate: Estimate, design: Design) -> float | None:
    """About how many times the data a verdict would need; None where the value is at the margin.

    An interval of +-3 points around a value 2 points from the margin needs (3/2)^2 = 2.25 times the
    data, of more devices where these differ.
    """
    distance = abs(design.margin - estimate.value)
    return ((estimate.high - estimate.low) / 2 / distance) ** 2 if distance else None


def paired_floor(counts: Sequence[tuple[int, int, int]], eps: float = EPS) -> float:
    """The variance that sampling alone gives a paired effect, from each device's (b, c, n).

    With few answers that differ most effects are 0 and devices seem to agree far too well: without
    this floor 5-6 % of rollouts passed falsely. Twenty devices with 100 answers each, 30 of them
    different on the 18 that are not dropped most, give (30 + 1) / 1800^2.
    """
    kept = sorted(counts, key=lambda one: ((one[0] + one[1]) / max(one[2], 1), one))
    kept = kept[: len(kept) - extremes(len(kept), eps)]
    samples = sum(n for _, _, n in kept)
    return (sum(b + c for b, c, _ in kept) + 1) / samples**2 if samples else 0.0


def rate_floor(changes: Sequence[tuple[Counts, Counts]], eps: float = EPS) -> float:
    """The variance that the samples since the switch alone give a change, from (before, after).

    For one arm; two arms add theirs. The devices with the most events are dropped as for pairs. The
    windows before were long and stand still, so what they add shows in how devices scatter; few
    events since are what makes devices seem to agree.
    """
    kept = sorted((after for _, after in changes), key=lambda one: (one.rate, one.n))
    kept = kept[: len(kept) - extremes(len(kept), eps)]
    return Counts(events=sum(one.events for one in kept), n=sum(one.n for one in kept)).noise


def trimmed_mean(values: Sequence[float], eps: float = EPS) -> float:
    """The mean of what is left without the most extreme on either side; of one or two, of these.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("nothing has no mean")
    cut = min(extremes(len(values), eps), (len(values) - 1) // 2)
    kept = sorted(values)[cut : len(values) - cut]
    return math.fsum(kept) / len(kept)


def extremes(devices: int, eps: float) -> int:
    """How many of so many devices may lie: 1 of 20, 2 of 21."""
    return math.ceil(eps * devices - 1e-9)


def _arm(values: Sequence[float], eps: float) -> _Arm:
    order = sorted(range(len(values)), key=values.__getitem__)
    cut = extremes(len(values), eps)
    kept = [values[at] for at in order[cut : len(order) - cut]]
    ends = (kept[0], kept[-1])
    # Sums of sorted numbers: no order of arrival can change a single bit of them.
    middle = math.fsum(kept)
    centre = (middle + cut * sum(ends)) / len(values)
    squares = math.fsum((one - centre) ** 2 for one in kept)
    squares += cut * sum((one - centre) ** 2 for one in ends)
    return _Arm(
        mean=middle / len(kept),
        variance=squares / (len(kept) * (len(kept) - 1)),
        scatter=math.sqrt(squares / (len(values) - 1)),
        df=len(kept) - 1,
        trimmed=tuple(sorted(order[:cut] + order[len(order) - cut :])),
    )


def _freedom(arms: Sequence[_Arm]) -> float:
    """Welch's degrees of freedom, not below the smaller arm's and not above their sum."""
    least, most = min(arm.df for arm in arms), sum(arm.df for arm in arms)
    spread = math.fsum(arm.variance**2 / arm.df for arm in arms)
    if spread == 0:
        return least
    return min(max(math.fsum(arm.variance for arm in arms) ** 2 / spread, least), most)

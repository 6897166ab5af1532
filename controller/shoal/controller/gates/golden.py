"""The golden-set gate: an exact count e-process on distinct inputs (gates.md section 3).

For each input y = +1 where the active side is right and the candidate wrong, -1 the reverse, 0
otherwise; b, c and n0 count them. A mixture of 24 constant bets l_k = 0.95 l_max e^(-k/4):

    fail  H0: E y <= delta, l_max = 1/(1+delta):
          E  = mean_k (1+l(1-delta))^b (1-l delta)^n0 (1-l(1+delta))^c
    pass  H0: E y >= delta, l_max = 1/(1-delta):
          E' = mean_k (1-l(1-delta))^b (1+l delta)^n0 (1+l(1+delta))^c

Each is 1 in expectation at the null, so by Ville P(ever E >= 1/alpha) <= alpha: one may look at
any time. The unit is the distinct input: twenty devices with one variant and 500 inputs are 500
observations, not 10 000. All of it is integers and float64, in log space.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

BETS = 24
MIN_INPUTS = 50  # below this there is no verdict, whatever the answers
_BISECTIONS = 40  # of an interval of width 2: far below one input in ten thousand


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Distinct inputs by which side was right: `worse` b, `better` c, `same` n0.

    `active_right` counts the inputs that the active side answered well: the baseline.
    """

    worse: int
    better: int
    same: int
    active_right: int

    @property
    def inputs(self) -> int:
        """All distinct inputs."""
        return self.worse + self.better + self.same

    @property
    def drop(self) -> float:
        """The observed mean of y: positive when the candidate is worse."""
        return (self.worse - self.better) / self.inputs if self.inputs else 0.0


def log_e_fail(tally: Tally, delta: float) -> float:
    """The log of E against "the drop is at most delta": large when the candidate is worse."""
    worse, better, same = tally.worse, tally.better, tally.same
    return _log_mean([b * worse + c * better + n0 * same for b, c, n0 in _bets(delta)])


def log_e_pass(tally: Tally, delta: float) -> float:
    """The log of E' against "the drop is at least delta": large when the candidate is good."""
    mirrored = Tally(worse=tally.better, better=tally.worse, same=tally.same, active_right=0)
    return log_e_fail(mirrored, -delta)


def fails(tally: Tally, delta: float, alpha: float) -> bool:
    """Whether the drop is beyond delta at this level."""
    return tally.inputs >= MIN_INPUTS and log_e_fail(tally, delta) >= -math.log(alpha)


def passes(tally: Tally, delta: float, alpha: float) -> bool:
    """Whether the drop is within delta at this level."""
    return tally.inputs >= MIN_INPUTS and log_e_pass(tally, delta) >= -math.log(alpha)


@functools.lru_cache(maxsize=4096)
def interval(tally: Tally, alpha_fail: float, alpha_pass: float) -> tuple[float, float]:
    """The confidence sequence of the drop: where E and E' cross 1/alpha, by bisection.

    The lower end is the largest delta that still fails, the upper the smallest that passes; both
    e-processes are monotone in delta. With no data it is (-1, 1).
    """
    low = _crossing(lambda delta: log_e_fail(tally, delta) >= -math.log(alpha_fail))
    high = -_crossing(lambda delta: log_e_pass(tally, -delta) >= -math.log(alpha_pass))
    return (low, high)


def _crossing(holds: Callable[[float], bool]) -> float:
    """The largest value in [-1, 1] at which `holds`, which is true below and false above."""
    low, high = -1.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


@functools.lru_cache(maxsize=1024)
def _bets(delta: float) -> tuple[tuple[float, float, float], ...]:
    """The log factors of each bet for a worse, a better and a same answer."""
    bets = [0.95 / (1 + delta) * math.exp(-k / 4) for k in range(BETS)]
    return tuple(
        (
            math.log(1 + bet * (1 - delta)),
            math.log(1 - bet * (1 + delta)),
            math.log(1 - bet * delta),
        )
        for bet in bets
    )


def _log_mean(logs: list[float]) -> float:
    top = max(logs)
    return top + math.log(sum(math.exp(one - top) for one in logs) / len(logs))

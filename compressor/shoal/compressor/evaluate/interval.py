"""Intervals of a paired difference of scores: candidate minus source on the same rows.

Right-or-wrong scores: the adjusted Wald interval of Bonett and Price (2012), "Adjusted Wald
confidence interval for a difference of binomial proportions based on paired data", J. Educational
and Behavioral Statistics 37:479-488; it keeps a width where no row differs. Other scores: the
percentile bootstrap over rows (Efron 1979), seeded.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]

_Z95: Final = 1.959963984540054
_RESAMPLES: Final = 1_000


def paired_difference(candidate: Scores, source: Scores, seed: int) -> tuple[float, float]:
    """The 95 % interval of mean(candidate) - mean(source).

    Example: 100 rows, the candidate wrong on 2 that the source has right and right on none that it
    has wrong: shares (0+1)/102 and (2+1)/102, difference -0.0196, standard error
    sqrt((4/102 - 0.0196²)/102) = 0.0195, interval [-0.0578, 0.0186].
    """
    difference = candidate - source
    if not np.isin(difference, (-1.0, 0.0, 1.0)).all():
        return _bootstrap(difference, seed)
    rows = len(difference) + 2
    won = (int((difference > 0).sum()) + 1) / rows
    lost = (int((difference < 0).sum()) + 1) / rows
    middle = won - lost
    error = math.sqrt((won + lost - middle**2) / rows)
    return max(middle - _Z95 * error, -1.0), min(middle + _Z95 * error, 1.0)


def _bootstrap(difference: Scores, seed: int) -> tuple[float, float]:
    generator = np.random.default_rng(seed)
    rows = len(difference)
    means = np.array(
        [difference[generator.integers(0, rows, rows)].mean() for _ in range(_RESAMPLES)]
    )
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)

"""Intervals of a paired difference of scores: candidate minus source on the same rows.

Right-or-wrong scores: the adjusted Wald interval of Bonett and Price (2012), "Adjusted Wald
confidence interval for a difference of binomial proportions based on paired data", J. Educational
and Behavioral Statistics 37:479-488; it keeps a width where no row differs. Everything else: the
percentile bootstrap over rows (Efron 1979) of the whole statistic, seeded, both sides on the same
resamples.
"""

import math
import sys
from collections.abc import Iterator
from typing import Final

import numpy as np

from shoal.compressor.evaluate.metrics.statistics import Counts, Ratio, Scores, Statistic

_Z95: Final = 1.959963984540054
_FEWEST_RESAMPLES: Final = 200
_DRAWS: Final = 5_000_000  # of all resamples together: beyond it there are fewer of them
_CHUNK: Final = 500_000  # counts held at a time


def paired_difference(candidate: Statistic, source: Statistic, seed: int) -> tuple[float, float]:
    """The 95 % interval of the candidate's value minus the source's.

    Example: 100 rows, the candidate wrong on 2 that the source has right and right on none that it
    has wrong: shares (0+1)/102 and (2+1)/102, difference -0.0196, standard error
    sqrt((4/102 - 0.0196²)/102) = 0.0195, interval [-0.0578, 0.0186].
    """
    if (
        isinstance(candidate, Ratio)
        and isinstance(source, Ratio)
        and candidate.is_right_or_wrong
        and source.is_right_or_wrong
    ):
        return _adjusted_wald(candidate.above - source.above)
    return _bootstrap(candidate, source, seed)


def _adjusted_wald(difference: Scores) -> tuple[float, float]:
    rows = len(difference) + 2
    won = (int((difference > 0).sum()) + 1) / rows
    lost = (int((difference < 0).sum()) + 1) / rows
    middle = won - lost
    error = math.sqrt((won + lost - middle**2) / rows)
    return max(middle - _Z95 * error, -1.0), min(middle + _Z95 * error, 1.0)


def _bootstrap(candidate: Statistic, source: Statistic, seed: int) -> tuple[float, float]:
    most = min(candidate.most_resamples, source.most_resamples)
    differences = np.concatenate(
        [
            candidate.resampled(counts) - source.resampled(counts)
            for counts in draws(source.rows, most, seed)
        ]
    )
    differences = differences[np.isfinite(differences)]
    if not len(differences):  # no resample has the statistic: nothing is known
        return -sys.float_info.max, sys.float_info.max
    low, high = np.quantile(differences, (0.025, 0.975))
    return float(low), float(high)


def draws(rows: int, most: int, seed: int) -> Iterator[Counts]:
    """How often each row is drawn in each resample, in chunks of (rows, resamples)."""
    generator = np.random.default_rng(seed)
    left = min(max(_DRAWS // rows, _FEWEST_RESAMPLES), most)
    while left:
        size = min(left, max(_CHUNK // rows, 1))
        drawn = generator.integers(0, rows, (rows, size)) * size
        drawn += np.arange(size)
        flat = np.bincount(drawn.ravel(), minlength=rows * size)
        yield flat.reshape(rows, size).astype(np.float64)
        left -= size

"""Statistics of a set of rows: a value, and the values it takes on resampled rows.

A resample is a column of counts: how often each row was drawn (Efron 1979, "Bootstrap methods:
another look at the jackknife", Annals of Statistics 7:1-26). With counts as weights a thousand
resamples are a few matrix products instead of a thousand passes.
"""

from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]
Counts = npt.NDArray[np.float64]  # (rows, resamples)

RESAMPLES: Final = 1_000


class Statistic(Protocol):
    """One number over rows; `most_resamples` bounds the work where each one is dear."""

    most_resamples: ClassVar[int]

    @property
    def rows(self) -> int:
        """Over how many rows."""
        ...

    @property
    def value(self) -> float:
        """The number itself."""
        ...

    def resampled(self, counts: Counts) -> Scores:
        """The number on each resample; NaN where a resample does not have it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ratio:
    """Sums over rows, divided: a mean where every row weighs 1.

    Example: two sequences with 3 of 4 and 1 of 2 positions right: (3 + 1) / (4 + 2) = 0.667.
    """

    most_resamples: ClassVar[int] = RESAMPLES

    above: Scores
    below: Scores

    @property
    def rows(self) -> int:
        """Over how many rows."""
        return len(self.above)

    @property
    def value(self) -> float:
        """The ratio of the sums."""
        return float(self.above.sum() / self.below.sum())

    @property
    def is_right_or_wrong(self) -> bool:
        """Whether each row is one answer, right or wrong."""
        return bool(np.isin(self.above, (0.0, 1.0)).all() and (self.below == 1).all())

    def resampled(self, counts: Counts) -> Scores:
        """The ratio on each resample."""
        above, below = weighed(self.above, counts), weighed(self.below, counts)
        return share(above, below)


def weighed(values: Scores, counts: Counts) -> Scores:
    """The sum over each resample; no BLAS, whose threads would only wait for a busy machine's."""
    return np.asarray(np.einsum("n,nr->r", values, counts), np.float64)


def share(above: Scores, below: Scores) -> Scores:
    """One divided by the other; NaN where the other is nothing."""
    return np.asarray(
        np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0), np.float64
    )


def mean(values: Scores) -> Ratio:
    """The mean over rows."""
    return Ratio(above=values, below=np.ones(len(values)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decibels:
    """Ten times the logarithm of summed signal over summed noise, at most `most`."""

    most_resamples: ClassVar[int] = RESAMPLES

    signal: Scores
    noise: Scores
    most: float

    @property
    def rows(self) -> int:
        """Over how many rows."""
        return len(self.signal)

    @property
    def value(self) -> float:
        """The ratio in dB."""
        return float(self._decibels(self.signal.sum()[None], self.noise.sum()[None])[0])

    def resampled(self, counts: Counts) -> Scores:
        """The ratio on each resample."""
        return self._decibels(weighed(self.signal, counts), weighed(self.noise, counts))

    def _decibels(self, signal: Scores, noise: Scores) -> Scores:
        least = signal * 10 ** (-self.most / 10)
        with np.errstate(divide="ignore"):
            ratio = 10 * np.log10(signal / np.maximum(noise, np.maximum(least, 1e-300)))
        return np.where(noise <= least, self.most, np.maximum(ratio, -self.most))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Largest:
    """The largest value of any row."""

    most_resamples: ClassVar[int] = RESAMPLES

    values: Scores

    @property
    def rows(self) -> int:
        """Over how many rows."""
        return len(self.values)

    @property
    def value(self) -> float:
        """The largest."""
        return float(self.values.max())

    def resampled(self, counts: Counts) -> Scores:
        """The largest among the rows of each resample."""
        order = np.argsort(-self.values, kind="stable")
        first = (counts[order] > 0).argmax(axis=0)
        return np.asarray(self.values[order][first], np.float64)

"""Statistics that no mean over rows gives: macro F1, area under the ROC curve, rank correlation."""

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt

from shoal.compressor.evaluate.metrics.statistics import RESAMPLES, Counts, Scores, share

Integers = npt.NDArray[np.int64]
_DENSE: Final = 2_000_000  # numbers of a one-hot table that is still multiplied, not counted


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MacroF1:
    """The mean of the classes' F1 over every class that is labelled or answered.

    `found` and `wanted` are classes, (rows,) or (rows, positions); positions where `counted` is
    false are left out.
    """

    most_resamples: ClassVar[int] = RESAMPLES
    found: Integers
    wanted: Integers
    counted: npt.NDArray[np.bool_]

    @property
    def rows(self) -> int:
        """Over how many rows."""
        return len(self.found)

    @property
    def value(self) -> float:
        """The mean."""
        return float(self.resampled(np.ones((1, self.rows)))[0])

    def resampled(self, counts: Counts) -> Scores:
        """The mean on each resample: 2 hits / (labelled + answered) of each class."""
        row = _row_of_each(self.found)[self.counted]
        found, wanted = self.found[self.counted], self.wanted[self.counted]
        occurring, place = np.unique(np.concatenate([found, wanted]), return_inverse=True)
        f, w = place[: len(found)], place[len(found) :]
        right, width = f == w, len(occurring)
        hits = _class_sums(counts, row[right], f[right], width)
        both = _class_sums(counts, row, f, width) + _class_sums(counts, row, w, width)
        f1 = np.divide(2 * hits, both, out=np.zeros(hits.shape), where=both > 0)
        return np.asarray(f1.sum(axis=1) / np.maximum((both > 0).sum(axis=1), 1), np.float64)


def _row_of_each(found: Integers) -> Integers:
    """The row that each position belongs to."""
    rows = np.arange(len(found)).reshape(-1, *[1] * (found.ndim - 1))
    return np.broadcast_to(rows, found.shape)


def _class_sums(counts: Counts, row: Integers, column: Integers, width: int) -> Scores:
    """How often each class occurs in each resample, (resamples, width)."""
    rows = counts.shape[1]
    if rows * width <= _DENSE:
        table = np.bincount(row * width + column, minlength=rows * width).astype(np.float64)
        return np.asarray(counts @ table.reshape(rows, width), np.float64)
    return np.stack([np.bincount(column, weights=one[row], minlength=width) for one in counts])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Auroc:
    """The area under the ROC curve, one class against the rest, averaged over classes.

    The share of (positive, negative) pairs in which the positive scores higher, ties half (Mann and
    Whitney 1947). `scores` and `positive` are (rows, classes); one column is the binary case.
    Classes that a set of rows lacks, or that all its rows have, are left out of its average.
    """

    most_resamples: ClassVar[int] = RESAMPLES
    scores: Scores
    positive: npt.NDArray[np.bool_]

    @property
    def rows(self) -> int:
        """Over how many rows."""
        return len(self.scores)

    @property
    def value(self) -> float:
        """The average area."""
        return float(self.resampled(np.ones((1, self.rows)))[0])

    def resampled(self, counts: Counts) -> Scores:
        """The average area on each resample."""
        total, defined = np.zeros(len(counts)), np.zeros(len(counts))
        for column in range(self.scores.shape[1]):
            area = self._area(counts, column)
            there = np.isfinite(area)
            total += np.where(there, area, 0.0)
            defined += there
        return share(total, defined)

    def _area(self, counts: Counts, column: int) -> Scores:
        scores = self.scores[:, column]
        order = np.argsort(scores, kind="stable")
        first = _first_of_ties(scores[order])
        weights = counts[:, order]
        is_positive = self.positive[order, column]
        positives = np.add.reduceat(weights * is_positive, first, axis=1)
        negatives = np.add.reduceat(weights * ~is_positive, first, axis=1)
        below = np.cumsum(negatives, axis=1) - negatives / 2
        pairs = positives.sum(axis=1) * negatives.sum(axis=1)
        won = (positives * below).sum(axis=1)
        return share(won, pairs)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spearman:
    """The rank correlation of two numbers a row: Pearson's of their mid-ranks."""

    most_resamples: ClassVar[int] = RESAMPLES
    a: Scores
    b: Scores

    @property
    def rows(self) -> int:
        """Over how many rows."""
        return len(self.a)

    @property
    def value(self) -> float:
        """The correlation; 0 where one side does not vary."""
        return float(np.nan_to_num(self.resampled(np.ones((1, self.rows)))[0]))

    def resampled(self, counts: Counts) -> Scores:
        """The correlation on each resample."""
        a, b = _centred_ranks(self.a, counts), _centred_ranks(self.b, counts)
        spread = np.sqrt((counts * a * a).sum(axis=1) * (counts * b * b).sum(axis=1))
        both = (counts * a * b).sum(axis=1)
        return share(both, spread)


def _centred_ranks(values: Scores, counts: Counts) -> Scores:
    """Every row's mid-rank in each resample, minus the mean rank."""
    order = np.argsort(values, kind="stable")
    first = _first_of_ties(values[order])
    sizes = np.add.reduceat(counts[:, order], first, axis=1)
    ranks = np.cumsum(sizes, axis=1) - (sizes - 1) / 2
    group = np.zeros(len(values), np.intp)
    group[first[1:]] = 1
    place = np.empty(len(values), np.intp)
    place[order] = np.cumsum(group)
    drawn = counts.sum(axis=1, keepdims=True)
    centred: Scores = ranks[:, place] - (drawn + 1) / 2
    return centred


def _first_of_ties(ordered: Scores) -> npt.NDArray[np.intp]:
    """Where each group of equal values begins."""
    return np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))

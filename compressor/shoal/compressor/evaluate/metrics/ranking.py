"""Statistics that no mean over rows gives: macro F1, area under the ROC curve, rank correlation."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from shoal.compressor.evaluate.metrics.statistics import RESAMPLES, Counts, Scores, share

Integers = npt.NDArray[np.int64]


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
        return float(self.resampled(np.ones((self.rows, 1)))[0])

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
        return np.asarray(f1.sum(axis=0) / np.maximum((both > 0).sum(axis=0), 1), np.float64)


def _row_of_each(found: Integers) -> Integers:
    """The row that each position belongs to."""
    rows = np.arange(len(found)).reshape(-1, *[1] * (found.ndim - 1))
    return np.broadcast_to(rows, found.shape)


def _class_sums(counts: Counts, row: Integers, column: Integers, width: int) -> Scores:
    """How often each class occurs in each resample, (width, resamples)."""
    found = [
        np.bincount(column, weights=one[row], minlength=width)
        for one in np.ascontiguousarray(counts.T)
    ]
    return np.stack(found, axis=1)


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
        return float(self.resampled(np.ones((self.rows, 1)))[0])

    def resampled(self, counts: Counts) -> Scores:
        """The average area on each resample."""
        resamples = counts.shape[1]
        total, defined = np.zeros(resamples), np.zeros(resamples)
        for column in range(self.scores.shape[1]):
            area = self._area(counts, column)
            there = np.isfinite(area)
            total += np.where(there, area, 0.0)
            defined += there
        return share(total, defined)

    def _area(self, counts: Counts, column: int) -> Scores:
        """Each positive's weight times the weight of the negatives below it, over all pairs."""
        scores, is_positive = self.scores[:, column], self.positive[:, column]
        negatives = np.flatnonzero(~is_positive)
        negatives = negatives[np.argsort(scores[negatives], kind="stable")]
        weights = counts[is_positive]
        below = np.zeros((len(negatives) + 1, counts.shape[1]))
        np.cumsum(counts[negatives], axis=0, out=below[1:])
        places = [
            np.searchsorted(scores[negatives], scores[is_positive], side=side)
            for side in ("left", "right")
        ]
        won = sum(np.einsum("pr,pr->r", weights, below[place]) for place in places) / 2
        return share(np.asarray(won), weights.sum(axis=0) * below[-1])


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
        return float(np.nan_to_num(self.resampled(np.ones((self.rows, 1)))[0]))

    def resampled(self, counts: Counts) -> Scores:
        """The correlation on each resample."""
        a, b = _centred_ranks(self.a, counts), _centred_ranks(self.b, counts)
        weighted = counts * a
        both = np.einsum("nr,nr->r", weighted, b)
        spread_a = np.einsum("nr,nr->r", weighted, a)
        np.multiply(counts, b, out=weighted)
        return share(both, np.sqrt(spread_a * np.einsum("nr,nr->r", weighted, b)))


def _centred_ranks(values: Scores, counts: Counts) -> Scores:
    """Every row's mid-rank in each resample, minus the mean rank."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    is_first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    sizes = counts[order]
    if not is_first.all():
        sizes = np.add.reduceat(sizes, np.flatnonzero(is_first), axis=0)
    drawn = counts.sum(axis=0)
    ranks = np.cumsum(sizes, axis=0)
    ranks -= sizes / 2
    ranks -= drawn / 2
    place = np.empty(len(values), np.intp)
    place[order] = np.cumsum(is_first) - 1
    centred: Scores = ranks[place]
    return centred

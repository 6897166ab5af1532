"""The metrics by name, and what is to be known of each before anything is measured."""

import enum
import math
from typing import Final


class Metric(enum.StrEnum):
    """What a score means (contracts: section 3).

    The last four compare with the source's own answers and need no labels.
    """

    TOP1 = "top1"
    TOP5 = "top5"
    F1_MACRO = "f1_macro"
    AUROC = "auroc"
    MSE = "mse"
    MAE = "mae"
    SPEARMAN = "spearman"
    AGREEMENT = "agreement"
    COSINE = "cosine"
    SQNR = "sqnr"
    MAX_ABS = "max_abs"

    @property
    def needs_labels(self) -> bool:
        """Whether it reads labels `y`."""
        return self not in {Metric.AGREEMENT, Metric.COSINE, Metric.SQNR, Metric.MAX_ABS}

    @property
    def reads_classes(self) -> bool:
        """Whether its labels are classes, as integers."""
        return self in {Metric.TOP1, Metric.TOP5, Metric.F1_MACRO, Metric.AUROC}

    @property
    def smaller_is_better(self) -> bool:
        """Whether it counts errors. Then a floor reads as the most that is allowed."""
        return self in {Metric.MSE, Metric.MAE, Metric.MAX_ABS}

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest value it can take."""
        if self in {Metric.COSINE, Metric.SPEARMAN}:
            return -1.0, 1.0
        if self is Metric.SQNR:
            return -math.inf, CLEAN_DB
        return 0.0, math.inf if self.smaller_is_better else 1.0

    @property
    def unlabelled(self) -> "Metric":
        """What stands in for it on rows without labels, read against the source's answers."""
        if self.reads_classes:
            return Metric.AGREEMENT
        return Metric.COSINE if self is Metric.SPEARMAN else self


CLEAN_DB: Final = 200.0  # sqnr where nothing differs: beyond the reach of float32
FLOOR_DB: Final = 20.0  # the default floor of sqnr: noise of 1 % of the signal's power

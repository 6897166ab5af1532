"""How much each feature of a fitted pipeline counts, by what its last step offers.

Linear models: the magnitude of the coefficients times the spread of what they multiply, so that
units do not matter. Trees: the decrease of impurity (Breiman 2001, "Random Forests"). Anything
else, and whatever mixes features before the last step: how much the score falls when the feature's
values are shuffled among rows (permutation importance, the same paper).
"""

import enum
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

_SHUFFLES: Final = 5
_COLUMNWISE: Final = frozenset(
    {
        "StandardScaler",
        "MinMaxScaler",
        "MaxAbsScaler",
        "RobustScaler",
        "SimpleImputer",
        "PowerTransformer",
        "QuantileTransformer",
    }
)


class Kind(enum.StrEnum):
    """What importance was taken from."""

    COEFFICIENT = "coefficient"
    IMPURITY = "impurity"
    PERMUTATION = "permutation"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Importance:
    """One number a feature, the larger the more it counts, adding up to 1."""

    kind: Kind
    values: Floats


def of(estimator: Any, rows: Array, labels: Array, seed: int) -> Importance:
    """The importance of every input feature of a fitted estimator or pipeline."""
    steps = [one for _, one in getattr(estimator, "steps", [("", estimator)])]
    *before, last = steps
    if all(type(one).__name__ in _COLUMNWISE for one in before):
        seen = rows
        for one in before:
            seen = one.transform(seen)
        if seen.shape[1] == rows.shape[1]:
            if getattr(last, "coef_", None) is not None:
                weights = np.abs(np.atleast_2d(np.asarray(last.coef_))).mean(axis=0)
                return _scaled(Kind.COEFFICIENT, weights * seen.std(axis=0, dtype=np.float64))
            if getattr(last, "feature_importances_", None) is not None:
                return _scaled(Kind.IMPURITY, np.asarray(last.feature_importances_))
    from sklearn.inspection import permutation_importance  # noqa: PLC0415

    found = permutation_importance(
        estimator, rows, labels, n_repeats=_SHUFFLES, random_state=seed, n_jobs=1
    )
    return _scaled(Kind.PERMUTATION, np.maximum(found.importances_mean, 0.0))


def _scaled(kind: Kind, values: Array) -> Importance:
    total = float(values.sum())
    return Importance(kind=kind, values=np.asarray(values / total if total else values, np.float64))


def kept(importance: Importance, share: float) -> npt.NDArray[np.int64]:
    """The fewest features that together have at least this share of the importance, in order.

    Worked example: importance 0.1, 0.6, 0.3 and share 0.85: the second and third, 0.9 together.
    """
    order = np.argsort(-importance.values, kind="stable")
    reached = np.cumsum(importance.values[order])
    total = float(reached[-1])
    count = int(np.searchsorted(reached, min(share * total, total) - 1e-12)) + 1
    return np.sort(order[: min(count, len(order))])

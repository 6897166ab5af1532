"""How much each feature of a fitted pipeline counts, by what its last step offers.

Linear models: the magnitude of the coefficients times the spread of what they multiply, so that
units do not matter. Trees: the decrease of impurity (Breiman 2001, "Random Forests"), for
histogram boosting the gain of its splits. Anything else, and whatever mixes features before the
last step: how far the answers move when the feature's values are shuffled among rows (after
permutation importance, the same paper; answers move long before a score on known rows does).
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
    GAIN = "gain"
    PERMUTATION = "permutation"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Importance:
    """One number a feature, the larger the more it counts, adding up to 1."""

    kind: Kind
    values: Floats


def of(estimator: Any, rows: Array, seed: int) -> Importance:
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
            if getattr(last, "_predictors", None) is not None:
                return _scaled(Kind.GAIN, _gains(last, rows.shape[1]))
    return _scaled(Kind.PERMUTATION, _moved(estimator, rows, seed))


def _gains(boosting: Any, features: int) -> Floats:
    """The gain of every split, by the feature it splits on."""
    total = np.zeros(features)
    for stage in boosting._predictors:  # noqa: SLF001 - where scikit-learn keeps the trees
        for tree in stage:
            inner = tree.nodes["is_leaf"] == 0
            np.add.at(total, tree.nodes["feature_idx"][inner], tree.nodes["gain"][inner])
    return total


def _moved(estimator: Any, rows: Array, seed: int) -> Floats:
    """The mean square by which answers move when one feature's values change rows."""
    generator = np.random.default_rng(seed)
    before = _answers(estimator, rows)
    total = np.zeros(rows.shape[1])
    for feature in range(rows.shape[1]):
        for _ in range(_SHUFFLES):
            shuffled = rows.copy()
            shuffled[:, feature] = generator.permutation(rows[:, feature])
            total[feature] += ((_answers(estimator, shuffled) - before) ** 2).mean()
    return total


def _answers(estimator: Any, rows: Array) -> Floats:
    for method in ("predict_proba", "decision_function", "predict"):
        asked = getattr(estimator, method, None)
        if asked is not None:
            return np.asarray(asked(rows), np.float64)
    raise TypeError(f"a {type(estimator).__name__} gives no answers")


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

"""Which trees of an ensemble to keep.

Forests: the order of Martínez-Muñoz and Suárez 2006, "Pruning in ordered bagging ensembles" (ICML),
and for regression of Hernández-Lobato et al. 2011 (Neurocomputing 74): starting from nothing, the
next tree is the one that brings the mean of those chosen closest to what is wanted. Boosting: its
first stages, as every stage corrects those before it.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

_APART: Final = 0.5
_ROUNDING: Final = 1e-3


def greedy(given: Floats, wanted: Floats, count: int) -> tuple[list[int], list[float]]:
    """The trees in the order they are chosen, and the mean squared error after each.

    `given` is (trees, rows, targets): what each tree says as if it were alone. The error of k trees
    with one more is |S + f - (k + 1) w|² up to a factor, so of every tree only its squares and its
    product with S - (k + 1) w are needed.

    Worked example: trees saying 0, 4 and 1 of a row where 2 is wanted: first 1 (error 1), then 4,
    as (1 + 4) / 2 = 2.5 is nearer to 2 than 0.5.
    """
    trees = len(given)
    flat = given.reshape(trees, -1)
    goal = wanted.reshape(-1)
    squares = (flat**2).sum(axis=1)
    total = np.zeros(flat.shape[1])
    free = np.ones(trees, np.bool_)
    order: list[int] = []
    errors: list[float] = []
    for chosen in range(1, min(count, trees) + 1):
        rest = total - chosen * goal
        error = np.where(free, squares + 2 * flat @ rest, np.inf)
        best = int(error.argmin())
        free[best] = False
        order.append(best)
        total += flat[best]
        errors.append(float(((total / chosen - goal) ** 2).mean()))
    return order, errors


def averages(given: Floats) -> bool:
    """Whether each tree alone says about the same as all do, as a forest's trees.

    Boosted trees each say a little of the whole: their means add up to it.
    """
    alone = given.mean(axis=1) * len(given)
    together = given.sum(axis=0).mean(axis=0)
    apart = np.abs(alone - together).mean()
    return bool(apart <= _APART * np.abs(together).mean())


def shares(leaves: Floats, trees: int) -> bool:
    """Whether leaves (leaves, targets) are class shares over the number of trees.

    Shares add up to the same in every leaf; where a single one is written, of the second of two
    classes, it lies between nothing and all. Scores of boosted trees are never like that.
    """
    if leaves.shape[1] == 1:
        return bool(leaves.min() >= 0 and leaves.max() * trees <= 1 + _ROUNDING)
    sums = leaves.sum(axis=1)
    return bool(leaves.min() >= 0 and np.allclose(sums * trees, 1, atol=_ROUNDING))


def fitted(kept: Floats, whole: Floats) -> tuple[Floats, Floats]:
    """Factor and shift for each target that bring what is kept closest to the whole.

    Least squares over (rows, targets). Worked example: kept 1, 2, 3 and whole 3, 5, 7: factor 2,
    shift 1.
    """
    centred = kept - kept.mean(axis=0)
    spread = (centred**2).sum(axis=0)
    product = (centred * whole).sum(axis=0)
    factor = np.divide(product, spread, out=np.ones_like(spread), where=spread > 0)
    return factor, whole.mean(axis=0) - factor * kept.mean(axis=0)

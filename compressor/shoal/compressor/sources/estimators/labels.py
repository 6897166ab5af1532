"""Class labels as integers: numbers stay what they are, words become their place in the order."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Integers = npt.NDArray[np.int64]


def classes_of(estimator: Any) -> Array:
    """The classes of a fitted classifier or pipeline, in the order of its probabilities."""
    return np.asarray(estimator.classes_)


def are_integers(classes: Array) -> bool:
    """Whether every class is a whole number, so that it can stand for itself."""
    if classes.dtype.kind in "iub":
        return True
    return classes.dtype.kind == "f" and bool((classes == np.round(classes)).all())


def integers_of(classes: Array) -> Integers:
    """The integer that stands for each class: worked example, ["cat", "dog"] -> [0, 1]."""
    if are_integers(classes):
        return classes.astype(np.int64)
    return np.arange(len(classes), dtype=np.int64)


def as_integers(found: Array, classes: Array) -> Integers:
    """Labels as `predict` gives them, as integers."""
    if are_integers(classes):
        return np.asarray(found).astype(np.int64)
    return integers_of(classes)[np.searchsorted(classes, np.asarray(found))]

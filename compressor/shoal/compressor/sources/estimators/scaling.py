"""Moves the scaling of columns into the thresholds of the trees behind it.

A graph that scales in 32 bits what scikit-learn scales in 64 parts some rows otherwise, where a
value lies next to a threshold. Scalers of columns never fall, rounding included, so for every
threshold t there is a greatest 32-bit x whose scaled value is not above it, and `x <= that` decides
as scikit-learn does for every row. The scaler itself is asked for its values, halving the 32-bit
numbers that x may be: 33 questions, all thresholds of a column at once.

    scaled(x) = (x - 10) / 4, t = 0.5: 12 is the greatest x, so the tree asks x <= 12
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx

from shoal.compressor.sources.estimators import forest
from shoal.compressor.sources.estimators.forest import LEQ, Forest

Floats = npt.NDArray[np.float32]
Keys = npt.NDArray[np.int64]

_SCALERS: Final = frozenset({"StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler"})
_LOWEST: Final = -(2**31)
_HALVINGS: Final = 33


def parted(estimator: Any) -> tuple[list[Any], Any] | None:
    """The scalers of a pipeline and its last step; None where it is anything else."""
    steps = [step for _, step in getattr(estimator, "steps", ())]
    if len(steps) < 2 or any(type(step).__name__ not in _SCALERS for step in steps[:-1]):
        return None
    return steps[:-1], steps[-1]


def only_trees(model: onnx.ModelProto, name: str) -> bool:
    """Whether nothing but tree ensembles reads the input `name`."""
    readers = [node for node in model.graph.node if name in node.input]
    return bool(readers) and all(node.op_type in forest.OPERATORS for node in readers)


def move(model: onnx.ModelProto, scalers: Sequence[Any], name: str) -> None:
    """Makes the trees behind the input `name` ask the unscaled columns."""
    for node in model.graph.node:
        if name in node.input:
            whole = forest.read(node)
            node.CopyFrom(forest.rewritten(node, _moved(whole, scalers)))


def _moved(whole: Forest, scalers: Sequence[Any]) -> Forest:
    width = int(scalers[0].n_features_in_)
    asked: list[set[float]] = [set() for _ in range(width)]
    for tree in whole.trees:
        inner = tree.mode == LEQ
        pairs = zip(tree.feature[inner].tolist(), tree.threshold[inner].tolist(), strict=True)
        for feature, threshold in pairs:
            asked[feature].add(threshold)
    columns = [np.array(sorted(one), np.float32) for one in asked]
    found = _greatest(columns, scalers)
    trees = []
    for tree in whole.trees:
        threshold = tree.threshold.copy()
        for at in np.flatnonzero(tree.mode == LEQ).tolist():
            feature = int(tree.feature[at])
            place = int(np.searchsorted(columns[feature], threshold[at]))
            threshold[at] = found[place, feature]
        trees.append(replace(tree, threshold=threshold))
    return replace(whole, trees=tuple(trees))


def _greatest(columns: Sequence[Floats], scalers: Sequence[Any]) -> Floats:
    """The greatest 32-bit number not above each threshold once scaled, (places, columns)."""
    longest = max(len(one) for one in columns)
    wanted = np.zeros((longest, len(columns)), np.float32)
    for index, one in enumerate(columns):
        wanted[: len(one), index] = one
    largest = np.finfo(np.float32).max
    low, high = (_keys(np.full(wanted.shape, one, np.float32)) for one in (-largest, largest))
    never = _scaled(_floats(low), scalers) > wanted
    for _ in range(_HALVINGS):
        middle = (low + high + 1) // 2
        fits = _scaled(_floats(middle), scalers) <= wanted
        low, high = np.where(fits, middle, low), np.where(fits, high, middle - 1)
    found = np.where(never, np.float32(-np.inf), _floats(low))
    return np.where(np.isposinf(wanted), wanted, found)


def _scaled(values: Floats, scalers: Sequence[Any]) -> Floats:
    with np.errstate(over="ignore", invalid="ignore"):
        for scaler in scalers:
            values = scaler.transform(np.nan_to_num(values, copy=True))
    return values.astype(np.float32)


def _keys(values: Floats) -> Keys:
    """Whole numbers in the order of the floats: 0.0 is 0, the next float 1, the one before -1."""
    bits = values.view(np.int32).astype(np.int64)
    return np.where(bits >= 0, bits, _LOWEST - bits)


def _floats(keys: Keys) -> Floats:
    bits = np.where(keys >= 0, keys, _LOWEST - keys)
    return bits.astype(np.int32).view(np.float32)

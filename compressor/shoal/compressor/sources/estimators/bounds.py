"""Checks what native code would index without looking: tree nodes, support vectors, neighbours.

A file may hold only trusted types and still point its nodes outside their own array, which the
predictors of scikit-learn follow into foreign memory or in circles. In every tree that scikit-learn
grows a child stands behind its parent, so `parent < child < count` for all nodes is both safe and
free of circles, and nothing true fails it.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, Never

import numpy as np

from shoal.compressor import errors
from shoal.contract.reason import Reason

_DEPTH_AT_MOST: Final = 24
_TASKS: Final = ("Classifier", "Regressor")
_SINGLE: Final = ("DecisionTree", "ExtraTree")
_FORESTS: Final = ("RandomForest", "ExtraTrees")


def secure(estimator: Any, file: str) -> None:
    """Sees to it that every part which predicts natively stays within its own arrays.

    Search trees of neighbours are given up for comparing with every row, which answers the same.

    Raises:
        InvalidError: LoadFailed, naming the part.
    """
    for part in parts(estimator):
        kind = type(part).__name__
        try:
            sound = _is_sound(part, kind)
        except (AttributeError, KeyError, TypeError, ValueError, IndexError):
            sound = False
        if not sound:
            _refuse(file, kind)


def parts(root: Any) -> Iterator[Any]:
    """Everything inside an estimator that is one itself or a tree, each once, the root first."""
    seen: set[int] = set()
    pending = [(root, 0)]
    while pending:
        item, depth = pending.pop()
        if id(item) in seen or depth > _DEPTH_AT_MOST:
            continue
        seen.add(id(item))
        if isinstance(item, np.ndarray):
            inside = list(item.ravel()) if item.dtype == object else []
        elif isinstance(item, dict):
            inside = list(item.values())
        elif isinstance(item, list | tuple | set):
            inside = list(item)
        elif type(item).__module__.startswith("sklearn."):
            yield item
            inside = list(own(item).values())
        else:
            continue
        pending.extend((one, depth + 1) for one in inside)


def own(part: Any) -> dict[str, Any]:
    """The attributes stored in a part itself; no property of it is asked, for those may predict."""
    try:
        stored: dict[str, Any] = vars(part)
    except TypeError:
        return {}
    return stored


def _is_sound(part: Any, kind: str) -> bool:
    """Templates that were never fitted have nothing to predict with."""
    learnt, look = _CHECKS.get(kind, (None, None))
    unfitted = learnt is not None and learnt not in own(part)
    return True if look is None or unfitted else look(part)


def _tree(part: Any) -> bool:
    leaf = part.children_left < 0
    chosen = part.feature[~leaf]
    exist = (chosen >= 0) & (chosen < part.n_features)
    return bool(exist.all()) and _children_follow(part.children_left, part.children_right, leaf)


def _predictor(part: Any) -> bool:
    nodes = part.nodes
    leaf = nodes["is_leaf"].astype(bool)
    categorical = nodes["is_categorical"].astype(bool) & ~leaf
    return (
        _children_follow(nodes["left"], nodes["right"], leaf)
        and bool((nodes["feature_idx"][~leaf] >= 0).all())
        and bool((nodes["bitset_idx"][categorical] < len(part.raw_left_cat_bitsets)).all())
    )


def _children_follow(left: Any, right: Any, leaf: Any) -> bool:
    """Worked example: 3 nodes, root 0 with children 1 and 2, leaves 1 and 2: sound."""
    count = len(leaf)
    inner = np.flatnonzero(~leaf)
    chosen = np.stack([np.asarray(left)[inner], np.asarray(right)[inner]]).astype(np.int64)
    return count > 0 and bool(((chosen > inner) & (chosen < count)).all())


def _one_tree(part: Any) -> bool:
    """Members of an ensemble do not say their width; once they do, they check rows by it."""
    width = vars(part).setdefault("n_features_in_", part.tree_.n_features)
    return int(part.tree_.n_features) == int(width)


def _forest(part: Any) -> bool:
    """A forest hands its rows to its trees unchecked, so their widths have to agree."""
    return all(one.tree_.n_features == part.n_features_in_ for one in part.estimators_)


def _boosting(part: Any) -> bool:
    stages = part.estimators_
    return stages.shape[1] == part.n_trees_per_iteration_ and all(
        one.tree_.n_features == part.n_features_in_ for one in stages.ravel()
    )


def _neighbours(part: Any) -> bool:
    part._fit_method, part._tree = "brute", None  # noqa: SLF001 - as scikit-learn itself does
    return True


def _histogram_boosting(part: Any) -> bool:
    stages = part._predictors  # noqa: SLF001 - where scikit-learn keeps the trees
    if part._n_features != part.n_features_in_:  # noqa: SLF001
        return False
    trees = [tree for stage in stages for tree in stage]
    return all(len(stage) == part.n_trees_per_iteration_ for stage in stages) and all(
        bool((tree.nodes["feature_idx"] < part.n_features_in_).all()) for tree in trees
    )


def _support_vectors(part: Any) -> bool:
    count, width = part.support_vectors_.shape
    rows, columns = part._dual_coef_.shape
    pairs = (rows + 1) * rows // 2
    return (
        width == part.n_features_in_
        and columns == count == len(part.support_) == int(part.n_support_.sum())
        and bool((part.n_support_ >= 0).all())
        and len(part.n_support_) == (rows + 1 if len(part.n_support_) > 1 else 1)
        and len(part._intercept_) == pairs
    )


# The kind of a part: what it predicts with once it is fitted, and how that is checked.
_Look = tuple[str | None, Callable[[Any], bool]]
_CHECKS: Final[dict[str, _Look]] = {
    "Tree": (None, _tree),
    "TreePredictor": (None, _predictor),
    **{f"{kind}{task}": ("tree_", _one_tree) for kind in _SINGLE for task in _TASKS},
    **{f"{kind}{task}": ("estimators_", _forest) for kind in _FORESTS for task in _TASKS},
    **{f"GradientBoosting{task}": ("estimators_", _boosting) for task in _TASKS},
    **{f"HistGradientBoosting{task}": ("_predictors", _histogram_boosting) for task in _TASKS},
    **dict.fromkeys(("SVC", "NuSVC", "SVR", "NuSVR"), ("support_vectors_", _support_vectors)),
    **{f"KNeighbors{task}": ("_fit_X", _neighbours) for task in _TASKS},
}


def _refuse(file: str, kind: str) -> Never:
    raise errors.invalid(
        Reason.LOAD_FAILED,
        f"{file} holds a {kind} whose parts point outside of it",
        field="MODEL",
        hint="the file is damaged or was made to harm; save the model again where it was trained",
    )

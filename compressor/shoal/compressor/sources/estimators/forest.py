"""A tree ensemble as plain arrays: what ONNX's TreeEnsemble operators say, in a form to work on.

`TreeEnsembleClassifier` and `TreeEnsembleRegressor` of ai.onnx.ml hold every node of every tree in
long parallel lists. Here each tree has its own arrays, so that rows can be sent down it, subtrees
can be cut, and the lists written again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]

OPERATORS: Final = ("TreeEnsembleClassifier", "TreeEnsembleRegressor")
DOMAIN: Final = "ai.onnx.ml"
LEAF: Final = 0
LEQ: Final = 1
MODES: Final = (
    "LEAF",
    "BRANCH_LEQ",
    "BRANCH_LT",
    "BRANCH_GTE",
    "BRANCH_GT",
    "BRANCH_EQ",
    "BRANCH_NEQ",
)
_COMPARE: Final = (
    np.less,  # never asked: leaves compare nothing
    np.less_equal,
    np.less,
    np.greater_equal,
    np.greater,
    np.equal,
    np.not_equal,
)


class ForestError(Exception):
    """Lists that make no trees, or trees that cannot be said in this form."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tree:
    """One tree; node 0 is its root and children stand behind their parents.

    `mode` indexes MODES. `yes` and `no` are children (0 at leaves). `values` is (nodes, targets):
    what a leaf adds to each target, zero at inner nodes.
    """

    mode: Integers
    feature: Integers
    threshold: npt.NDArray[np.float32]
    yes: Integers
    no: Integers
    missing_yes: npt.NDArray[np.bool_]
    values: Floats

    @property
    def size(self) -> int:
        """The number of nodes, leaves included."""
        return len(self.mode)

    @property
    def leaves(self) -> int:
        """The number of leaves."""
        return int((self.mode == LEAF).sum())

    def leaf_of(self, rows: Array) -> Integers:
        """The leaf that each row (rows, features) ends in."""
        at = np.zeros(len(rows), np.int64)
        while True:
            walking = np.flatnonzero(self.mode[at] != LEAF)
            if not len(walking):
                return at
            node = at[walking]
            value = rows[walking, self.feature[node]]
            goes_yes = _compared(self.mode[node], value, self.threshold[node])
            goes_yes |= np.isnan(value) & self.missing_yes[node]
            at[walking] = np.where(goes_yes, self.yes[node], self.no[node])


def _compared(mode: Integers, value: Array, threshold: Array) -> npt.NDArray[np.bool_]:
    result = np.zeros(len(value), np.bool_)
    for kind in np.unique(mode):
        chosen = mode == kind
        result[chosen] = _COMPARE[kind](value[chosen], threshold[chosen])
    return result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forest:
    """Trees whose leaves are added up; `targets` names the columns of their values."""

    trees: tuple[Tree, ...]
    targets: tuple[int, ...]

    @property
    def size(self) -> int:
        """Nodes of all trees."""
        return sum(tree.size for tree in self.trees)

    def tree_values(self, rows: Array) -> Floats:
        """What each tree adds: (trees, rows, targets)."""
        return np.stack([tree.values[tree.leaf_of(rows)] for tree in self.trees])


def read(node: onnx.NodeProto) -> Forest:
    """The trees of a TreeEnsemble node.

    Raises:
        ForestError: its lists make no trees.
    """
    lists = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    word = "class" if node.op_type == OPERATORS[0] else "target"
    if any(name.endswith("_as_tensor") for name in lists):
        raise ForestError("its trees hold 64-bit numbers")
    try:
        return _read(lists, word)
    except (KeyError, IndexError, ValueError) as error:
        raise ForestError(f"the lists of {node.op_type} make no trees: {error}") from error


def _read(lists: Mapping[str, Any], word: str) -> Forest:
    tree_of = np.asarray(lists["nodes_treeids"], np.int64)
    id_of = np.asarray(lists["nodes_nodeids"], np.int64)
    targets = tuple(sorted(set(lists[f"{word}_ids"])))
    column = {target: index for index, target in enumerate(targets)}
    place = {pair: i for i, pair in enumerate(zip(tree_of.tolist(), id_of.tolist(), strict=True))}
    values = np.zeros((len(tree_of), len(targets)))
    leaves = zip(*(lists[f"{word}_{part}"] for part in _LEAF_PARTS), strict=True)
    for tree, leaf, target, weight in leaves:
        values[place[tree, leaf], column[target]] += weight
    mode = np.array([MODES.index(text.decode()) for text in lists["nodes_modes"]], np.int64)
    missing = lists.get("nodes_missing_value_tracks_true") or [0] * len(mode)
    whole = Tree(
        mode=mode,
        feature=np.asarray(lists["nodes_featureids"], np.int64),
        threshold=np.asarray(lists["nodes_values"], np.float32),
        yes=_places(lists["nodes_truenodeids"], tree_of, mode, place),
        no=_places(lists["nodes_falsenodeids"], tree_of, mode, place),
        missing_yes=np.asarray(missing, np.bool_),
        values=values,
    )
    order = sorted(set(tree_of.tolist()))
    return Forest(
        trees=tuple(_in_order(whole, np.flatnonzero(tree_of == one)) for one in order),
        targets=targets,
    )


_PAIR: Final = 2
_LEAF_PARTS: Final = ("treeids", "nodeids", "ids", "weights")


def _places(
    ids: Sequence[int], tree_of: Integers, mode: Integers, place: Mapping[tuple[int, int], int]
) -> Integers:
    return np.array(
        [
            0 if kind == LEAF else place[tree, one]
            for one, tree, kind in zip(ids, tree_of.tolist(), mode.tolist(), strict=True)
        ],
        np.int64,
    )


def _in_order(whole: Tree, members: Integers) -> Tree:
    """One tree out of all nodes, in the order a walk from its root meets them."""
    inner = members[whole.mode[members] != LEAF]
    children = {*whole.yes[inner].tolist(), *whole.no[inner].tolist()}
    roots = [one for one in members.tolist() if one not in children]
    if len(roots) != 1:
        raise ForestError(f"a tree has {len(roots)} roots")
    return picked(whole, roots[0])


def picked(tree: Tree, root: int = 0) -> Tree:
    """The part of `tree` under `root`, parents before children; what it cannot reach is gone.

    Raises:
        ForestError: a node that is reached twice.
    """
    order: list[int] = []
    seen: set[int] = set()
    pending = [root]
    while pending:
        node = pending.pop()
        if node in seen:
            raise ForestError("two branches of a tree meet")
        seen.add(node)
        order.append(node)
        if tree.mode[node] != LEAF:
            pending += [int(tree.no[node]), int(tree.yes[node])]
    kept = np.array(order, np.int64)
    new = np.zeros(tree.size, np.int64)
    new[kept] = np.arange(len(kept))
    inner = tree.mode[kept] != LEAF
    return Tree(
        mode=tree.mode[kept],
        feature=tree.feature[kept],
        threshold=tree.threshold[kept],
        yes=np.where(inner, new[tree.yes[kept]], 0),
        no=np.where(inner, new[tree.no[kept]], 0),
        missing_yes=tree.missing_yes[kept],
        values=tree.values[kept],
    )


def lists_of(forest: Forest, word: str) -> dict[str, list[Any]]:
    """The parallel lists of a TreeEnsemble node; `word` is `class` or `target`."""
    lists: dict[str, list[Any]] = {name: [] for name in (*_NODE_LISTS, *_leaf_lists(word))}
    for number, tree in enumerate(forest.trees):
        columns = (
            [number] * tree.size,
            range(tree.size),
            tree.feature.tolist(),
            [MODES[kind] for kind in tree.mode.tolist()],
            tree.threshold.tolist(),
            tree.yes.tolist(),
            tree.no.tolist(),
            tree.missing_yes.astype(int).tolist(),
        )
        for name, column in zip(_NODE_LISTS, columns, strict=True):
            lists[name].extend(column)
        for name, column in zip(_leaf_lists(word), _leaves(tree, number, forest), strict=True):
            lists[name].extend(column)
    if not any(lists["nodes_missing_value_tracks_true"]):
        del lists["nodes_missing_value_tracks_true"]
    return lists


_NODE_LISTS: Final = (
    "nodes_treeids",
    "nodes_nodeids",
    "nodes_featureids",
    "nodes_modes",
    "nodes_values",
    "nodes_truenodeids",
    "nodes_falsenodeids",
    "nodes_missing_value_tracks_true",
)


def _leaf_lists(word: str) -> tuple[str, ...]:
    return tuple(f"{word}_{part}" for part in _LEAF_PARTS)


def _leaves(tree: Tree, number: int, forest: Forest) -> Iterator[list[Any]]:
    """Tree, node, target and weight of what the leaves add; zeros are left out where they can be.

    Each leaf keeps one entry, and each target one, since runtimes look for them. Of two targets
    onnxruntime reads a row that has no entry for the second as a single score, so both stay.
    """
    leaves = np.flatnonzero(tree.mode == LEAF)
    says = tree.values[leaves] != 0
    says[~says.any(axis=1), 0] = True
    if len(forest.targets) == _PAIR or number == 0:
        says[: len(says) if len(forest.targets) == _PAIR else 1] = True
    row, column = np.nonzero(says)
    yield [number] * len(row)
    yield leaves[row].tolist()
    yield [forest.targets[one] for one in column.tolist()]
    yield tree.values[leaves[row], column].tolist()


def rewritten(node: onnx.NodeProto, forest: Forest) -> onnx.NodeProto:
    """`node` with the trees of `forest` in place of its own, everything else as it was."""
    word = "class" if node.op_type == OPERATORS[0] else "target"
    replaced = {*_NODE_LISTS, *_leaf_lists(word), "nodes_hitrates"}
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    kept = [one for one in node.attribute if one.name not in replaced]
    del copy.attribute[:]
    copy.attribute.extend(kept)
    copy.attribute.extend(
        helper.make_attribute(name, value) for name, value in lists_of(forest, word).items()
    )
    return copy

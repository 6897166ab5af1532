"""Cuts branches of trees, the weakest first.

Minimal cost-complexity pruning of Breiman, Friedman, Olshen and Stone 1984, "Classification and
Regression Trees", chapter 3, over all trees of an ensemble at once. A node t that becomes a leaf
saves its branch's other leaves and adds an error R(t) - R(T_t); its strength is

    alpha(t) = (R(t) - R(T_t)) / (leaves of T_t - 1)

and the branch of least alpha goes first. R sums, over the rows that reach a leaf, the squared
distance of what the leaf adds from what the source's leaf added, so that a new leaf adds the mean
of those it replaces. For class shares on the tree's own training rows, R(t) - R(T_t) is exactly the
decrease of the Gini impurity: the distances within and between leaves add up.

    two leaves with 3 rows adding 0.0 and 1 row adding 1.0
    their mean is 0.25, R(t) = 3 * 0.25² + 1 * 0.75² = 0.75, alpha = 0.75 / (2 - 1)
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shoal.compressor.sources.estimators import regrowing
from shoal.compressor.sources.estimators.forest import LEAF, Forest, Integers, Tree

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One branch made a leaf: which tree and node, at what strength, and the leaves it had."""

    tree: int
    node: int
    alpha: float
    leaves: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Statistics:
    """Of every node: rows that reach it, and the mean and sum of squares of what they get."""

    rows: Floats
    mean: Floats
    spread: Floats
    parent: Integers


def prune(
    whole: Forest, reached: Sequence[Integers], nodes_at_most: int
) -> tuple[Forest, Forest, list[Cut]]:
    """The forest with at most so many nodes, the same untaught, and what was cut, weakest first.

    `reached` holds, for each tree, the leaf of every row that decides. A new leaf adds the mean
    over the rows that reach it; in the untaught forest, the mean over the leaves it replaces.
    """
    statistics = [_gather(one, at) for one, at in zip(whole.trees, reached, strict=True)]
    cuts = _weakest(whole, statistics, whole.size - nodes_at_most)
    plain = [_gather(one, np.zeros(0, np.int64)) for one in whole.trees]
    taught, untaught = (_collapsed(whole, cuts, one) for one in (statistics, plain))
    return taught, untaught, cuts


def _collapsed(whole: Forest, cuts: list[Cut], statistics: Sequence[_Statistics]) -> Forest:
    nodes: list[list[int]] = [[] for _ in whole.trees]
    for cut in cuts:
        nodes[cut.tree].append(cut.node)
    trees = [
        regrowing.collapsed(tree, np.array(gone, np.int64), of.mean[gone]) if gone else tree
        for tree, gone, of in zip(whole.trees, nodes, statistics, strict=True)
    ]
    return Forest(trees=tuple(trees), targets=whole.targets)


def _gather(tree: Tree, reached: Integers) -> _Statistics:
    """Sums from the leaves up: children stand behind their parents, so one walk back is enough.

    Leaves that no row reaches weigh a hundredth of a row, so that a branch without rows gets the
    mean of its leaves, and goes first.
    """
    rows = np.bincount(reached, minlength=tree.size).astype(np.float64)
    rows = np.where((tree.mode == LEAF) & (rows == 0), 0.01, rows)
    total = tree.values * rows[:, None]
    squares = (tree.values**2).sum(axis=1) * rows
    parent = np.full(tree.size, -1, np.int64)
    for node in range(tree.size - 1, -1, -1):
        if tree.mode[node] != LEAF:
            for child in (int(tree.yes[node]), int(tree.no[node])):
                parent[child] = node
                rows[node] += rows[child]
                total[node] += total[child]
                squares[node] += squares[child]
    mean = total / rows[:, None]
    spread = np.maximum(squares - rows * (mean**2).sum(axis=1), 0.0)
    return _Statistics(rows=rows, mean=mean, spread=spread, parent=parent)


class _Branches:
    """The leaves and the error of every branch of one tree, while branches are being cut."""

    def __init__(self, tree: Tree, statistics: _Statistics) -> None:
        self.statistics = statistics
        self.leaves = (tree.mode == LEAF).astype(np.int64)
        self.error = np.zeros(tree.size)  # R(T_t): every leaf adds what it added, so nothing yet
        self.gone = np.zeros(tree.size, np.bool_)
        self.tree = tree
        for node in range(tree.size - 1, 0, -1):
            self.leaves[statistics.parent[node]] += self.leaves[node]

    def alpha(self, node: int) -> float:
        """The strength of the branch at an inner node."""
        added = self.statistics.spread[node] - self.error[node]
        return max(float(added), 0.0) / (int(self.leaves[node]) - 1)

    def cut(self, node: int) -> list[int]:
        """Makes `node` a leaf; returns its ancestors, whose strengths changed."""
        fewer = int(self.leaves[node]) - 1
        added = float(self.statistics.spread[node] - self.error[node])
        pending = [node]
        while pending:
            one = pending.pop()
            self.gone[one] = True
            if self.tree.mode[one] != LEAF:
                pending += [int(self.tree.yes[one]), int(self.tree.no[one])]
        above = []
        at = node
        while at >= 0:
            self.leaves[at] -= fewer
            self.error[at] += added
            if at != node:
                above.append(at)
            at = int(self.statistics.parent[at])
        return above


def _weakest(whole: Forest, statistics: Sequence[_Statistics], nodes: int) -> list[Cut]:
    """The cuts, in order, that take at least `nodes` nodes away."""
    branches = [_Branches(one, of) for one, of in zip(whole.trees, statistics, strict=True)]
    heap = [
        (branch.alpha(node), tree, node)
        for tree, branch in enumerate(branches)
        for node in np.flatnonzero(branch.tree.mode != LEAF).tolist()
    ]
    heapq.heapify(heap)
    cuts: list[Cut] = []
    while heap and nodes > 0:
        alpha, number, node = heapq.heappop(heap)
        branch = branches[number]
        if branch.gone[node] or alpha != branch.alpha(node):
            continue  # an older entry: a newer one with its strength of now is in the heap too
        leaves = int(branch.leaves[node])
        cuts.append(Cut(tree=number, node=node, alpha=alpha, leaves=leaves))
        nodes -= 2 * (leaves - 1)
        for above in branch.cut(node):
            heapq.heappush(heap, (branch.alpha(above), number, above))
    return _outermost(cuts, branches)


def _outermost(cuts: list[Cut], branches: Sequence[_Branches]) -> list[Cut]:
    """Without the cuts that a later one higher up took away."""
    cut = {(one.tree, one.node) for one in cuts}

    def within(one: Cut) -> bool:
        at = int(branches[one.tree].statistics.parent[one.node])
        while at >= 0:
            if (one.tree, at) in cut:
                return True
            at = int(branches[one.tree].statistics.parent[at])
        return False

    return [one for one in cuts if not within(one)]

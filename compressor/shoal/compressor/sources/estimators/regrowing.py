"""Ensembles made of others: scaled, shifted, with branches made leaves."""

from dataclasses import replace

from shoal.compressor.sources.estimators.forest import (
    LEAF,
    Floats,
    Forest,
    Integers,
    Tree,
    picked,
)


def scaled(forest: Forest, factor: float) -> Forest:
    """The forest with everything its leaves add times `factor`."""
    trees = tuple(replace(tree, values=tree.values * factor) for tree in forest.trees)
    return replace(forest, trees=trees)


def shifted(forest: Forest, factor: Floats, shift: Floats) -> Forest:
    """The forest times `factor` plus `shift`, for each target; its first tree says the shift.

    Where every tree has one target of its own, that is the first tree of each target.
    """
    trees = [replace(tree, values=tree.values * factor) for tree in forest.trees]
    for column in range(len(forest.targets)):
        speaks = [i for i, tree in enumerate(trees) if tree.values[:, column].any()]
        first = speaks[0] if speaks else 0
        values = trees[first].values.copy()
        values[trees[first].mode == LEAF, column] += shift[column]
        trees[first] = replace(trees[first], values=values)
    return replace(forest, trees=tuple(trees))


def collapsed(tree: Tree, nodes: Integers, values: Floats) -> Tree:
    """`tree` with these inner nodes made leaves that add `values` (nodes, targets)."""
    mode, leaf_values = tree.mode.copy(), tree.values.copy()
    mode[nodes] = LEAF
    leaf_values[nodes] = values
    return picked(replace(tree, mode=mode, values=leaf_values))

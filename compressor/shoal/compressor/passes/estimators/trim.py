"""Trims tree ensembles inside ONNX graphs, wherever they came from."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import onnx

from shoal.compressor.passes.estimators import branches, ordering, tabular
from shoal.compressor.passes.estimators.tabular import Answers, Table
from shoal.compressor.passes.protocol import IN_TITLE, PassContext, PassError, PassResult
from shoal.compressor.rejections import Rejection
from shoal.compressor.sources.estimators import forest, regrowing
from shoal.compressor.sources.estimators.forest import Forest

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

_ROWS_AT_MOST: Final = 2_000
_ROWS_AT_LEAST: Final = 100
_NUMBERS_AT_MOST: Final = 20_000_000
_SHOWN: Final = 24
_WORTH_SAYING: Final = 0.97  # of a node's bytes: less is no gain
_ROUNDING: Final = 1e-3


class Trimming(enum.StrEnum):
    """What is taken away.

    Branches of every tree, whole trees of a forest, the last stages of boosting, or only what says
    nothing: zeros that leaves add, and node statistics that no runtime reads.
    """

    BRANCHES = "branches"
    TREES = "trees"
    STAGES = "stages"
    ZEROS = "zeros"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trim:
    """Keep the share `keep` of an ensemble's nodes (branches) or trees (trees, stages).

    Branches go by cost-complexity pruning, trees by the order in which they bring a forest closest
    to the labels (without labels: to the source's own answers), stages from the end. ZEROS takes
    nothing that counts, whatever `keep` is: the answers are the same bit for bit.

    Notes: importance per tree or branch, threshold, weights removed, score before (what is left,
    as it was) and after (leaves and scale set again) on rows set aside.
    """

    method: Literal["trim"] = field(default="trim", init=False)
    what: Trimming = field(default=Trimming.BRANCHES, metadata=IN_TITLE)
    keep: float = field(default=0.5, metadata=IN_TITLE)

    def apply(self, model: onnx.ModelProto, context: PassContext) -> PassResult:
        """The graph with smaller ensembles in the place of its own.

        Raises:
            PassError: no tree ensemble, or nothing of it that could go.
        """
        wholes = {i: _forest(one) for i, one in enumerate(model.graph.node) if _is_trees(one)}
        if not wholes:
            raise PassError(Rejection.UNSUPPORTED_OPERATOR, "the graph has no tree ensemble")
        held, fit = tabular.divide(tabular.read(model, context), context.seed)
        numbers = max(len(one.trees) * len(one.targets) for one in wholes.values())
        fit = _few(fit, context.seed, numbers)
        source = tabular.ask(context.source, fit.rows)
        before, after = onnx.ModelProto(), onnx.ModelProto()
        before.CopyFrom(model)
        after.CopyFrom(model)
        reports = []
        for place, whole in wholes.items():
            node = model.graph.node[place]
            rows = tabular.run(model, fit.rows, (node.input[0],))[node.input[0]]
            work = _Work(node=node, forest=whole, rows=rows, labels=fit.labels, source=source)
            rough, fine, report = self._trimmed(work)
            before.graph.node[place].CopyFrom(forest.rewritten(work.node, rough))
            after.graph.node[place].CopyFrom(forest.rewritten(work.node, fine))
            reports.append(report)
        return PassResult(model=after, notes=_notes(reports, held, context, (before, after)))

    def _trimmed(self, work: "_Work") -> tuple[Forest, Forest, dict[str, Any]]:
        """The ensemble cut, the same set right again, and what was done."""
        match self.what:
            case Trimming.BRANCHES:
                return self._cut_branches(work)
            case Trimming.TREES:
                return self._choose_trees(work)
            case Trimming.STAGES:
                return self._first_stages(work)
            case Trimming.ZEROS:
                return self._say_less(work)

    def _cut_branches(self, work: "_Work") -> tuple[Forest, Forest, dict[str, Any]]:
        whole = work.forest
        least = max(round(whole.size * self.keep), len(whole.trees))
        reached = [tree.leaf_of(work.rows) for tree in whole.trees]
        trimmed, rough, cuts = branches.prune(whole, reached, least)
        if not cuts:
            raise PassError(Rejection.BUILD_FAILED, "no branch can go")
        alphas = sorted(cut.alpha for cut in cuts)
        picked = np.linspace(0, len(alphas) - 1, min(_SHOWN, len(alphas))).astype(int)
        report = {
            "importance": {
                "kind": "alpha of branches, weakest first",
                "values": [_short(alphas[i]) for i in picked.tolist()],
            },
            "threshold": _short(alphas[-1]),
            "branches_removed": len(cuts),
            **_sizes(whole, trimmed),
        }
        return rough, trimmed, report

    def _choose_trees(self, work: "_Work") -> tuple[Forest, Forest, dict[str, Any]]:
        whole = work.forest
        given = whole.tree_values(work.rows)
        if not work.averages(given):
            raise PassError(Rejection.BUILD_FAILED, "its trees do not average: boosting has stages")
        count = max(1, round(len(whole.trees) * self.keep))
        if count == len(whole.trees):
            raise PassError(Rejection.BUILD_FAILED, "no tree can go")
        alone = given * len(whole.trees)
        order, errors = ordering.greedy(alone, work.wanted(given), count)
        chosen = Forest(
            trees=tuple(whole.trees[one] for one in sorted(order)), targets=whole.targets
        )
        report = {
            "importance": {
                "kind": "mean squared error after each tree, in the order they were chosen",
                "trees": order[:_SHOWN],
                "values": [_short(one) for one in errors[:_SHOWN]],
            },
            "threshold": _short(errors[-1]),
            **_sizes(whole, chosen),
        }
        return chosen, regrowing.scaled(chosen, len(whole.trees) / count), report

    def _first_stages(self, work: "_Work") -> tuple[Forest, Forest, dict[str, Any]]:
        whole = work.forest
        width = len(whole.targets)
        alone = all((tree.values != 0).any(axis=0).sum() <= 1 for tree in whole.trees)
        width = width if alone and len(whole.trees) % width == 0 else 1
        stages = len(whole.trees) // width
        count = max(1, round(stages * self.keep))
        given = whole.tree_values(work.rows)
        if work.averages(given) or count == stages:
            raise PassError(Rejection.BUILD_FAILED, "it has no stages that could go")
        chosen = replace(whole, trees=whole.trees[: count * width])
        scale = ordering.fitted(given[: count * width].sum(axis=0), given.sum(axis=0))
        moved = np.abs(given).mean(axis=1).reshape(stages, -1).mean(axis=1)
        report = {
            "importance": {
                "kind": "mean absolute value that each stage adds",
                "values": [_short(one) for one in moved[:_SHOWN]],
            },
            "threshold": count,
            "stages_removed": stages - count,
            **_sizes(whole, chosen),
        }
        return chosen, regrowing.shifted(chosen, *scale), report

    def _say_less(self, work: "_Work") -> tuple[Forest, Forest, dict[str, Any]]:
        said = forest.rewritten(work.node, work.forest).ByteSize()
        if said > _WORTH_SAYING * work.node.ByteSize():
            raise PassError(Rejection.BUILD_FAILED, "it says nothing that could be left out")
        return work.forest, work.forest, _sizes(work.forest, work.forest)


def _short(number: float) -> float:
    return float(f"{number:.4g}")


def _is_trees(node: onnx.NodeProto) -> bool:
    return node.op_type in forest.OPERATORS and node.domain == forest.DOMAIN


def _few(table: Table, seed: int, numbers: int) -> Table:
    """Some of the rows, where all of them would make too many answers of `numbers` a row."""
    count = min(_ROWS_AT_MOST, max(_ROWS_AT_LEAST, _NUMBERS_AT_MOST // max(numbers, 1)))
    if len(table.rows) <= count:
        return table
    order = np.random.default_rng(seed).permutation(len(table.rows))
    return table.take(np.sort(order[:count]))


def _forest(node: onnx.NodeProto) -> Forest:
    try:
        return forest.read(node)
    except forest.ForestError as error:
        raise PassError(Rejection.UNSUPPORTED_OPERATOR, str(error)) from error


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Work:
    """One ensemble of the graph, the rows as they reach it, and what is to be answered."""

    node: onnx.NodeProto
    forest: Forest
    rows: Array
    labels: Array | None
    source: Answers

    def averages(self, given: Floats) -> bool:
        """Whether the trees are a forest's; else they are boosted."""
        words = {one.name: one.s.decode() for one in self.node.attribute if one.s}
        if self.source.classifies:
            leaves = [tree.values[tree.mode == forest.LEAF] for tree in self.forest.trees]
            plain = words.get("post_transform", "NONE") == "NONE"
            return plain and ordering.shares(np.concatenate(leaves), len(leaves))
        if words.get("aggregate_function") == "AVERAGE":
            return True
        return _base(self.node) == 0 and ordering.averages(given)

    def wanted(self, given: Floats) -> Floats:
        """What the trees are to say, (rows, targets): the labels, where their scale is that.

        Class shares are compared with ones and zeros, numbers with numbers; anything else, and rows
        without labels, with what all trees together say.
        """
        together: Floats = given.sum(axis=0)
        if self.labels is None:
            return together
        if self.source.classifies:
            places = self._places(together.shape[1])
            if places is None or not self.averages(given):
                return together
            return np.asarray(self.labels.reshape(-1, 1) == places[None, :], np.float64)
        if together.shape[1] == 1 and self.labels.size == len(together):
            shift = _base(self.node)
            return np.asarray(self.labels.reshape(-1, 1), np.float64) - shift
        return together

    def _places(self, columns: int) -> Array | None:
        """The label that each target is the share of; a single one is the second class's."""
        lists: Mapping[str, Any] = {one.name: one.ints for one in self.node.attribute}
        labels = np.array(lists.get("classlabels_int64s", ()), np.int64)
        if columns == 1 and len(labels) == 2:
            return labels[1:]
        in_order = self.forest.targets == tuple(range(columns))
        return labels if len(labels) == columns and in_order else None


def _base(node: onnx.NodeProto) -> float:
    values = [one.floats for one in node.attribute if one.name == "base_values"]
    return float(values[0][0]) if values and len(values[0]) else 0.0


def _sizes(before: Forest, after: Forest) -> dict[str, Any]:
    return {
        "trees_before": len(before.trees),
        "trees_after": len(after.trees),
        "nodes_before": before.size,
        "nodes_after": after.size,
        "weights_removed": before.size - after.size,
    }


def _notes(
    reports: list[dict[str, Any]],
    held: Table,
    context: PassContext,
    models: tuple[onnx.ModelProto, onnx.ModelProto],
) -> dict[str, Any]:
    source = tabular.ask(context.source, held.rows)
    scores = [
        tabular.quality(tabular.ask(model, held.rows), held.labels, source) for model in models
    ]
    return {
        **(reports[0] if len(reports) == 1 else {"ensembles": reports}),
        "validation": {
            "metric": scores[0]["metric"],
            "rows": len(held.rows),
            "source": tabular.quality(source, held.labels, source)["value"],
            "before_retraining": scores[0]["value"],
            "after_retraining": scores[1]["value"],
        },
    }

"""Which passes for tables suit a source: selection, trimming, trees taught to a net. Pure.

Passes for networks do nothing to trees and support vectors. What is here works on anything that
answers rows of one float matrix; the nets that come out of it may be quantized like any other.
"""

from dataclasses import dataclass
from typing import Final

import onnx

from shoal.compressor.passes.estimators.select import Select
from shoal.compressor.passes.estimators.student import DistillTable
from shoal.compressor.passes.estimators.trim import Trim, Trimming
from shoal.compressor.passes.protocol import Effort, Pass
from shoal.compressor.search.plan import Situation
from shoal.compressor.sources.origin import OriginFormat

_ENSEMBLES: Final = ("TreeEnsembleClassifier", "TreeEnsembleRegressor")
_ML: Final = "ai.onnx.ml"

_KEPT_IMPORTANCE: Final = {
    Effort.QUICK: (0.95, 0.8),
    Effort.BALANCED: (0.99, 0.95, 0.9, 0.8, 0.7),
    Effort.THOROUGH: (0.999, 0.99, 0.97, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6),
}
_KEPT_NODES: Final = {
    Effort.QUICK: (0.5, 0.2),
    Effort.BALANCED: (0.7, 0.5, 0.3, 0.15),
    Effort.THOROUGH: (0.85, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05),
}
_WIDTHS: Final[dict[Effort, tuple[tuple[int, ...], ...]]] = {
    Effort.QUICK: ((64, 64), (32,)),
    Effort.BALANCED: ((96, 96), (64, 64), (48, 48), (32, 32), (32,)),
    Effort.THOROUGH: ((128, 128), (96, 96), (64, 64), (64, 32), (48, 48), (32, 32), (64,), (24,)),
}
_STEPS: Final = {Effort.QUICK: 1_500, Effort.BALANCED: 5_000, Effort.THOROUGH: 20_000}
_INVENTED: Final = {Effort.QUICK: 6.0, Effort.BALANCED: 10.0, Effort.THOROUGH: 20.0}
# Cutting branches walks every node; beyond this many the walk takes longer than the effort allows.
_NODES_AT_MOST: Final = {
    Effort.QUICK: 50_000,
    Effort.BALANCED: 250_000,
    Effort.THOROUGH: 2_000_000,
}
_NODES_FITTED_SOON: Final = 5_000  # selection fits the estimator twice
_BYTES_OF_A_NET: Final = 8_000  # below this a source is smaller than any net that could follow it


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the plan depends on: how the source came, what it reads, and how large its trees are.

    `features` is 0 where the source reads anything but one float matrix. `foreign` tells of
    operators that no network has, so that nothing but teaching a net makes it one.
    """

    estimator: bool
    features: int
    trees: int
    nodes: int
    boosted: bool
    foreign: bool
    bytes: int


def read(model: onnx.ModelProto, origin: OriginFormat) -> Facts:
    """The facts of a source's graph."""
    graph = model.graph
    ensembles = [node for node in graph.node if node.op_type in _ENSEMBLES]
    lists = [{one.name: one for one in node.attribute} for node in ensembles]
    numbered = [one["nodes_treeids"].ints for one in lists if "nodes_treeids" in one]
    return Facts(
        estimator=origin is OriginFormat.SKOPS,
        features=_features(model),
        trees=sum(len(set(one)) for one in numbered),
        nodes=sum(len(one) for one in numbered),
        boosted=any(_is_boosted(node) for node in ensembles),
        foreign=any(node.domain == _ML for node in graph.node),
        bytes=model.ByteSize(),
    )


def _features(model: onnx.ModelProto) -> int:
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in stored]
    kind = inputs[0].type.tensor_type if len(inputs) == 1 else None
    if kind is None or kind.elem_type != onnx.TensorProto.FLOAT or len(kind.shape.dim) != 2:
        return 0
    return int(kind.shape.dim[1].dim_value)


def _is_boosted(node: onnx.NodeProto) -> bool:
    """Scores through a logistic function or from a base are added up in stages."""
    words = {one.name: one for one in node.attribute}
    passed = words["post_transform"].s.decode() if "post_transform" in words else "NONE"
    base = words["base_values"].floats if "base_values" in words else ()
    return passed != "NONE" or any(base)


def passes(facts: Facts, situation: Situation) -> tuple[Pass, ...]:
    """What to try on the source, the most promising first; empty where nothing here suits it."""
    if not facts.features:
        return ()
    effort = situation.effort
    found: list[Pass] = []
    if facts.trees:
        found.append(Trim(what=Trimming.ZEROS))
    if facts.foreign and facts.bytes > _BYTES_OF_A_NET:
        found += [
            DistillTable(widths=widths, steps=_STEPS[effort], invented_share=_INVENTED[effort])
            for widths in _WIDTHS[effort]
        ]
    if facts.trees > 1:
        whole = Trimming.STAGES if facts.boosted else Trimming.TREES
        found += [Trim(what=whole, keep=keep) for keep in _KEPT_NODES[effort]]
    if facts.trees and facts.nodes <= _NODES_AT_MOST[effort]:
        found += [Trim(what=Trimming.BRANCHES, keep=keep) for keep in _KEPT_NODES[effort]]
    fits_soon = effort is not Effort.QUICK or facts.nodes <= _NODES_FITTED_SOON
    if facts.estimator and facts.features > 1 and fits_soon:
        found += [Select(keep=keep) for keep in _KEPT_IMPORTANCE[effort]]
    return tuple(found)

"""Remove whole channels: coupling groups by dependency graph, ranked by magnitude.

A coupling group is every layer that has to lose the same channel at once (a convolution, its batch
norm, the inputs of what follows, both branches of a sum). Groups come from torch-pruning
(DepGraph, Fang et al., CVPR 2023, arXiv:2301.12900). The importance of a channel is the mean square
norm of its weights over the group, divided by the group's mean, so that groups compare.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import torch
import torch_pruning
from torch import Tensor, nn

from shoal.compressor.network.cut import Cut, Scope
from shoal.compressor.network.graph import LINEAR_LAYERS, Network
from shoal.compressor.network.layers import Layer
from shoal.compressor.passes.protocol import PassError
from shoal.compressor.rejections import Rejection

# The weakest group of a global ranking keeps at least this share: a layer cut to nothing is a
# broken net, and magnitudes of different layers compare only roughly.
LEAST_SHARE = 0.125


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One coupling group; `importance` is that of its weakest, middle and strongest channel."""

    layers: tuple[str, ...]
    channels: int
    kept: int
    importance: tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """What was removed; `threshold` is the highest importance among the removed channels."""

    groups: tuple[Group, ...]
    threshold: float
    weights_before: int
    weights_after: int


def narrow(network: Network, row: tuple[Tensor, ...], cut: Cut) -> Narrowing:
    """Remove channels from the network in place; `row` is one row for every input.

    Raises:
        PassError: BuildFailed where no channel can be removed.
    """
    weights_before = network.parameter_count
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch-pruning warns about parameters it then handles
        graph = torch_pruning.DependencyGraph().build_dependency(network, row, verbose=False)
        found = list(graph.get_all_groups(_fixed_layers(network), LINEAR_LAYERS))
        importances = [_importance(group) for group in found]
        kept = keep_counts(importances, cut)
        threshold = 0.0
        for group, importance, keep in zip(found, importances, kept, strict=True):
            weakest = torch.argsort(importance, stable=True)[: len(importance) - keep]
            if len(weakest):
                threshold = max(threshold, float(importance[weakest].max()))
                group.prune(sorted(weakest.tolist()))
    if network.parameter_count == weights_before:
        raise PassError(Rejection.BUILD_FAILED, "no channel can be removed")
    labels = {network.layers[step.layer]: step.label for step in network.steps}
    return Narrowing(
        groups=tuple(
            Group(
                layers=_labels(group, labels),
                channels=len(importance),
                kept=keep,
                importance=_spread(importance),
            )
            for group, importance, keep in zip(found, importances, kept, strict=True)
        ),
        threshold=threshold,
        weights_before=weights_before,
        weights_after=network.parameter_count,
    )


def keep_counts(importances: list[Tensor], cut: Cut) -> list[int]:
    """How many channels each group keeps.

    Worked example: two groups of 8, ratio 0.5, multiple 4; by layer 4 and 4. Globally, where the
    8 weakest of all 16 are 7 of the first and 1 of the second: 1 and 7, which become 4 and 8.
    """
    wanted: list[float]
    if cut.scope is Scope.LAYER:
        wanted = [len(group) * (1 - cut.ratio) for group in importances]
    else:
        everyone = torch.cat(importances) if importances else torch.empty(0)
        ranks = torch.argsort(torch.argsort(everyone, stable=True))
        stays = ranks >= round(len(everyone) * cut.ratio)
        parts = torch.split(stays, [len(group) for group in importances])
        wanted = [max(float(part.sum()), len(part) * LEAST_SHARE) for part in parts]
    return [
        _nearest(count, cut.multiple, len(group))
        for count, group in zip(wanted, importances, strict=True)
    ]


def _nearest(count: float, multiple: int, most: int) -> int:
    """The nearest multiple, at least one and at most `most`; halves go up: 6 of 4s is 8."""
    return min(max(math.floor(count / multiple + 0.5), 1) * multiple, most)


def _importance(group: Any) -> Tensor:
    scorer = torch_pruning.importance.GroupMagnitudeImportance(p=2, normalizer="mean")
    importance: Tensor = scorer(group)
    return importance


def _fixed_layers(network: Network) -> list[nn.Module]:
    """Layers whose channels are seen from outside, or by something that cannot follow."""
    values = [port.value for port in network.outputs]
    fixed = []
    for step in network.steps:
        layer = network.layers[step.layer]
        if isinstance(layer, Layer) and layer.pinned:
            values.extend(step.inputs)
        if isinstance(layer, nn.Conv1d | nn.Conv2d) and _is_grouped(layer):
            values.extend(step.inputs)
            fixed.append(layer)
    return fixed + [network.layers[step.layer] for step in network.linear_layers_behind(values)]


def _is_grouped(layer: nn.Conv1d | nn.Conv2d) -> bool:
    """Whether channels are in groups of several; depthwise layers follow their input instead."""
    depthwise = layer.groups == layer.in_channels == layer.out_channels
    return layer.groups > 1 and not depthwise


def _labels(group: Any, labels: dict[nn.Module, str]) -> tuple[str, ...]:
    names = [
        labels[dependency.target.module]
        for dependency, _ in group
        if isinstance(dependency.target.module, LINEAR_LAYERS)
    ]
    return tuple(dict.fromkeys(names))


def _spread(importance: Tensor) -> tuple[float, float, float]:
    return (float(importance.min()), float(importance.median()), float(importance.max()))

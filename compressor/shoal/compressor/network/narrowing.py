"""Remove whole channels: coupling groups, ranked by importance, within a budget."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from shoal.compressor.network import budgeting
from shoal.compressor.network.cut import Cut, Scope
from shoal.compressor.network.graph import Network
from shoal.compressor.network.groups import coupling_groups, remove
from shoal.compressor.network.importance import Evidence, importances
from shoal.compressor.passes.protocol import PassError
from shoal.compressor.rejections import Rejection

# The weakest group of a global ranking keeps at least this share: a layer cut to nothing is a
# broken net, and the importances of different layers compare only roughly.
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
    """What was removed; `threshold` is the highest importance among the removed channels.

    `sensitivity` tells for each group, by its first layer, how far the answers moved without a
    share of it; empty where nobody asked.
    """

    groups: tuple[Group, ...]
    threshold: float
    weights_before: int
    weights_after: int
    sensitivity: tuple[budgeting.Sensitivity, ...] = ()


def narrow(
    network: Network,
    row: tuple[Tensor, ...],
    cut: Cut,
    evidence: Evidence | None = None,
) -> Narrowing:
    """Remove channels from the network in place; `row` is one row for every input.

    `evidence` is needed where gradients or sensitivity are asked for.

    Raises:
        PassError: BuildFailed where no channel can be removed, or evidence is missing.
    """
    weights_before = network.parameter_count
    found = coupling_groups(network, row)
    scores = importances(network, found, cut.importance, evidence)
    sensitivity: tuple[budgeting.Sensitivity, ...] = ()
    if cut.scope is Scope.SENSITIVITY:
        if evidence is None:
            raise PassError(Rejection.BUILD_FAILED, "a budget by sensitivity needs rows")
        sensitivity = budgeting.measure(network, list(zip(found, scores, strict=True)), evidence)
        planned = budgeting.shares(found, sensitivity, cut.ratio)
    else:
        planned = shares(scores, cut)
    own = dict(cut.ratios)
    planned = [own.get(group.label, share) for group, share in zip(found, planned, strict=True)]
    kept = keep_counts(planned, [len(score) for score in scores], cut.multiple)
    order = [torch.argsort(score, stable=True) for score in scores]
    gone = [ranks[: len(ranks) - keep].tolist() for ranks, keep in zip(order, kept, strict=True)]
    remove(network, zip(found, gone, strict=True))
    if network.parameter_count == weights_before:
        raise PassError(Rejection.BUILD_FAILED, "no channel can be removed")
    lost = [score[places].max() for score, places in zip(scores, gone, strict=True) if places]
    return Narrowing(
        groups=tuple(
            Group(
                layers=group.labels,
                channels=len(score),
                kept=keep,
                importance=_spread(score),
            )
            for group, score, keep in zip(found, scores, kept, strict=True)
        ),
        threshold=float(max(lost)),
        weights_before=weights_before,
        weights_after=network.parameter_count,
        sensitivity=sensitivity,
    )


def shares(importance: Sequence[Tensor], cut: Cut) -> list[float]:
    """The share that each group loses.

    Worked example: two groups of 8, ratio 0.5; by layer 0.5 and 0.5. Globally, where the 8 weakest
    of all 16 are 7 of the first and 1 of the second: 0.875 and 0.125.
    """
    if cut.scope is Scope.LAYER or not importance:
        return [cut.ratio] * len(importance)
    everyone = torch.cat(list(importance))
    ranks = torch.argsort(torch.argsort(everyone, stable=True))
    goes = ranks < round(len(everyone) * cut.ratio)
    parts = torch.split(goes, [len(group) for group in importance])
    return [min(float(part.float().mean()), 1 - LEAST_SHARE) for part in parts]


def keep_counts(shares: Sequence[float], sizes: Sequence[int], multiple: int) -> list[int]:
    """How many channels each group keeps.

    Worked example: groups of 8 that lose 0.875 and 0.125 keep 1 and 7; in multiples of 4, 4 and 8.
    """
    return [
        _nearest(size * (1 - share), multiple, size)
        for share, size in zip(shares, sizes, strict=True)
    ]


def _nearest(count: float, multiple: int, most: int) -> int:
    """The nearest multiple, at least one and at most `most`; halves go up: 6 of 4s is 8."""
    return min(max(math.floor(count / multiple + 0.5), 1) * multiple, most)


def _spread(importance: Tensor) -> tuple[float, float, float]:
    return (float(importance.min()), float(importance.median()), float(importance.max()))

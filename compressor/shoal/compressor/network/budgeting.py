"""A budget for the whole network, spent where the answers miss it least.

Each group is tried alone: its weakest channels are silenced, a quarter, half and three quarters of
them, and the answers compared with what they were. Then the budget is spent in small parts, always
on the group that gives up the most weights for the least change.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from shoal.compressor.network.channels import Side, Use
from shoal.compressor.network.graph import Network
from shoal.compressor.network.groups import Coupled
from shoal.compressor.network.importance import Evidence
from shoal.compressor.network.weighted import TransposedConvolutions

TRIED_SHARES = (0.25, 0.5, 0.75)
TRIED_ROWS = 64
_PART = 1 / 16  # of a group's channels, spent at once
_MOST = 0.875  # no group loses more


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """How far the answers move, as a share of their own mean square, without a share of a group."""

    label: str
    weights: int
    shares: tuple[float, ...]
    changes: tuple[float, ...]

    def change(self, share: float) -> float:
        """Between the tried shares, and beyond them, along straight lines.

        Worked example: changes 0.1 at a quarter and 0.3 at half give 0.2 at 0.375.
        """
        points = [(0.0, 0.0), *zip(self.shares, self.changes, strict=True)]
        for (left, low), (right, high) in pairwise(points):
            if share <= right or (right, high) == points[-1]:
                return low + (high - low) * (share - left) / (right - left)
        return 0.0


def measure(
    network: Network, scored: Sequence[tuple[Coupled, Tensor]], evidence: Evidence
) -> tuple[Sensitivity, ...]:
    """Each group alone, its channels silenced in the order of their importance."""
    rows = evidence.take(0, min(TRIED_ROWS, evidence.count))
    value = network.answering_value(evidence.output)
    network.eval()
    with torch.no_grad():
        (whole,) = network.values([value], rows)
        size = whole.square().mean().clamp_min(torch.finfo(whole.dtype).tiny)
        found = []
        for group, importance in scored:
            order = torch.argsort(importance, stable=True).tolist()
            changes = []
            for share in TRIED_SHARES:
                with _silenced(group, set(order[: round(len(order) * share)])):
                    (answer,) = network.values([value], rows)
                changes.append(float((answer - whole).square().mean() / size))
            weights = round(group.weights * len(group.channels))
            found.append(
                Sensitivity(
                    label=group.label,
                    weights=weights,
                    shares=TRIED_SHARES,
                    changes=tuple(changes),
                )
            )
    return tuple(found)


@contextmanager
def _silenced(group: Coupled, numbers: set[int]) -> Iterator[None]:
    """Nobody hears these channels: the weights that read them are zero for a while."""
    before: list[tuple[Tensor, Tensor]] = []
    for use, places, owners in group.uses:
        if use.side is Side.READS:
            gone = [at for at, owner in zip(places, owners, strict=True) if owner in numbers]
            weight = _reading(use)
            before.append((weight, weight.clone()))
            weight[:, gone] = 0
    try:
        yield
    finally:
        for weight, values in before:
            weight.copy_(values)


def _reading(use: Use) -> Tensor:
    """The weights of a layer with the channels it reads on axis 1."""
    weight = use.layer.weight
    assert isinstance(weight, Tensor)
    turned = isinstance(use.layer, TransposedConvolutions)
    return weight.data.transpose(0, 1) if turned else weight.data


def shares(
    groups: Sequence[Coupled], sensitivity: Sequence[Sensitivity], ratio: float
) -> list[float]:
    """What each group loses, so that together they lose what `ratio` of every group would.

    Weights are counted group by group; that two groups share some is left out of account.
    """
    spent = [0.0] * len(groups)
    budget = ratio * sum(entry.weights for entry in sensitivity)
    while budget > 0:
        costs = [
            (entry.change(share + _PART) - entry.change(share)) / max(entry.weights, 1)
            if share + _PART <= _MOST
            else float("inf")
            for entry, share in zip(sensitivity, spent, strict=True)
        ]
        cheapest = min(range(len(costs)), key=costs.__getitem__, default=-1)
        if cheapest < 0 or costs[cheapest] == float("inf"):
            break
        spent[cheapest] += _PART
        budget -= _PART * sensitivity[cheapest].weights
    return spent

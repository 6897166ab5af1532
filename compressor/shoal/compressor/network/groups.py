"""Coupling groups: the channels that the same layers make, and what removing some of them takes."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch_pruning
from torch import Tensor, nn

from shoal.compressor.network.channels import Ids, Side, Use
from shoal.compressor.network.following import follow
from shoal.compressor.network.graph import Network
from shoal.compressor.network.indexing import Embedding
from shoal.compressor.network.normalizing import BatchNorms, InstanceNorms
from shoal.compressor.network.weighted import is_depthwise


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coupled:
    """One coupling group: its channels in order, and where each layer has them.

    For every use: the places along its axis, and which channel of the group each of them is.
    """

    channels: tuple[int, ...]
    uses: tuple[tuple[Use, tuple[int, ...], tuple[int, ...]], ...]

    @property
    def label(self) -> str:
        """The name of the first layer that makes these channels."""
        return self.uses[0][0].label

    @property
    def labels(self) -> tuple[str, ...]:
        """The layers that make or read these channels, by name."""
        weighted = [use.label for use, _, _ in self.uses if use.side is not Side.KEEPS]
        return tuple(dict.fromkeys(weighted))

    @property
    def weights(self) -> float:
        """The numbers that go with one channel, alone."""
        total = sum(
            use.layer.weight.numel() / len(use.channels) * len(places)
            for use, places, _ in self.uses
            if isinstance(use.layer.weight, Tensor) and not use.constant
        )
        return total / len(self.channels)


def coupling_groups(network: Network, row: Sequence[Tensor]) -> list[Coupled]:
    """The groups of channels that can be removed, in the order that the layers run."""
    shapes = {name: tuple(value.shape) for name, value in network.observe(row).items()}
    ledger = follow(network, shapes)
    free = ledger.free()
    rooted = [(use, ledger.roots(use.channels)) for use in ledger.uses]
    makers: dict[int, list[int]] = defaultdict(list)
    for index, (use, roots) in enumerate(rooted):
        if use.side is Side.MAKES:
            for root in dict.fromkeys(roots.tolist()):
                makers[root].append(index)
    grouped: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for root, indices in makers.items():
        if root in free:
            grouped[tuple(indices)].append(root)
    return [_coupled(channels, rooted) for channels in grouped.values()]


def _coupled(channels: list[int], rooted: Sequence[tuple[Use, Ids]]) -> Coupled:
    number = {channel: index for index, channel in enumerate(channels)}
    found = []
    for use, roots in rooted:
        places = np.flatnonzero(np.isin(roots, channels)).tolist()
        if places:
            found.append((use, tuple(places), tuple(number[int(roots[at])] for at in places)))
    found.sort(key=lambda entry: entry[0].side is not Side.MAKES)
    return Coupled(channels=tuple(channels), uses=tuple(found))


def remove(network: Network, groups: Iterable[tuple[Coupled, Collection[int]]]) -> None:
    """Take channels, by their number in their group, out of every layer in place."""
    gone: dict[Use, set[int]] = defaultdict(set)
    for group, numbers in groups:
        for use, places, owners in group.uses:
            gone[use].update(
                at for at, owner in zip(places, owners, strict=True) if owner in numbers
            )
    for use, lost in gone.items():
        if lost:
            _shorten(use, sorted(lost))
    network.zero_grad(set_to_none=True)
    network.lay_out()


def _shorten(use: Use, places: list[int]) -> None:
    layer = use.layer
    if use.constant or isinstance(layer, nn.LayerNorm | InstanceNorms):
        _select(use, places)
    else:
        handler(use)(layer, places)


def handler(use: Use) -> "torch_pruning.pruner.function.BasePruningFunc":
    """The function of torch-pruning that removes channels of this layer, on this side."""
    layer, makes = use.layer, use.side is Side.MAKES
    if is_depthwise(layer):
        return torch_pruning.prune_depthwise_conv_out_channels
    if isinstance(layer, nn.Linear):
        return (
            torch_pruning.prune_linear_out_channels
            if makes
            else torch_pruning.prune_linear_in_channels
        )
    if isinstance(layer, BatchNorms):
        return torch_pruning.prune_batchnorm_out_channels
    if isinstance(layer, Embedding):
        return torch_pruning.prune_embedding_out_channels
    if isinstance(layer, nn.LayerNorm):
        return torch_pruning.prune_layernorm_out_channels
    return torch_pruning.prune_conv_out_channels if makes else torch_pruning.prune_conv_in_channels


def _select(use: Use, places: list[int]) -> None:
    """What torch-pruning does not shorten: constants of ours, layer and instance norms."""
    layer = use.layer
    gone = set(places)
    kept = torch.tensor([at for at in range(len(use.channels)) if at not in gone])
    for name in [use.constant] if use.constant else ["weight", "bias"]:
        held = getattr(layer, name)
        if isinstance(held, nn.Parameter):
            setattr(layer, name, nn.Parameter(held.detach().index_select(use.axis, kept)))
        elif held is not None:
            setattr(layer, name, held.index_select(use.axis, kept))
    if isinstance(layer, nn.LayerNorm):
        layer.normalized_shape = (len(kept),)
    elif isinstance(layer, InstanceNorms):
        layer.num_features = len(kept)

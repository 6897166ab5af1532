"""What a channel is worth, by torch-pruning's measures over its coupling group.

Magnitude: the mean square norm of its weights. First-order Taylor: how much the loss would change
without it (Molchanov et al., CVPR 2019, arXiv:1906.10771). Hessian: the same to second order with
the curvature's diagonal, after optimal brain damage (LeCun et al., NeurIPS 1989), estimated by
squared gradients of single rows. Each is divided by the group's mean, so that groups compare.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch_pruning
from torch import Tensor, nn
from torch.nn import functional
from torch_pruning.dependency import Dependency, Group, Node

from shoal.compressor.network import cut
from shoal.compressor.network.channels import Side
from shoal.compressor.network.graph import Network
from shoal.compressor.network.groups import Coupled, handler
from shoal.compressor.passes.protocol import PassError
from shoal.compressor.rejections import Rejection

# Gradients settle with a few hundred rows; single rows cost a step each.
TAYLOR_ROWS = 256
HESSIAN_ROWS = 64
_AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Rows to see what the answers would miss: inputs by name, labels or None.

    Without labels the network's own answers serve: its choice where there are several classes, and
    any direction at random (by `seed`) where the answers are numbers, as the error's own gradient
    vanishes at the network itself.
    """

    inputs: Mapping[str, Tensor]
    labels: Tensor | None
    output: str
    seed: int

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(next(iter(self.inputs.values())))

    def take(self, start: int, end: int) -> dict[str, Tensor]:
        """The inputs of some rows."""
        return {name: rows[start:end] for name, rows in self.inputs.items()}


def importances(
    network: Network,
    groups: Sequence[Coupled],
    kind: cut.Importance,
    evidence: Evidence | None,
) -> list[Tensor]:
    """One number a channel for each group, their mean 1.

    Raises:
        PassError: gradients are asked for and there are no rows.
    """
    if kind is not cut.Importance.MAGNITUDE:
        if evidence is None:
            raise PassError(Rejection.BUILD_FAILED, f"importance {kind} needs rows")
        _collect_gradients(network, evidence, one_by_one=kind is cut.Importance.HESSIAN)
    scorer = {
        cut.Importance.MAGNITUDE: torch_pruning.importance.GroupMagnitudeImportance,
        cut.Importance.TAYLOR: torch_pruning.importance.GroupTaylorImportance,
        cut.Importance.HESSIAN: torch_pruning.importance.GroupHessianImportance,
    }[kind](normalizer="mean")
    scores = [_scored(scorer, group) for group in groups]
    network.zero_grad(set_to_none=True)
    return scores


def _scored(scorer: torch_pruning.importance.Importance, group: Coupled) -> Tensor:
    """The group as torch-pruning describes one; where it measures nothing, channels are equal."""
    described = Group()
    for use, places, owners in group.uses:
        if use.constant or (use.side is Side.KEEPS and not _has_weights(use.layer)):
            continue
        node = Node(use.layer, None, use.label)
        function = handler(use)
        described.add_dep(Dependency(function, function, node, node), list(places))
        described[len(described) - 1].root_idxs = list(owners)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = scorer(described)
    if scores is None or not torch.isfinite(scores).all():
        return torch.ones(len(group.channels))
    found: Tensor = scores[: len(group.channels)]
    return found


def _has_weights(layer: nn.Module) -> bool:
    return isinstance(getattr(layer, "weight", None), Tensor)


def _collect_gradients(network: Network, evidence: Evidence, *, one_by_one: bool) -> None:
    """Leave in every weight's `grad` its gradient, or the mean square of those of single rows."""
    network.eval().zero_grad(set_to_none=True)
    value = network.answering_value(evidence.output)
    generator = torch.Generator().manual_seed(evidence.seed)
    count = min(evidence.count, HESSIAN_ROWS if one_by_one else TAYLOR_ROWS)
    step = 1 if one_by_one else _AT_ONCE
    weights = list(network.parameters())
    squares = [torch.zeros_like(weight) for weight in weights]
    for start in range(0, count, step):
        end = min(start + step, count)
        (answer,) = network.values([value], evidence.take(start, end))
        labels = None if evidence.labels is None else evidence.labels[start:end]
        _loss(answer, labels, generator).backward()  # type: ignore[no-untyped-call]  # torch has no types here
        if one_by_one:
            for square, weight in zip(squares, weights, strict=True):
                if weight.grad is not None:
                    square.add_(weight.grad.square())
            network.zero_grad(set_to_none=True)
    for square, weight in zip(squares, weights, strict=True):
        if one_by_one:
            weight.grad = square / count
        elif weight.grad is None:
            weight.grad = square


def _loss(answer: Tensor, labels: Tensor | None, generator: torch.Generator) -> Tensor:
    """The sum over rows: cross entropy to labels or own choice, or the answers' random sums."""
    classes = answer.ndim == 2 and answer.shape[1] > 1
    if labels is not None and labels.is_floating_point() and labels.numel() == answer.numel():
        return functional.mse_loss(answer, labels.reshape(answer.shape), reduction="sum")
    if classes and (labels is None or not labels.is_floating_point()):
        wanted = answer.detach().argmax(dim=1) if labels is None else labels
        return functional.cross_entropy(answer, wanted, reduction="sum")
    signs = torch.randint(0, 2, answer.shape, generator=generator) * 2 - 1
    return (answer * signs).sum()

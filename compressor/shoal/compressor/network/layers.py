"""The base of the layers that torch lacks, and torch's own with the pads of ONNX.

Axis 0 carries the rows in every layer.
"""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional


class Layer(nn.Module):
    """A layer of ours."""


class Function(Layer):
    """A function without weights: `operator` and `attributes` are those of its ONNX node."""

    def __init__(
        self, operator: str, function: Callable[[Tensor], Tensor], **attributes: Any
    ) -> None:
        super().__init__()
        self.operator = operator
        self.function = function
        self.attributes = attributes

    def forward(self, value: Tensor) -> Tensor:
        """Apply it."""
        return self.function(value)


class PaddedConv1d(nn.Conv1d):
    """Conv1d that also pads unevenly: `uneven` in the order of torch's `pad`."""

    uneven: tuple[int, ...] = ()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's own name
        """Pad, then convolve."""
        return super().forward(functional.pad(input, self.uneven) if self.uneven else input)


class PaddedConv2d(nn.Conv2d):
    """Conv2d that also pads unevenly: `uneven` in the order of torch's `pad`."""

    uneven: tuple[int, ...] = ()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's own name
        """Pad, then convolve."""
        return super().forward(functional.pad(input, self.uneven) if self.uneven else input)


class PaddedConv3d(nn.Conv3d):
    """Conv3d that also pads unevenly: `uneven` in the order of torch's `pad`."""

    uneven: tuple[int, ...] = ()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's own name
        """Pad, then convolve."""
        return super().forward(functional.pad(input, self.uneven) if self.uneven else input)


def torch_pads(begin: Sequence[int], end: Sequence[int]) -> tuple[int, ...]:
    """ONNX's begin and end for every axis in torch's order: last axis first.

    Worked example: begin (4, 1), end (5, 2) -> (1, 2, 4, 5).
    """
    pairs = zip(reversed(begin), reversed(end), strict=True)
    return tuple(number for pair in pairs for number in pair)

"""The torch layers that torch itself lacks: ONNX's arithmetic, pads and shapes.

Axis 0 carries the rows in every layer. `pinned` is true where a layer depends on the number or the
order of the channels in a way that a dependency graph cannot follow; pruning then leaves the layers
that feed it alone.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

_FUNCTIONS: Mapping[str, Callable[..., Tensor]] = {
    "Add": torch.add,
    "Sub": torch.sub,
    "Mul": torch.mul,
    "Div": torch.div,
}


class Layer(nn.Module):
    """A layer of ours; `pinned` says that its input channels must stay as they are."""

    pinned: bool = False


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


class Arithmetic(Layer):
    """Add, Sub, Mul or Div of two activations, or of one and a constant.

    A constant with one value a channel is a parameter: it is trained, and pruned with its channel.
    Any other stays as it is, and pins the channels if it has more than one value.
    """

    def __init__(
        self, operator: str, constant: Tensor | None = None, *, first: bool = False
    ) -> None:
        super().__init__()
        self.operator = operator
        self.first = first
        self.constant: Tensor | None
        if constant is not None and constant.numel() > 1 and _one_value_a_channel(constant):
            self.constant = nn.Parameter(constant)
        else:
            self.register_buffer("constant", constant)
            self.pinned = constant is not None and constant.numel() > 1

    def forward(self, *inputs: Tensor) -> Tensor:
        """The two operands in the order that the node names them."""
        operands = list(inputs)
        if self.constant is not None:
            operands.insert(0 if self.first else 1, self.constant)
        return _FUNCTIONS[self.operator](*operands)


class HardSigmoid(Layer):
    """max(0, min(1, alpha * x + beta))."""

    def __init__(self, alpha: float, beta: float) -> None:
        super().__init__()
        self.alpha = alpha
        self.beta = beta

    def forward(self, value: Tensor) -> Tensor:
        """Element by element."""
        return torch.clamp(value * self.alpha + self.beta, 0, 1)


class Clamp(Layer):
    """Values held between two bounds, infinite ones included."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low = low
        self.high = high

    def forward(self, value: Tensor) -> Tensor:
        """Element by element."""
        return torch.clamp(value, self.low, self.high)


class Pad(Layer):
    """A constant around the tensor: `begin` and `end` count elements for every axis."""

    def __init__(self, begin: Sequence[int], end: Sequence[int], value: float) -> None:
        super().__init__()
        self.begin = tuple(begin)
        self.end = tuple(end)
        self.value = value
        self.pinned = bool(begin[1] or end[1])

    def forward(self, value: Tensor) -> Tensor:
        """Torch counts pads from the last axis, begin and end by turns."""
        return functional.pad(value, torch_pads(self.begin, self.end), value=self.value)


class Pool(Layer):
    """A pooling of torch behind uneven pads in the order of torch's `pad`, filled with `fill`."""

    def __init__(self, pool: nn.Module, uneven: tuple[int, ...], fill: float) -> None:
        super().__init__()
        self.pool = pool
        self.uneven = uneven
        self.fill = fill

    def forward(self, value: Tensor) -> Tensor:
        """Pad, then pool."""
        padded = functional.pad(value, self.uneven, value=self.fill) if self.uneven else value
        pooled: Tensor = self.pool(padded)
        return pooled


class Mean(Layer):
    """The mean over some axes."""

    def __init__(self, axes: Sequence[int], *, keep: bool) -> None:
        super().__init__()
        self.axes = tuple(axes)
        self.keep = keep
        self.pinned = 1 in self.axes

    def forward(self, value: Tensor) -> Tensor:
        """Reduce."""
        return value.mean(dim=self.axes, keepdim=self.keep)


class Reshape(Layer):
    """A new shape for each row: `tail` is the shape behind the row axis."""

    pinned = True

    def __init__(self, tail: Sequence[int]) -> None:
        super().__init__()
        self.tail = tuple(tail)

    def forward(self, value: Tensor) -> Tensor:
        """Rows stay."""
        return value.reshape(value.shape[0], *self.tail)


class Transpose(Layer):
    """Axes in a new order, the rows in front."""

    def __init__(self, order: Sequence[int]) -> None:
        super().__init__()
        self.order = tuple(order)
        self.pinned = self.order[1] != 1

    def forward(self, value: Tensor) -> Tensor:
        """Permute."""
        return value.permute(self.order)


class Concat(Layer):
    """Tensors joined along one axis."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis
        self.pinned = axis != 1

    def forward(self, *inputs: Tensor) -> Tensor:
        """Join."""
        return torch.cat(inputs, dim=self.axis)


class Squeeze(Layer):
    """Axes of length one removed."""

    def __init__(self, axes: Sequence[int]) -> None:
        super().__init__()
        self.axes = tuple(axes)
        self.pinned = 1 in self.axes

    def forward(self, value: Tensor) -> Tensor:
        """Drop the axes."""
        return value.squeeze(self.axes)


class Unsqueeze(Layer):
    """Axes of length one inserted, counted in the result."""

    def __init__(self, axes: Sequence[int]) -> None:
        super().__init__()
        self.axes = tuple(axes)
        self.pinned = 1 in self.axes

    def forward(self, value: Tensor) -> Tensor:
        """Insert the axes from the front on."""
        for axis in self.axes:
            value = value.unsqueeze(axis)
        return value


def torch_pads(begin: Sequence[int], end: Sequence[int]) -> tuple[int, ...]:
    """ONNX's begin and end for every axis in torch's order: last axis first.

    Worked example: begin (4, 1), end (5, 2) -> (1, 2, 4, 5).
    """
    pairs = zip(reversed(begin), reversed(end), strict=True)
    return tuple(number for pair in pairs for number in pair)


def _one_value_a_channel(constant: Tensor) -> bool:
    """Whether only axis 1 is longer than one; the constant has the activation's rank."""
    return all(size == 1 for axis, size in enumerate(constant.shape) if axis != 1)

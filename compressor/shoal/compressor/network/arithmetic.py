"""Operators of several operands that broadcast: arithmetic, comparisons, choices."""

from collections.abc import Callable, Mapping
from functools import reduce

import torch
from torch import Tensor, nn

from shoal.compressor.network.layers import Layer
from shoal.compressor.network.node import Node
from shoal.compressor.network.weights import tensor
from shoal.compressor.network.writing import Writer

# Numbers beyond stand for infinity in masks; nobody wants to train those.
_TRAINED_AT_MOST = 1e4
_TRAINED = frozenset({"Add", "Sub", "Mul", "Div", "PRelu"})


def _divided(first: Tensor, second: Tensor) -> Tensor:
    """Integers are cut towards zero."""
    whole = not first.is_floating_point()
    return torch.div(first, second, rounding_mode="trunc" if whole else None)


def _leaky(value: Tensor, slope: Tensor) -> Tensor:
    return torch.where(value >= 0, value, slope * value)


def _power(base: Tensor, exponent: Tensor) -> Tensor:
    """The square has a kernel of its own; the answer has the base's type."""
    if exponent.numel() == 1 and not exponent.requires_grad and float(exponent) == 2:
        return base.square()
    return torch.pow(base, exponent).to(base.dtype)


def _folded(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """A function of two as one of any number."""
    return lambda *operands: reduce(function, operands)


# fmt: off
FUNCTIONS: Mapping[str, Callable[..., Tensor]] = {
    "Add":            torch.add,
    "And":            torch.logical_and,
    "Div":            _divided,
    "Equal":          torch.eq,
    "Greater":        torch.gt,
    "GreaterOrEqual": torch.ge,
    "Less":           torch.lt,
    "LessOrEqual":    torch.le,
    "Max":            _folded(torch.maximum),
    "Min":            _folded(torch.minimum),
    "Mul":            torch.mul,
    "Or":             torch.logical_or,
    "Pow":            _power,
    "PRelu":          _leaky,
    "Sub":            torch.sub,
    "Sum":            _folded(torch.add),
    "Where":          torch.where,
    "Xor":            torch.logical_xor,
}
# fmt: on


class Arithmetic(Layer):
    """One operator on activations and constants, each at its place.

    A constant with one value a channel or feature is a parameter, so that it is trained; any other
    stays as it is.
    """

    def __init__(self, operator: str, constants: Mapping[int, Tensor], count: int) -> None:
        super().__init__()
        self.operator = operator
        self.function = FUNCTIONS[operator]
        self.names = {place: f"constant{place}" for place in sorted(constants)}
        self.count = count
        for place, value in constants.items():
            if operator in _TRAINED and _is_trained(value):
                self.register_parameter(self.names[place], nn.Parameter(value))
            else:
                self.register_buffer(self.names[place], value)

    @property
    def constants(self) -> dict[int, Tensor]:
        """The constants by their place among the operands."""
        return {place: getattr(self, name) for place, name in self.names.items()}

    @property
    def only_constant(self) -> Tensor | None:
        """The constant, where there is one and one activation."""
        return next(iter(self.constants.values())) if self.count == 2 and self.names else None

    def forward(self, *inputs: Tensor) -> Tensor:
        """The operands in the order that the node names them."""
        if not self.names:
            return self.function(*inputs)
        operands = list(inputs)
        for place, name in self.names.items():
            operands.insert(place, getattr(self, name))
        return self.function(*operands)


def _is_trained(value: Tensor) -> bool:
    long = sum(size > 1 for size in value.shape)
    if long != 1 or not value.is_floating_point():
        return False
    return bool(torch.isfinite(value).all()) and float(value.abs().max()) < _TRAINED_AT_MOST


def read_arithmetic(node: Node) -> nn.Module:
    """A constant operand becomes part of the layer; one activation passes through Sum or Max."""
    count = len(node.proto.input)
    if node.attribute("broadcast", 0):
        node.refuse("the broadcasting of opsets before 7")
    constants = {
        place: tensor(node.placed(place)) for place in range(count) if place not in node.views
    }
    return Arithmetic(node.proto.op_type, constants, count)


def write_arithmetic(
    layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]
) -> None:
    """One node, the constants where they were."""
    assert isinstance(layer, Arithmetic)
    names = list(inputs)
    for place, constant in layer.constants.items():
        names.insert(place, writer.weight(constant))
    writer.add(layer.operator, names, outputs)

"""One ONNX node as the operator table sees it: attributes, constant inputs, views of the others.

Opsets moved parameters from attributes to inputs (axes, pads, bounds); `numbers` and `scalar` look
in both places, so that one reader serves every opset.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy.typing as npt
import onnx
import torch
from torch import nn

from shoal.compressor.network.layout import Shape, View
from shoal.compressor.passes.protocol import PassError
from shoal.compressor.rejections import Rejection

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What became of a node: a layer, or none where only the view changes.

    `rows` says where the graph has the rows in each output.
    """

    layer: nn.Module | None
    rows: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node with what is known about its inputs.

    `constants` are the graph's constants by name; `views` tells of the inputs that depend on the
    graph's inputs, by their place in the node, and `types` of their elements.
    """

    proto: onnx.NodeProto
    constants: Mapping[str, Array]
    views: Mapping[int, View]
    types: Mapping[int, torch.dtype]
    opset: int

    @property
    def label(self) -> str:
        """The node's name; where it has none, the operator and its first output."""
        return self.proto.name or f"{self.proto.op_type} {self.proto.output[0]}"

    @property
    def view(self) -> View:
        """The first input that depends on the graph's inputs."""
        return next(iter(self.views.values()))

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The inputs of the layer as the network holds one row of them."""
        return tuple(view.held for view in self.views.values())

    @property
    def rank(self) -> int:
        """The number of axes that the graph sees in the first input."""
        return len(self.view.shape)

    def refuse(self, detail: str) -> NoReturn:
        """Say which operator and node cannot be read.

        Raises:
            PassError: always, UnsupportedOperator.
        """
        raise refusal(self.proto, detail)

    def attribute(self, name: str, default: Any = None) -> Any:
        """The attribute's value; text is decoded."""
        for attribute in self.proto.attribute:
            if attribute.name == name:
                value = onnx.helper.get_attribute_value(attribute)
                return value.decode() if isinstance(value, bytes) else value
        return default

    def given(self, index: int) -> bool:
        """Whether the node has an input at this place."""
        return index < len(self.proto.input) and bool(self.proto.input[index])

    def constant(self, index: int) -> Array | None:
        """The constant at input `index`; None where the input is absent or an activation."""
        return self.constants.get(self.proto.input[index]) if self.given(index) else None

    def weight(self, index: int) -> Array:
        """The constant at input `index`, which must be there.

        Raises:
            PassError: it is computed from the graph's inputs.
        """
        value = self.constant(index)
        if value is None:
            self.refuse(f"input {index} is not a constant")
        return value

    def optional(self, index: int) -> Array | None:
        """The constant at input `index`, None where there is none.

        Raises:
            PassError: it is computed from the graph's inputs.
        """
        return self.weight(index) if self.given(index) else None

    def placed(self, index: int) -> Array:
        """A constant operand as the network holds it: an axis for rows in front.

        Raises:
            PassError: it has one value a row, or is computed from the graph's inputs.
        """
        value = self.weight(index)
        view = self.view
        filled = value.reshape((1,) * (len(view.shape) - value.ndim) + value.shape)
        if view.rows is None:
            return filled[None]
        if filled.shape[view.rows] != 1:
            self.refuse("a constant with one value a row")
        rest = filled.shape[: view.rows] + filled.shape[view.rows + 1 :]
        return filled.reshape((1, *rest))

    def numbers(self, name: str, index: int) -> list[int] | None:
        """Integers from the attribute `name` or from the constant input `index`.

        Raises:
            PassError: the input is computed from the graph's inputs.
        """
        value = self.optional(index) if index else None
        if value is not None:
            return [int(number) for number in value.reshape(-1)]
        found = self.attribute(name)
        return None if found is None else [int(number) for number in found]

    def scalar(self, name: str, index: int, default: float) -> float:
        """One number from the attribute `name` or from the constant input `index`.

        Raises:
            PassError: the input is computed from the graph's inputs.
        """
        value = self.optional(index)
        if value is not None and value.size:
            return float(value.reshape(-1)[0])
        return float(self.attribute(name, default))

    def rows_stay(self, axes: Sequence[int]) -> tuple[int, ...]:
        """The axes as the network counts them; none of them may be that of the rows.

        Raises:
            PassError: an axis is that of the rows, so that rows would depend on each other.
        """
        held = tuple(sorted(self.view.axis(axis) for axis in axes))
        if 0 in held:
            self.refuse("it works across rows")
        return held

    def axis(self, default: int) -> int:
        """The attribute `axis` as the network counts it.

        Raises:
            PassError: it is that of the rows.
        """
        return self.rows_stay([self.attribute("axis", default)])[0]


def refusal(proto: onnx.NodeProto, detail: str) -> PassError:
    """The error that names operator and node."""
    name = proto.name or (proto.output[0] if proto.output else "?")
    operator = f"{proto.domain}.{proto.op_type}" if proto.domain else proto.op_type
    return PassError(
        Rejection.UNSUPPORTED_OPERATOR, f"operator {operator} of node {name!r}: {detail}"
    )

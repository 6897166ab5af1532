"""One ONNX node as the operator table sees it: attributes, constant inputs, shapes.

Opsets moved parameters from attributes to inputs (axes, pads, bounds); `numbers` and `scalar` look
in both places, so that one reader serves every opset.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy.typing as npt
import onnx

from shoal.compressor.passes.protocol import PassError
from shoal.compressor.rejections import Rejection

Array = npt.NDArray[Any]
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node with what is known about its inputs.

    `constants` are the graph's constants by name; `shapes` the shapes of the node's activation
    inputs (those that depend on the graph's inputs), in order, for one row.
    """

    proto: onnx.NodeProto
    constants: Mapping[str, Array]
    shapes: tuple[Shape, ...]
    opset: int

    @property
    def label(self) -> str:
        """The node's name; where it has none, the operator and its first output."""
        return self.proto.name or f"{self.proto.op_type} {self.proto.output[0]}"

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

    def constant(self, index: int) -> Array | None:
        """The constant at input `index`; None where the input is absent or an activation."""
        names = self.proto.input
        return self.constants.get(names[index]) if index < len(names) and names[index] else None

    def weight(self, index: int) -> Array:
        """The constant at input `index`, which must be there.

        Raises:
            PassError: it is computed from the graph's inputs.
        """
        value = self.constant(index)
        if value is None:
            self.refuse(f"input {index} is not a constant")
        return value

    def numbers(self, name: str, index: int) -> list[int] | None:
        """Integers from the attribute `name` or from the constant input `index`."""
        value = self.constant(index)
        if value is not None:
            return [int(number) for number in value.reshape(-1)]
        found = self.attribute(name)
        return None if found is None else [int(number) for number in found]

    def scalar(self, name: str, index: int, default: float) -> float:
        """One number from the attribute `name` or from the constant input `index`."""
        value = self.constant(index)
        return float(value.reshape(-1)[0] if value is not None else self.attribute(name, default))

    def rows_stay(self, axes: list[int]) -> tuple[int, ...]:
        """The axes counted from the front; none of them may be that of the rows.

        Raises:
            PassError: an axis is 0, so that rows would depend on each other.
        """
        rank = len(self.shapes[0])
        positive = tuple(sorted(axis % rank for axis in axes))
        if 0 in positive:
            self.refuse("it works across rows")
        return positive


def refusal(proto: onnx.NodeProto, detail: str) -> PassError:
    """The error that names operator and node."""
    name = proto.name or (proto.output[0] if proto.output else "?")
    operator = f"{proto.domain}.{proto.op_type}" if proto.domain else proto.op_type
    return PassError(
        Rejection.UNSUPPORTED_OPERATOR, f"operator {operator} of node {name!r}: {detail}"
    )

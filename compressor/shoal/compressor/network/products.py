"""Products of two activations, or of one and a constant that is no plain matrix; Einsum."""

import torch
from torch import Tensor, nn

from shoal.compressor.network.layers import Layer
from shoal.compressor.network.node import Node, Reading
from shoal.compressor.network.weighted import linear, write_linear
from shoal.compressor.network.weights import parameter
from shoal.compressor.network.writing import Writer


class Product(Layer):
    """A batched matrix product; `constant` is one of the two, at place `place`."""

    def __init__(self, constant: nn.Parameter | None = None, place: int = 1) -> None:
        super().__init__()
        self.constant = constant
        self.place = place

    def forward(self, *inputs: Tensor) -> Tensor:
        """Multiply."""
        operands = list(inputs)
        if self.constant is not None:
            operands.insert(self.place, self.constant)
        return torch.matmul(operands[0], operands[1])


def read_matmul(node: Node) -> nn.Module | Reading:
    """MatMul; with a constant matrix behind it is torch's Linear."""
    if len(node.views) == 2:
        return _of_activations(node)
    place = 1 if 0 in node.views else 0
    constant = node.weight(place)
    view = node.view
    if place == 1 and constant.ndim == 2 and view.shape and view.rows != node.rank - 1:
        return linear(constant.T)
    if constant.ndim < 2 or node.rank < 2:
        node.refuse("a product with a vector")
    return Product(parameter(node.placed(place)), place)


def _of_activations(node: Node) -> nn.Module:
    if any(len(view.shape) < 2 for view in node.views.values()):
        node.refuse("a product with a vector")
    return Product()


def write_matmul(layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]) -> None:
    """One MatMul node; a constant matrix may have a bias."""
    if isinstance(layer, nn.Linear):
        write_linear(layer, writer, inputs, outputs)
        return
    assert isinstance(layer, Product)
    names = list(inputs)
    if layer.constant is not None:
        names.insert(layer.place, writer.weight(layer.constant))
    writer.add("MatMul", names, outputs)


class Einsum(Layer):
    """Einstein's sum over letters; the rows are the letter that `equation` has in front."""

    def __init__(self, equation: str, constants: dict[int, nn.Parameter]) -> None:
        super().__init__()
        self.equation = equation
        self.names = {place: f"constant{place}" for place in sorted(constants)}
        for place, value in constants.items():
            self.register_parameter(self.names[place], value)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Multiply and add."""
        operands = list(inputs)
        for place, name in self.names.items():
            operands.insert(place, getattr(self, name))
        return torch.einsum(self.equation, *operands)


def read_einsum(node: Node) -> Reading:
    """Einsum in its explicit form.

    Worked example: "lbd,ed->lbe", rows of the first operand at b, a constant second: the letter of
    the rows goes to the front: "bld,ed->ble".
    """
    equation = node.attribute("equation").replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if not arrow or "." in equation or len(terms) != len(node.proto.input):
        node.refuse(f"the equation {equation}")
    letters = {
        terms[place][view.rows] for place, view in node.views.items() if view.rows is not None
    }
    if len(letters) != 1 or any(view.rows is None for view in node.views.values()):
        node.refuse(f"the equation {equation}: rows of several letters")
    (rows,) = letters
    constants = {
        place: parameter(node.weight(place))
        for place in range(len(terms))
        if place not in node.views
    }
    if rows not in right or any(rows in terms[place] for place in constants):
        node.refuse("it works across rows")
    held = [
        term if place in constants else rows + term.replace(rows, "")
        for place, term in enumerate(terms)
    ]
    layer = Einsum(f"{','.join(held)}->{rows}{right.replace(rows, '')}", constants)
    return Reading(layer=layer, rows=(right.index(rows),))


def write_einsum(layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]) -> None:
    """One Einsum node."""
    assert isinstance(layer, Einsum)
    names = list(inputs)
    for place, name in layer.names.items():
        names.insert(place, writer.weight(getattr(layer, name)))
    writer.add("Einsum", names, outputs, equation=layer.equation)

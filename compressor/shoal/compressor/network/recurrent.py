"""LSTM, GRU and RNN as torch's own layers, one direction or both.

Held with the rows in front: a sequence is (rows, length, features), every output's place for the
direction comes right behind. ONNX and torch order the gates of a cell differently.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from shoal.compressor.network.layers import Layer
from shoal.compressor.network.node import Array, Node, Reading
from shoal.compressor.network.weights import parameter, tensor
from shoal.compressor.network.writing import Writer

_KINDS = {"GRU": nn.GRU, "LSTM": nn.LSTM, "RNN": nn.RNN}
# Which of ONNX's gates torch has at each place: LSTM iofc -> ifgo, GRU zrh -> rzn.
_GATES = {"GRU": (1, 0, 2), "LSTM": (0, 2, 3, 1), "RNN": (0,)}
_USUAL = {
    "GRU": [["sigmoid", "tanh"]],
    "LSTM": [["sigmoid", "tanh", "tanh"]],
    "RNN": [["tanh"], ["relu"]],
}
_FIRST_STATE = 5  # the place of the initial states among the inputs; LSTM has two


class Recurrent(Layer):
    """A recurrent layer that answers with the whole sequence, the last state and, LSTM, the cell.

    `states` tells which initial states are given with each row; a constant one is a buffer.
    """

    def __init__(
        self, operator: str, cell: nn.RNNBase, *, reverse: bool, states: Sequence[Tensor | None]
    ) -> None:
        super().__init__()
        self.operator = operator
        self.cell = cell
        self.reverse = reverse
        self.given = tuple(state is None for state in states)
        for place, state in enumerate(states):
            self.register_buffer(f"state{place}", state)

    @property
    def directions(self) -> int:
        """One or two."""
        return 2 if self.cell.bidirectional else 1

    def forward(self, value: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """(rows, length, directions, features), then (rows, directions, features) a state."""
        sequence = value.flip(1) if self.reverse else value
        given = iter(states)
        initial = []
        for place, is_given in enumerate(self.given):
            state = next(given) if is_given else getattr(self, f"state{place}")
            held = state.expand(value.shape[0], -1, -1)
            initial.append(held.transpose(0, 1).contiguous())
        start = None if not initial else tuple(initial) if self.operator == "LSTM" else initial[0]
        answer, last = self.cell(sequence, start)
        answer = answer.flip(1) if self.reverse else answer
        ends = last if isinstance(last, tuple) else (last,)
        whole = answer.unflatten(2, (self.directions, self.cell.hidden_size))
        return (whole, *(end.transpose(0, 1) for end in ends))


def read_recurrent(node: Node) -> Reading:
    """LSTM, GRU or RNN with constant weights and the usual activations."""
    operator = node.proto.op_type
    direction = node.attribute("direction", "forward")
    _check(node, direction)
    weight, recurrence = node.weight(1), node.weight(2)
    bias = node.optional(3)
    count, hidden = recurrence.shape[0], recurrence.shape[2]
    functions = [name.decode().lower() for name in node.attribute("activations", [])]
    kind = {"nonlinearity": functions[0] if functions else "tanh"} if operator == "RNN" else {}
    cell = _KINDS[operator](
        weight.shape[2],
        hidden,
        batch_first=True,
        bidirectional=count == 2,
        bias=bias is not None,
        **kind,
    )
    for place in range(count):
        suffix = "_reverse" if place else ""
        setattr(cell, f"weight_ih_l0{suffix}", parameter(_reordered(operator, weight[place])))
        setattr(cell, f"weight_hh_l0{suffix}", parameter(_reordered(operator, recurrence[place])))
        if bias is not None:
            inner, outer = np.split(bias[place], 2)
            setattr(cell, f"bias_ih_l0{suffix}", parameter(_reordered(operator, inner)))
            setattr(cell, f"bias_hh_l0{suffix}", parameter(_reordered(operator, outer)))
    cell.flatten_parameters()
    layer = Recurrent(operator, cell, reverse=direction == "reverse", states=_states(node, hidden))
    results = 3 if operator == "LSTM" else 2
    # The graph has (length, directions, rows, features) and (directions, rows, features).
    return Reading(layer=layer, rows=(2, 1, 1)[:results])


def _check(node: Node, direction: str) -> None:
    operator = node.proto.op_type
    functions = [name.decode().lower() for name in node.attribute("activations", [])]
    count = 2 if direction == "bidirectional" else 1
    if functions and functions not in [usual * count for usual in _USUAL[operator]]:
        node.refuse(f"activations {functions}")
    if node.given(4):
        node.refuse("sequences of different lengths")
    if node.given(7) or node.attribute("clip") or node.attribute("input_forget", 0):
        node.refuse("peepholes, clip or input_forget")
    if node.attribute("layout", 0):
        node.refuse("layout 1")
    if operator == "GRU" and not node.attribute("linear_before_reset", 0):
        node.refuse("linear_before_reset 0")


def _states(node: Node, hidden: int) -> list[Tensor | None]:
    """The initial states: None where given with each row; an empty list where all are zero."""
    places = range(_FIRST_STATE, _FIRST_STATE + (2 if node.proto.op_type == "LSTM" else 1))
    if not any(node.given(place) for place in places):
        return []
    found: list[Tensor | None] = []
    count = node.weight(2).shape[0]
    for place in places:
        if place in node.views:
            found.append(None)
        elif node.given(place):
            found.append(tensor(node.weight(place)).transpose(0, 1))
        else:
            found.append(torch.zeros(1, count, hidden))
    constants = [state for state in found if state is not None]
    return [] if len(constants) == len(found) and not any(map(torch.any, constants)) else found


def _reordered(operator: str, weight: Array, *, back: bool = False) -> Array:
    gates = np.split(weight, len(_GATES[operator]))
    order = np.argsort(_GATES[operator]) if back else _GATES[operator]
    return np.concatenate([gates[place] for place in order])


def write_recurrent(
    layer: nn.Module, writer: Writer, inputs: list[str], outputs: list[str]
) -> None:
    """Transpose to (length, rows, features), the node, and its answers back again."""
    assert isinstance(layer, Recurrent)
    cell, operator = layer.cell, layer.operator
    suffixes = ["", "_reverse"][: layer.directions]

    def stacked(name: str) -> Array:
        held = [getattr(cell, f"{name}_l0{suffix}").detach().numpy() for suffix in suffixes]
        return np.stack([_reordered(operator, weight, back=True) for weight in held])

    names = [writer.via("Transpose", inputs[:1], perm=[1, 0, 2])]
    names += [writer.weight(stacked("weight_ih")), writer.weight(stacked("weight_hh"))]
    biased = cell.bias
    if biased:
        both = np.concatenate([stacked("bias_ih"), stacked("bias_hh")], axis=1)
        names.append(writer.weight(both))
    if layer.given:
        names += [""] * (_FIRST_STATE - len(names))
        names += _written_states(layer, writer, inputs)
    kinds = {1: "reverse" if layer.reverse else None, 2: "bidirectional"}
    own = [name and writer.name("t") for name in outputs]
    writer.add(
        operator,
        names,
        own,
        hidden_size=cell.hidden_size,
        direction=kinds[layer.directions],
        linear_before_reset=1 if operator == "GRU" else None,
        activations=["Relu"] * layer.directions if cell.mode == "RNN_RELU" else None,
    )
    orders = [[2, 0, 1, 3], [1, 0, 2], [1, 0, 2]]
    for between, output, order in zip(own, outputs, orders, strict=False):
        if output:
            writer.add("Transpose", [between], [output], perm=order)


def _written_states(layer: Recurrent, writer: Writer, inputs: list[str]) -> list[str]:
    """(directions, rows, features): given ones turned around, constant ones for every row."""
    given = iter(inputs[1:])
    names = []
    for place, is_given in enumerate(layer.given):
        if is_given:
            names.append(writer.via("Transpose", [next(given)], perm=[1, 0, 2]))
            continue
        state = writer.weight(getattr(layer, f"state{place}").transpose(0, 1))
        rows = writer.via("Shape", inputs[:1], start=0, end=1)
        sizes = [
            writer.integers([layer.directions]),
            rows,
            writer.integers([layer.cell.hidden_size]),
        ]
        names.append(writer.via("Expand", [state, writer.via("Concat", sizes, axis=0)]))
    return names

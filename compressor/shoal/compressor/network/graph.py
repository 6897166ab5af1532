"""A model as a torch module: named layers, run in the graph's order over a table of values."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import onnx
from torch import Tensor, nn

LINEAR_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Linear)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One layer at work: which values go in, which one comes out.

    `label` is the ONNX node's name, for people; `layer` the key in the network's layers;
    `operator` the row of the operator table that writes it.
    """

    label: str
    layer: str
    operator: str
    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or output of the graph: its ONNX declaration and the value behind it."""

    declared: onnx.ValueInfoProto
    value: str

    @property
    def name(self) -> str:
        """The name that users know."""
        return self.declared.name


class Network(nn.Module):
    """The layers of an ONNX graph, trainable; its inputs and outputs are the graph's, in order."""

    def __init__(
        self,
        layers: Mapping[str, nn.Module],
        steps: Sequence[Step],
        inputs: Sequence[Port],
        outputs: Sequence[Port],
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleDict(layers)
        self.steps = tuple(steps)
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)

    def forward(self, *rows: Tensor) -> tuple[Tensor, ...]:
        """The graph's outputs for its inputs, each with the row axis first."""
        named = {port.name: value for port, value in zip(self.inputs, rows, strict=True)}
        return self.values([port.value for port in self.outputs], named)

    def values(self, wanted: Iterable[str], rows: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        """Any values inside the graph, by name, for rows by the name of their input."""
        known = {port.value: rows[port.name] for port in self.inputs}
        for step in self.steps:
            layer = self.layers[step.layer]
            known[step.output] = layer(*(known[name] for name in step.inputs))
        return tuple(known[name] for name in wanted)

    def answering_value(self, output: str) -> str:
        """The value to train: that of `output`, or what goes into the softmax which makes it.

        Raises:
            RuntimeError: the graph has no such output.
        """
        for port in self.outputs:
            if port.name == output:
                made_by = self.producer(port.value)
                softmax = made_by is not None and made_by.operator == "Softmax"
                return made_by.inputs[0] if made_by is not None and softmax else port.value
        raise RuntimeError(f"the graph has no output {output!r}")

    def producer(self, value: str) -> Step | None:
        """The step that makes a value; None for an input of the graph."""
        return next((step for step in self.steps if step.output == value), None)

    def linear_layers_behind(self, values: Iterable[str]) -> Iterator[Step]:
        """The nearest convolutions and matrix products upstream of some values."""
        pending = list(values)
        while pending:
            step = self.producer(pending.pop())
            if step is None:
                continue
            if isinstance(self.layers[step.layer], LINEAR_LAYERS):
                yield step
            else:
                pending.extend(step.inputs)

    @property
    def parameter_count(self) -> int:
        """Trainable numbers."""
        return sum(parameter.numel() for parameter in self.parameters())

"""A model as a torch module: named layers, run in the graph's order over a table of values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import onnx
import torch
from torch import Tensor, nn

from shoal.compressor.network.layout import View

# What stands between the numbers that are trained and the answer that is read.
_ANSWERING = frozenset({"ArgMax", "LogSoftmax", "Softmax"})
_IMAGE_AXES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One layer at work: which values go in, which come out.

    `label` is the ONNX node's name, for people; `layer` the key in the network's layers;
    `operator` the row of the operator table that writes it. An output that nobody reads is "".
    """

    label: str
    layer: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def output(self) -> str:
        """The first output."""
        return self.outputs[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or output of the graph: its ONNX declaration, the value behind it, its view.

    `trainable` tells whether it holds floating numbers.
    """

    declared: onnx.ValueInfoProto
    value: str
    view: View
    trainable: bool

    @property
    def name(self) -> str:
        """The name that users know."""
        return self.declared.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything that goes in and out, in the graph's order.

    `declared` are all inputs of the graph; `inputs` those that change from row to row.
    """

    declared: tuple[onnx.ValueInfoProto, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


class Network(nn.Module):
    """The layers of an ONNX graph, trainable; its inputs and outputs are the graph's, in order.

    Every value has the rows on axis 0, wherever the graph has them.
    """

    def __init__(
        self, layers: Mapping[str, nn.Module], steps: Sequence[Step], ports: Ports
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleDict(layers)
        self.steps = tuple(steps)
        self.ports = ports
        self._plans: dict[tuple[str, ...], tuple[Step, ...]] = {}
        self._images = False

    @property
    def inputs(self) -> tuple[Port, ...]:
        """The inputs that change from row to row."""
        return self.ports.inputs

    @property
    def outputs(self) -> tuple[Port, ...]:
        """The outputs."""
        return self.ports.outputs

    def lay_out(self) -> "Network":
        """Put images and their filters channels last, which convolutions on processors run faster.

        To be called again when filters have been replaced.
        """
        self._images = any(isinstance(layer, nn.Conv2d) for layer in self.modules())
        if self._images:
            for weight in self.parameters():
                if weight.ndim == _IMAGE_AXES:
                    weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        return self

    def forward(self, *rows: Tensor) -> tuple[Tensor, ...]:
        """The graph's outputs for its inputs, each with the row axis first."""
        named = {port.name: value for port, value in zip(self.inputs, rows, strict=True)}
        return self.values([port.value for port in self.outputs], named)

    def values(self, wanted: Iterable[str], rows: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        """Any values inside the graph, by name, for rows by the name of their input.

        Layers that they do not depend on are not run.
        """
        names = tuple(wanted)
        if names not in self._plans:
            self._plans[names] = self.steps_behind(names)
        known = {port.value: self._laid_out(rows[port.name]) for port in self.inputs}
        layers = self.layers._modules  # noqa: SLF001 - the plain dict behind, read at every step
        for step in self._plans[names]:
            layer = layers[step.layer]
            assert layer is not None
            result = layer(*[known[name] for name in step.inputs])
            if isinstance(result, tuple):
                known.update(zip(step.outputs, result, strict=True))
            else:
                known[step.outputs[0]] = result
        return tuple(known[name] for name in names)

    def _laid_out(self, value: Tensor) -> Tensor:
        if self._images and value.ndim == _IMAGE_AXES:
            return value.contiguous(memory_format=torch.channels_last)
        return value

    def steps_behind(self, values: Iterable[str]) -> tuple[Step, ...]:
        """The steps that some values depend on, in order."""
        needed = set(values)
        steps = []
        for step in reversed(self.steps):
            if needed.intersection(step.outputs):
                needed.update(step.inputs)
                steps.append(step)
        return tuple(reversed(steps))

    def answering_value(self, output: str) -> str:
        """The value to train: that of `output`, or what goes into the softmax which makes it.

        Raises:
            RuntimeError: the graph has no such output.
        """
        for port in self.outputs:
            if port.name == output:
                return self._before_choice(port.value)
        raise RuntimeError(f"the graph has no output {output!r}")

    def taught_values(self, output: str) -> list[str]:
        """What a student learns: the answering value first, then the other floating outputs."""
        answering = self.answering_value(output)
        others = sorted(
            (port.name, self._before_choice(port.value))
            for port in self.outputs
            if port.name != output and port.trainable
        )
        return list(dict.fromkeys([answering, *(value for _, value in others)]))

    def _before_choice(self, value: str) -> str:
        made_by = self.producer(value)
        while made_by is not None and made_by.operator in _ANSWERING:
            value = made_by.inputs[0]
            made_by = self.producer(value)
        return value

    def producer(self, value: str) -> Step | None:
        """The step that makes a value; None for an input of the graph."""
        return next((step for step in self.steps if value in step.outputs), None)

    def observe(self, rows: Sequence[Tensor]) -> dict[str, Tensor]:
        """Every value there is, for some rows, without gradients."""
        names = [port.value for port in self.inputs]
        names += [name for step in self.steps for name in step.outputs if name]
        named = {port.name: value for port, value in zip(self.inputs, rows, strict=True)}
        with torch.no_grad():
            found = self.eval().values(names, named)
        return dict(zip(names, found, strict=True))

    @property
    def parameter_count(self) -> int:
        """Trainable numbers."""
        return sum(parameter.numel() for parameter in self.parameters())
